import type { Instant } from "../change/change.ts"
import type { TenantId } from "../ids.ts"
import type { Json, JsonObject } from "../json.ts"
import { DEPLOYMENTS } from "../secret/place.ts"
import { CHANGE_IDS, replacedAt, TOKEN_IDS } from "./named-ids.ts"
import { type ArchiveRow, type TableName, timeOf } from "./rows.ts"
import { exact, type Selection } from "./selection.ts"

/**
 * What is different in a tenant that was made from an archive under another id: by table and place, and why. All else is
 * equal. `docs/clone.md` shows this very list, and the proof of the round trip leaves out these places and no others.
 */
export const DIFFERENT: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  "*": { tenant_id: "whose it is" },
  tenants: {
    name: "what was asked for, where something was",
    deployments: "none: backends and what they are entered with are the other tenant's",
    version: "it is a new tenant: 1",
    created_at: "when it was made",
    updated_at: "when it was made",
  },
  changes: {
    change_id: "ids say whose they are",
    "content.changeId": "ids say whose they are",
    "content.scope": "whose it is",
    "content.replaces": "ids say whose they are",
    "content.author.tokenId": "ids say whose they are; there is no such token here",
    "approvals.*.actor.tokenId": "ids say whose they are; there is no such token here",
    "status.previousChangeId": "ids say whose they are",
    "status.movedBy": "ids say whose they are",
    "status.waitingFor": "ids say whose they are",
    "status.brokenGlassBy.tokenId": "ids say whose they are; there is no such token here",
  },
  config_versions: { change_id: "ids say whose they are" },
  pointers: {
    stable_change_id: "ids say whose they are",
    candidate_change_id: "ids say whose they are",
    change_id: "ids say whose they are",
  },
  secret_values: {
    generation: "sealed by a key of the new tenant's, its first",
    sealed: "sealed by a key of the new tenant's, its first",
  },
}

/** How a tenant is made over. */
export interface MakingOver {
  source: string
  target: TenantId
  name: string | undefined
  /** Of a trial: it is nobody's from the start. */
  isHidden: boolean
  selection: Selection
  /** When it is made. */
  now: Instant
}

/** A row as it is under the other id; `null`: it is left out. Sealed values are for whoever has the keys. */
export const madeOver = (row: ArchiveRow, making: MakingOver): JsonObject | null => {
  const values = TABLES[row.table]?.(row.values, making)
  return values ? renamed(row.table, { ...values, tenant_id: making.target }, making) : null
}

type MakeOver = (values: JsonObject, making: MakingOver) => JsonObject | null

const TABLES: Partial<Record<TableName, MakeOver>> = {
  tenants: (values, { name, now, selection, isHidden }) => ({
    ...values,
    ...(isHidden ? { status: "deleted" } : {}),
    name: name ?? values.name!,
    tier: tierOf(selection) ?? values.tier!,
    deployments: {},
    version: 1,
    created_at: now,
    updated_at: now,
  }),
  heads: (values, { selection }) => ({
    ...values,
    policy: selection.policyOf(values.environment as string) as unknown as Json,
  }),
  chunks: (values, { selection }) => (selection.hasChunk(values.chunk_id as string) ? values : null),
  releases: (values, { selection }) => (selection.hasRelease(values.release_id as string) ? values : null),
  changes: (values, { selection }) => {
    if (!selection.hasChange(values.change_id as string)) return null
    const comments = (values.comments as JsonObject[]).filter(({ at }) =>
      selection.isThen(exact(at as Instant)),
    )
    const status = selection.liveAgain(values.change_id as string) as unknown as JsonObject | null
    if (!status) return { ...values, comments }
    const owed = values.status as JsonObject
    const kept = ["brokenGlassBy", "review", "gate"].flatMap((name) =>
      owed[name] === undefined ? [] : [[name, owed[name]]],
    )
    return { ...values, comments, state: "live", status: { ...status, ...Object.fromEntries(kept) } }
  },
  config_versions: (values, { selection }) =>
    selection.isThen(timeOf(values.at)) && selection.hasChange(values.change_id as string) ? values : null,
  pointers: (values, { selection }) => {
    if (!selection.isThen(timeOf(values.at))) return null
    const isGone = (id: Json | undefined) => typeof id === "string" && !selection.hasChange(id)
    const without = isGone(values.candidate_change_id) ? NO_CANDIDATE : {}
    return { ...values, ...without, ...(isGone(values.change_id) ? { change_id: null } : {}) }
  },
  secret_values: (values, { selection }) =>
    values.environment !== DEPLOYMENTS && selection.isThen(timeOf(values.at)) ? values : null,
  audit_retention: (values) => values,
}

const NO_CANDIDATE = {
  candidate_release: null,
  candidate_change_id: null,
  candidate_step: null,
  candidate_weight_bp: null,
  candidate_audience: null,
}

/** What the tenant had bought then: each of its pointers' rows says so. */
const tierOf = (selection: Selection): string | null => {
  const last = [...selection.last().values()].sort((one, other) => (one.at < other.at ? -1 : 1)).at(-1)
  return last?.tier ?? null
}

const renamed = (table: string, values: JsonObject, { source, target }: MakingOver): JsonObject => {
  const over = (id: string): string =>
    id.startsWith(`${source}:`) ? `${target}${id.slice(source.length)}` : id
  const places = [...(CHANGE_IDS[table] ?? []), ...(TOKEN_IDS[table] ?? [])]
  let made = values
  for (const place of places) made = replacedAt(made, place.split("."), over) as JsonObject
  return table === "changes" ? (replacedAt(made, ["content", "scope"], () => target) as JsonObject) : made
}
