import { z } from "@hono/zod-openapi"
import type { EditInput } from "../../core/change/command.ts"
import type { ScopeState } from "../../core/change/scope-state.ts"
import type { ConfigKey } from "../../core/ids.ts"
import type { Json } from "../../core/json.ts"
import { json, type Route, route } from "../http/route.ts"
import type { ManageDeps } from "./deps.ts"
import {
  type ConfigAddress,
  configNamed,
  configNotFound,
  environmentNamed,
  ifMatchNamed,
  keyNamed,
  noneMatches,
  scopeNamed,
} from "./parse.ts"
import { listConfigs, readConfig } from "./read-configs.ts"
import {
  ConfigBody,
  ConfigDeleted,
  ConfigPath,
  ConfigPut,
  ConfigShown,
  Paging,
  page,
  Stale,
} from "./shapes.ts"
import { etagOf, stableEntries } from "./show.ts"
import { editReply, submit } from "./submit.ts"
import { valueNamed } from "./wanted.ts"

const Written = {
  description: "The config as it is now",
  schema: ConfigShown,
}
const Waiting = { description: "The change that was filed: it waits for approval or rolls out" }

/** `null` and nothing both mean no schema when a config is made. */
const given = (value: unknown): Json | undefined => (value === null ? undefined : (value as Json | undefined))

const mustExist = (address: ConfigAddress) => (state: ScopeState) => {
  if (!stableEntries(state, [address.key]).has(address.key)) throw configNotFound(address.configId)
}

/** The expected version; `*` asks only that there is one, and that {@link mustExist} asks already. */
const expected = (header: string | undefined): Pick<EditInput, "ifMatch"> => {
  const version = ifMatchNamed(header)
  return typeof version === "number" ? { ifMatch: version } : {}
}

const createRoute = (deps: ManageDeps): Route =>
  route({
    method: "post",
    path: "/api/v1/configs",
    operationId: "createConfig",
    tag: "Configs",
    summary: "Create a config; where the policy asks for approval, file the change that does",
    action: "change.submit",
    body: ConfigBody,
    replies: { 201: Written, 202: Waiting },
    where: async ({ body }, principal) => ({
      scope: await scopeNamed(body.tenantId, principal, deps.findExternal),
      environment: environmentNamed(body.environment, deps.settings.environments),
    }),
    run: async ({ body, scope, environment, ...asker }) => {
      const target = { scope: scope!, environment: environment! }
      const key = keyNamed(body.key)
      const edit: EditInput = {
        key,
        ...valueNamed(body),
        schema: given(body.schema),
        description: body.description,
        owner: body.owner,
        locked: body.locked,
        mustBeNew: true,
      }
      const wanted = { edits: [edit], comment: body.comment }
      return await submit(deps, asker, target, wanted, editReply(deps, target, key, 201))
    },
  })

const at = (deps: ManageDeps) => (input: { params: { configId: string } }) => {
  const { scope, environment } = configNamed(input.params.configId, deps.settings.environments)
  return { scope, environment }
}

const putRoute = (deps: ManageDeps): Route =>
  route({
    method: "put",
    path: "/api/v1/configs/{configId}",
    operationId: "editConfig",
    tag: "Configs",
    summary: "Edit a config; what is left out stays, `null` takes schema, description or owner away",
    action: "change.submit",
    params: ConfigPath,
    body: ConfigPut,
    replies: { 200: Written, 202: Waiting, 412: Stale },
    where: at(deps),
    run: async ({ params, body, ifMatch, ...asker }) => {
      const address = configNamed(params.configId, deps.settings.environments)
      const { comment, value: _value, schema, ...rest } = body
      const edit: EditInput = {
        key: address.key,
        ...rest,
        ...valueNamed(body),
        ...("schema" in body ? { schema: schema as Json } : {}),
        ...expected(ifMatch),
      }
      const reply = editReply(deps, address, address.key, 200)
      return await submit(deps, asker, address, { edits: [edit], comment }, reply, mustExist(address))
    },
  })

const deleteRoute = (deps: ManageDeps): Route =>
  route({
    method: "delete",
    path: "/api/v1/configs/{configId}",
    operationId: "deleteConfig",
    tag: "Configs",
    summary: "Delete a config; what lies below in the platform or tier shows again",
    action: "change.submit",
    params: ConfigPath,
    replies: { 200: { description: "It is deleted", schema: ConfigDeleted }, 202: Waiting, 412: Stale },
    where: at(deps),
    run: async ({ params, ifMatch, ...asker }) => {
      const address = configNamed(params.configId, deps.settings.environments)
      const edit: EditInput = { key: address.key, delete: true, ...expected(ifMatch) }
      const reply = editReply(deps, address, address.key, 200)
      return await submit(deps, asker, address, { edits: [edit] }, reply, mustExist(address))
    },
  })

const getRoute = (deps: ManageDeps): Route =>
  route({
    method: "get",
    path: "/api/v1/configs/{configId}",
    operationId: "getConfig",
    tag: "Configs",
    summary: "The config as it is in the scope's stable release",
    action: "config.read",
    params: ConfigPath,
    replies: { 200: Written, 304: { description: "It is still the version that If-None-Match names" } },
    where: at(deps),
    run: async ({ params, ifNoneMatch }) => {
      const address = configNamed(params.configId, deps.settings.environments)
      const config = await readConfig(deps, address)
      const etag = etagOf(config.version)
      if (noneMatches(ifNoneMatch, etag)) return { status: 304, headers: { etag }, body: null }
      return json(200, config.shown, { etag })
    },
  })

const listRoute = (deps: ManageDeps): Route =>
  route({
    method: "get",
    path: "/api/v1/configs",
    operationId: "listConfigs",
    tag: "Configs",
    summary: "The configs of a scope in one environment, by key",
    action: "config.read",
    query: z.strictObject({
      tenantId: z.string(),
      environment: z.string(),
      prefix: z.string().max(200).optional(),
      ...Paging,
    }),
    replies: { 200: { description: "A page of configs", schema: page(ConfigShown) } },
    where: async ({ query }, principal) => ({
      scope: await scopeNamed(query.tenantId, principal, deps.findExternal),
      environment: environmentNamed(query.environment, deps.settings.environments),
    }),
    run: async ({ query, scope, environment }) => {
      const { prefix = "", limit, cursor } = query
      const target = { scope: scope!, environment: environment! }
      return json(200, await listConfigs(deps, target, { prefix: prefix as ConfigKey | "", limit, cursor }))
    },
  })

export const configRoutes = (deps: ManageDeps): Route[] => [
  createRoute(deps),
  listRoute(deps),
  getRoute(deps),
  putRoute(deps),
  deleteRoute(deps),
]
