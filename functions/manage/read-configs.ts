import { configDocument } from "../../core/config/config.ts"
import type { ConfigKey } from "../../core/ids.ts"
import type { JsonObject } from "../../core/json.ts"
import type { Entry } from "../../core/release/release.ts"
import type { StoredVersion } from "../../db/queries/configs.ts"
import { findVersions } from "../../db/queries/versions.ts"
import { decodeCursor, encodeCursor } from "../http/cursor.ts"
import { allStable, stateWith } from "../platform/promotion.ts"
import type { ManageDeps } from "./deps.ts"
import { type ConfigAddress, configNotFound } from "./parse.ts"
import { stableEntries, type Target } from "./show.ts"

type Db = Pick<ManageDeps, "db">

/** What is stable, with what its version says of it. */
const shown = (
  target: Target,
  key: ConfigKey,
  entry: Entry,
  version: StoredVersion | undefined,
): JsonObject => ({
  ...(configDocument({ ...target, key }, entry, version?.edit) as unknown as JsonObject),
  updatedAt: version?.at ?? null,
  updatedBy: version?.author ?? null,
  changeId: version?.changeId ?? null,
})

const versionsOf = async ({ db }: Db, target: Target, entries: ReadonlyMap<ConfigKey, Entry>) => {
  const wanted = [...entries].map(([key, { version }]) => ({ key, version }))
  const versions = await findVersions(db, target.scope, target.environment, wanted)
  return new Map(versions.map((version) => [version.key, version]))
}

/** One config as it is stable. Throws CONFIG_NOT_FOUND. */
export const readConfig = async (
  deps: Db,
  address: ConfigAddress,
): Promise<{ version: number; shown: JsonObject }> => {
  const { scope, environment, key } = address
  const entries = stableEntries(await stateWith(deps, { scope, environment }, [key]), [key])
  const entry = entries.get(key)
  if (!entry) throw configNotFound(address.configId)
  const versions = await versionsOf(deps, address, entries)
  return { version: entry.version, shown: shown({ scope, environment }, key, entry, versions.get(key)) }
}

/** A page of what is stable, by key. */
export const listConfigs = async (
  deps: Db,
  target: Target,
  { prefix, limit, cursor }: { prefix: string; limit: number; cursor: string | undefined },
) => {
  const after = cursor === undefined ? "" : String(decodeCursor("configs", cursor, 1)[0])
  const all = allStable(await stateWith(deps, target, "all"))
  const fitting = [...all].filter(([key]) => key.startsWith(prefix) && key > after)
  fitting.sort(([left], [right]) => (left < right ? -1 : 1))
  const entries = new Map(fitting.slice(0, limit))
  const versions = await versionsOf(deps, target, entries)
  const last = fitting.length > limit ? [...entries.keys()].at(-1) : undefined
  return {
    items: [...entries].map(([key, entry]) => shown(target, key, entry, versions.get(key))),
    nextCursor: last ? encodeCursor("configs", [last]) : null,
  }
}
