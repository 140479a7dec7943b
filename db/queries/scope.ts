import { and, eq, sql } from "drizzle-orm"
import type { Change } from "../../core/change/change.ts"
import type { LayerPolicy, ScopeState } from "../../core/change/scope-state.ts"
import type { Environment } from "../../core/environment.ts"
import type { ChangeId, ConfigKey, ReleaseId, ScopeId, Tier } from "../../core/ids.ts"
import { murmur3 } from "../../core/release/bucket.ts"
import { readEntry } from "../../core/release/compile.ts"
import type { Database, Runner } from "../client.ts"
import { toInstant } from "../instant.ts"
import { heads } from "../schema/pointers.ts"
import { type TenantTx, withTenant } from "../tenant.ts"
import { textQuery } from "../text-query.ts"
import { type KeptReply, type StoredReply, storedReply } from "./replies.ts"
import { type DocumentRow, type PointerRow, pointerOf, sortOut } from "./rows.ts"

export { commitScope } from "./commit.ts"
export { findReply, type StoredReply } from "./replies.ts"

export interface LoadRequest {
  scope: ScopeId
  environment: Environment
  /** Keys whose chunks, last versions and metadata are wanted. */
  keys: readonly ConfigKey[]
  changeId?: ChangeId
  /** More changes that are wanted whatever their state. */
  changes?: readonly ChangeId[]
  /** Releases besides the stable one and the candidate. */
  releases?: readonly ReleaseId[]
  allChunks?: boolean
  idempotencyKey?: string
}

/** What a version says of its key besides the entry: `[version, description, owner]`. */
type VersionMetadata = readonly [number, string | null, string | null]

interface LoadedState {
  status: "active" | "suspended"
  tier: Tier | null
  rev: number
  pointer: PointerRow | null
  policies: readonly LayerPolicy[]
  elsewhere: ScopeState["elsewhere"]
  changes: (Omit<Change, "versions"> & { versions: Change["versions"] | null })[]
  /** The latest few of each asked key, newest first. */
  latest: Record<ConfigKey, VersionMetadata[]>
  /** The last version of each key of an open change. */
  editedVersions: Record<ConfigKey, number>
  replay: KeptReply | null
}

const load = textQuery<DocumentRow>(
  `select kind, id, body from hotswap.load_scope($1, $2, $3::text::jsonb, $4::text::jsonb, $5::text::jsonb, $6::text::boolean, $7)`,
  ["scope", "environment", "keys", "changes", "releases", "allChunks", "idempotencyKey"],
)

/**
 * Everything a decision on one scope × environment rests on, and the answer already given under the idempotency key,
 * in one round trip. `null`: there is no such tenant, or it was deleted.
 */
export const loadScope = async (
  runner: Runner,
  request: LoadRequest,
): Promise<{ state: ScopeState; replay: StoredReply | null } | null> => {
  const { scope, environment, keys, changeId, changes, releases, allChunks, idempotencyKey } = request
  const rows = await runner.run(load, {
    scope,
    environment,
    keys: JSON.stringify(Object.fromEntries(keys.map((key) => [key, murmur3(key)]))),
    changes: JSON.stringify([...(changeId ? [changeId] : []), ...(changes ?? [])]),
    releases: JSON.stringify(releases ?? []),
    allChunks: String(allChunks ?? false),
    idempotencyKey: idempotencyKey ?? null,
  })
  const { state: loaded, manifests, chunks } = sortOut<LoadedState>(rows)
  if (!loaded) return null
  const state: ScopeState = {
    scope,
    environment,
    status: loaded.status,
    tier: loaded.tier,
    rev: loaded.rev,
    pointer: pointerOf(loaded.pointer),
    policies: loaded.policies,
    elsewhere: loaded.elsewhere,
    manifests,
    chunks,
    lastVersions: lastVersionsOf(loaded),
    metadata: new Map(),
    changes: new Map(loaded.changes.map((change) => [change.content.changeId, changeOf(change)])),
  }
  const metadata = await stableMetadata(runner, state, loaded.latest)
  return {
    state: { ...state, metadata },
    replay: loaded.replay && storedReply({ ...loaded.replay, at: toInstant(loaded.replay.at) }),
  }
}

const mapOf = <Value>(record: Record<string, Value>) =>
  new Map(Object.entries(record) as [ConfigKey, Value][])

const lastVersionsOf = ({ latest, editedVersions }: LoadedState): ScopeState["lastVersions"] => {
  const versions = mapOf(editedVersions)
  for (const [key, [last]] of mapOf(latest)) versions.set(key, last![0])
  return versions
}

const changeOf = ({ versions, ...change }: LoadedState["changes"][number]): Change =>
  versions ? { ...change, versions } : change

const findMetadata = textQuery<{ description: string | null; owner: string | null }>(
  "select description, owner from hotswap.version_metadata($1, $2, $3, $4::text::int)",
  ["scope", "environment", "key", "version"],
)

/**
 * Which version is stable stands in the release's chunk, so the database sends the latest few of each key. Only when
 * many in a row never became stable is the right one missing, and asked for.
 */
const stableMetadata = async (
  runner: Runner,
  state: ScopeState,
  latest: LoadedState["latest"],
): Promise<ScopeState["metadata"]> => {
  const manifest = state.manifests.get(state.pointer.stable)!
  const metadata = new Map<ConfigKey, { description?: string; owner?: string }>()
  for (const [key, versions] of mapOf(latest)) {
    const stable = readEntry(manifest, state.chunks, key)?.version
    if (stable === undefined) continue
    const found = versions.find(([version]) => version === stable)
    const [description, owner] = found ? [found[1], found[2]] : await askMetadata(runner, state, key, stable)
    if (description !== null || owner !== null)
      metadata.set(key, { ...(description !== null && { description }), ...(owner !== null && { owner }) })
  }
  return metadata
}

const askMetadata = async (
  runner: Runner,
  { scope, environment }: ScopeState,
  key: ConfigKey,
  version: number,
): Promise<[string | null, string | null]> => {
  const [row] = await runner.run(findMetadata, {
    scope,
    environment,
    key,
    version: String(version),
  })
  return [row?.description ?? null, row?.owner ?? null]
}

/**
 * Runs `work` while nobody else can commit to the scope × environment: for the second try after a conflict. Hand
 * the transaction to `loadScope` and `commitScope`.
 */
export const withLockedScope = <T>(
  database: Database,
  scope: ScopeId,
  environment: Environment,
  work: (tx: TenantTx) => Promise<T>,
): Promise<T> =>
  withTenant(database, scope, async (tx) => {
    // There may be no row to lock yet: an environment that was added to the settings later.
    await tx.db.execute(
      sql`insert into ${heads} select ${scope}, ${environment}, 0 where exists (select from hotswap.tenants) on conflict do nothing`,
    )
    const own = and(eq(heads.tenantId, scope), eq(heads.environment, environment))
    await tx.db.select({ rev: heads.rev }).from(heads).where(own).for("update")
    return await work(tx)
  })
