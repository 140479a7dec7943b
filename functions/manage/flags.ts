import { z } from "@hono/zod-openapi"
import type { EditInput } from "../../core/change/command.ts"
import type { ScopeState } from "../../core/change/scope-state.ts"
import { Refusal } from "../../core/errors.ts"
import { PREREQUISITES_MAX, parseFlag, VARIANTS_MAX } from "../../core/flag/flag-document.ts"
import { isFlag } from "../../core/flag/is-flag.ts"
import { type ConfigKey, layerOf } from "../../core/ids.ts"
import type { Json, JsonObject } from "../../core/json.ts"
import { json, type Route, route } from "../http/route.ts"
import { checked } from "../http/validate.ts"
import type { Decided, StampedReply } from "../platform/mutate.ts"
import { ChangeShown } from "./change-shapes.ts"
import type { ManageDeps } from "./deps.ts"
import { evaluateFlagRoute, explainFlagRoute } from "./flag-evaluate.ts"
import {
  FLAGS_PATH,
  FlagPath,
  FlagShown,
  flagDocument,
  flagNotFound,
  flagsAt,
  listFlags,
  OfEnvironment,
  readFlag,
  SHOWN_BESIDE,
} from "./flag-parts.ts"
import { ifMatchNamed, keyNamed, noneMatches } from "./parse.ts"
import { AnyJson, Comment, Paging, page, Stale, TenantPath, text } from "./shapes.ts"
import { etagOf, showAffected, stableEntries, type Target } from "./show.ts"
import { accepted, submit } from "./submit.ts"

const PATH = `${FLAGS_PATH}/{key}`
const Query = z.strictObject(OfEnvironment)
const Shown = { description: "The flag as it is now", schema: FlagShown }
const Waiting = {
  description: "The change that was filed: it waits for approval or rolls out",
  schema: ChangeShown,
}

const BESIDE = {
  locked: z.boolean().optional(),
  description: text(2_000).nullable().optional(),
  owner: text(200).nullable().optional(),
  comment: Comment.optional(),
}
const Beside = z.object(BESIDE)
/** What the definition may be is judged with it, whole: here it is only told. */
const FlagBody = z.record(z.string(), AnyJson).openapi("FlagDefinition", {
  type: "object",
  description:
    "A definition in flagd's format or in the short one; beside it `locked`, `description`, `owner`, `comment`. What a flag is shown with besides may stand there too, and says nothing.",
  properties: {
    enabled: { type: "boolean" },
    percentage: { type: "number", minimum: 0, maximum: 100 },
    state: { type: "string", enum: ["ENABLED", "DISABLED"] },
    variants: { type: "object", additionalProperties: true },
    defaultVariant: { type: ["string", "null"] },
    targeting: { description: "JSON Logic" },
    $evaluators: { type: "object", additionalProperties: true },
    metadata: { type: "object", additionalProperties: true },
    prerequisites: {
      type: "array",
      maxItems: PREREQUISITES_MAX,
      items: {
        type: "object",
        properties: {
          flag: { type: "string" },
          variants: { type: "array", maxItems: VARIANTS_MAX, items: { type: "string" } },
        },
        required: ["flag", "variants"],
      },
    },
    locked: {
      type: "boolean",
      description: "On the platform or a tier: nearer layers are not read, the kill switch",
    },
    description: { type: ["string", "null"] },
    owner: { type: ["string", "null"] },
    comment: { type: "string" },
  },
})

const NOT_DEFINITION: readonly string[] = [...Object.keys(BESIDE), ...SHOWN_BESIDE]

const editNamed = (
  key: ConfigKey,
  body: Readonly<Record<string, unknown>>,
): { edit: EditInput; comment: string | undefined } => {
  const { comment, ...beside } = checked(Beside, body, "body")
  const members = Object.entries(body).filter(([name]) => !NOT_DEFINITION.includes(name))
  const value = parseFlag(key, Object.fromEntries(members) as JsonObject) as unknown as Json
  return { edit: { key, value, secret: false, ...beside }, comment }
}

const own = (state: ScopeState, key: ConfigKey) => stableEntries(state, [key]).get(key)

/** What `If-Match` asks of the scope's own flag. */
const expected = (header: string | undefined): Pick<EditInput, "ifMatch"> => {
  const version = ifMatchNamed(header)
  return typeof version === "number" ? { ifMatch: version } : {}
}

/** Throws CONFIG_EXISTS where the key is something else, and VERSION_STALE where it has to be there. */
const checkWritable =
  (target: Target, key: ConfigKey, ifMatch: string | undefined) =>
  (state: ScopeState): void => {
    const entry = own(state, key)
    if (entry && !isFlag(entry.value))
      throw new Refusal("CONFIG_EXISTS", `"${key}" of ${target.scope} is a config that is no flag.`)
    if (!entry && ifMatchNamed(ifMatch) === "any")
      throw new Refusal("VERSION_STALE", `${target.scope} has no flag "${key}" of its own there.`)
  }

const writtenReply =
  (deps: ManageDeps, target: Target, key: ConfigKey) =>
  (decided: Decided): StampedReply => {
    const row = decided.commit.versions.find((version) => version.key === key)
    if (decided.change?.status.state !== "live" || !row) return accepted(deps, decided)
    const { changeId } = decided.change.content
    const { value = null, locked = false } = row.edit
    const entry = { value, version: row.version, locked, layer: layerOf(target.scope) }
    return {
      status: own(decided.state, key) ? 200 : 201,
      headers: { etag: etagOf(row.version) },
      body: {
        ...flagDocument(target, key, entry, target.scope, { ...row.edit, updatedBy: row.author, changeId }),
        affected: showAffected(decided.result),
      },
      stamps: ["updatedAt"],
    }
  }

const putRoute = (deps: ManageDeps): Route =>
  route({
    method: "put",
    path: PATH,
    operationId: "setFlag",
    tag: "Flags",
    summary: "Make or replace a flag; where the policy asks for approval, file the change that does",
    action: "change.submit",
    params: FlagPath,
    query: Query,
    body: FlagBody,
    replies: {
      200: Shown,
      201: { ...Shown, description: "The flag that was made" },
      202: Waiting,
      412: Stale,
    },
    where: flagsAt(deps),
    run: async ({ params, body, ifMatch, scope, environment, ...asker }) => {
      const target = { scope: scope!, environment: environment! }
      const key = keyNamed(params.key)
      const { edit, comment } = editNamed(key, body)
      const wanted = { edits: [{ ...edit, ...expected(ifMatch) }], comment }
      const check = checkWritable(target, key, ifMatch)
      return await submit(deps, asker, target, wanted, writtenReply(deps, target, key), check)
    },
  })

const deletedReply =
  (deps: ManageDeps, target: Target, key: ConfigKey) =>
  (decided: Decided): StampedReply => {
    const row = decided.commit.versions.find((version) => version.key === key)
    if (decided.change?.status.state !== "live" || !row) return accepted(deps, decided)
    const { changeId } = decided.change.content
    return {
      status: 200,
      headers: {},
      body: {
        key,
        tenantId: target.scope,
        environment: target.environment,
        version: row.version,
        deleted: true,
        changeId,
      },
      stamps: ["updatedAt"],
    }
  }

const deleteRoute = (deps: ManageDeps): Route =>
  route({
    method: "delete",
    path: PATH,
    operationId: "deleteFlag",
    tag: "Flags",
    summary: "Delete a flag of this scope; what lies below in the tier or platform shows again",
    action: "change.submit",
    params: FlagPath,
    query: Query,
    replies: { 200: { description: "It is deleted" }, 202: Waiting, 412: Stale },
    where: flagsAt(deps),
    run: async ({ params, ifMatch, scope, environment, ...asker }) => {
      const target = { scope: scope!, environment: environment! }
      const key = keyNamed(params.key)
      const edit: EditInput = { key, delete: true, ...expected(ifMatch) }
      const reply = deletedReply(deps, target, key)
      return await submit(deps, asker, target, { edits: [edit] }, reply, (state) => {
        if (!isFlag(own(state, key)?.value)) throw flagNotFound(key, target)
      })
    },
  })

const getRoute = (deps: ManageDeps): Route =>
  route({
    method: "get",
    path: PATH,
    operationId: "getFlag",
    tag: "Flags",
    summary: "A flag as readers of the scope get it, from whichever layer",
    action: "config.read",
    params: FlagPath,
    query: Query,
    replies: {
      200: { ...Shown, description: "The flag; with an ETag where it is the scope's own" },
      304: { description: "It is still the version that If-None-Match names" },
    },
    where: flagsAt(deps),
    run: async ({ params, ifNoneMatch, scope, environment }) => {
      const target = { scope: scope!, environment: environment! }
      const { shown, version, isOwn } = await readFlag(deps, target, keyNamed(params.key))
      // Another layer's version is none that an edit here could be held to.
      if (!isOwn) return json(200, shown)
      const etag = etagOf(version)
      if (noneMatches(ifNoneMatch, etag)) return { status: 304, headers: { etag }, body: null }
      return json(200, shown, { etag })
    },
  })

const listRoute = (deps: ManageDeps): Route =>
  route({
    method: "get",
    path: FLAGS_PATH,
    operationId: "listFlags",
    tag: "Flags",
    summary: "The flags that readers of the scope get, by key: its own, and those it inherits",
    action: "config.read",
    params: TenantPath,
    query: z.strictObject({ ...OfEnvironment, ...Paging }),
    replies: { 200: { description: "A page of flags", schema: page(FlagShown) } },
    where: flagsAt(deps),
    run: async ({ query: { limit, cursor }, scope, environment }) =>
      json(200, await listFlags(deps, { scope: scope!, environment: environment! }, { limit, cursor })),
  })

export const flagRoutes = (deps: ManageDeps): Route[] => [
  listRoute(deps),
  getRoute(deps),
  putRoute(deps),
  deleteRoute(deps),
  evaluateFlagRoute(deps),
  explainFlagRoute(deps),
]
