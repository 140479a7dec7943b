import { z } from "@hono/zod-openapi"
import type { Edit } from "../../core/change/change.ts"
import type { EditInput } from "../../core/change/command.ts"
import { Refusal } from "../../core/errors.ts"
import { byteLength, type JsonObject } from "../../core/json.ts"
import { diffValues } from "../../core/release/diff.ts"
import { findVersion, listVersions, type StoredVersion } from "../../db/queries/configs.ts"
import { decodeNumber, encodeCursor } from "../http/cursor.ts"
import { json, type Route, route } from "../http/route.ts"
import type { ManageDeps } from "./deps.ts"
import { type ConfigAddress, configNamed, configNotFound, ifMatchNamed } from "./parse.ts"
import {
  Comment,
  ConfigDeleted,
  ConfigPath,
  ConfigShown,
  Paging,
  page,
  Stale,
  VersionShown,
} from "./shapes.ts"
import { editReply, submit } from "./submit.ts"

const PAGE_BYTES_MAX = 4 * 1_024 * 1_024
/** The most that the database's integers count to. */
const VERSION_MAX = 2_147_483_647

const showVersion = ({
  version,
  author,
  at,
  changeId,
  checksum,
  reason,
  edit,
}: StoredVersion): JsonObject => ({
  version,
  deleted: edit.value === undefined,
  value: edit.value ?? null,
  schema: edit.schema ?? null,
  description: edit.description ?? null,
  owner: edit.owner ?? null,
  locked: edit.locked ?? false,
  restores: edit.restores ?? null,
  author,
  reason,
  at,
  changeId,
  checksum,
})

const at = (deps: ManageDeps) => (input: { params: { configId: string } }) => {
  const { scope, environment } = configNamed(input.params.configId, deps.settings.environments)
  return { scope, environment }
}

const versionOf = async (
  deps: ManageDeps,
  address: ConfigAddress,
  version: number,
): Promise<StoredVersion> => {
  const { scope, environment, key } = address
  const found = version > VERSION_MAX ? null : await findVersion(deps.db, scope, environment, key, version)
  if (!found) throw new Refusal("VERSION_NOT_FOUND", `"${address.configId}" has no version ${version}.`)
  return found
}

/** As many as an answer holds: versions of large values make pages that are short of their limit. */
const fitting = (versions: readonly JsonObject[]): readonly JsonObject[] => {
  let bytes = 0
  const beyond = versions.findIndex((version, index) => {
    bytes += byteLength(JSON.stringify(version))
    return index > 0 && bytes > PAGE_BYTES_MAX
  })
  return beyond === -1 ? versions : versions.slice(0, beyond)
}

const listRoute = (deps: ManageDeps): Route =>
  route({
    method: "get",
    path: "/api/v1/configs/{configId}/versions",
    operationId: "listVersions",
    tag: "Configs",
    summary: "Every value a config has had, newest first",
    action: "config.read",
    params: ConfigPath,
    query: z.strictObject(Paging),
    replies: {
      200: {
        description: "A page of versions; it may be short of the limit and still have a next",
        schema: page(VersionShown),
      },
    },
    where: at(deps),
    run: async ({ params, query: { limit, cursor } }) => {
      const address = configNamed(params.configId, deps.settings.environments)
      const before = cursor === undefined ? undefined : decodeNumber("versions", cursor, VERSION_MAX)
      const { scope, environment, key } = address
      const paging = { limit: limit + 1, ...(before === undefined ? {} : { before }) }
      const rows = await listVersions(deps.db, scope, environment, key, paging)
      if (rows.length === 0 && before === undefined) throw configNotFound(address.configId)
      const shown = fitting(rows.slice(0, limit).map(showVersion))
      const last = rows.length > shown.length ? rows[shown.length - 1] : undefined
      return json(200, {
        items: shown,
        nextCursor: last ? encodeCursor("versions", [last.version]) : null,
      })
    },
  })

const Version = z.coerce.number().int().min(1)

const diffRoute = (deps: ManageDeps): Route =>
  route({
    method: "get",
    path: "/api/v1/configs/{configId}/diff",
    operationId: "diffVersions",
    tag: "Configs",
    summary: "Where two versions of a config differ",
    action: "config.read",
    params: ConfigPath,
    query: z.strictObject({ from: Version, to: Version }),
    replies: { 200: { description: "Both versions, and where their values differ" } },
    where: at(deps),
    run: async ({ params, query }) => {
      const address = configNamed(params.configId, deps.settings.environments)
      const [from, to] = await Promise.all([
        versionOf(deps, address, query.from),
        versionOf(deps, address, query.to),
      ])
      const values = diffValues(from.edit.value ?? null, to.edit.value ?? null)
      return json(200, { configId: address.configId, from: showVersion(from), to: showVersion(to), values })
    },
  })

/** The key as that version had it, in full: what it did not have is taken away. */
const restoring = ({ key, value, schema, description, owner, locked }: Edit, version: number): EditInput =>
  value === undefined
    ? { key, delete: true, restores: version }
    : {
        key,
        value,
        schema: schema ?? null,
        description: description ?? null,
        owner: owner ?? null,
        locked: locked ?? false,
        restores: version,
      }

const rollbackRoute = (deps: ManageDeps): Route =>
  route({
    method: "post",
    path: "/api/v1/configs/{configId}/rollback",
    operationId: "rollBackConfig",
    tag: "Configs",
    summary: "Bring back an earlier version of a config, as a new version",
    action: "change.submit",
    params: ConfigPath,
    body: z.strictObject({ toVersion: z.int().min(1), comment: Comment.optional() }),
    replies: {
      200: {
        description: "The config as it is now: deleted, where that version was a delete",
        schema: z.union([ConfigShown, ConfigDeleted]),
      },
      202: { description: "The change that was filed: it waits for approval or rolls out" },
      412: Stale,
    },
    where: at(deps),
    run: async ({ params, body, ifMatch, ...asker }) => {
      const address = configNamed(params.configId, deps.settings.environments)
      const { edit } = await versionOf(deps, address, body.toVersion)
      const expected = ifMatchNamed(ifMatch)
      const input: EditInput = {
        ...restoring(edit, body.toVersion),
        ...(typeof expected === "number" ? { ifMatch: expected } : {}),
      }
      const wanted = { edits: [input], comment: body.comment }
      return await submit(deps, asker, address, wanted, editReply(deps, address, address.key, 200))
    },
  })

export const versionRoutes = (deps: ManageDeps): Route[] => [
  listRoute(deps),
  diffRoute(deps),
  rollbackRoute(deps),
]
