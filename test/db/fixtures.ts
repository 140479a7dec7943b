import { randomUUID } from "node:crypto"
import type { AuditBody } from "../../core/audit/entry.ts"
import type { Change } from "../../core/change/change.ts"
import type { Commit, ScopeState } from "../../core/change/scope-state.ts"
import type { Environment } from "../../core/environment.ts"
import { sha256Hex } from "../../core/hash.ts"
import { type ChangeId, type ConfigKey, changeIdOf, type ScopeId, type TenantId } from "../../core/ids.ts"
import type { Json } from "../../core/json.ts"
import { compile, readEntry } from "../../core/release/compile.ts"
import type { Database } from "../../db/client.ts"
import { createTenant } from "../../db/queries/tenants.ts"

export const ENVIRONMENTS = ["Development", "Production"] as unknown as readonly Environment[]
export const [DEVELOPMENT, PRODUCTION] = ENVIRONMENTS as [Environment, Environment]
export const key = (text: string) => text as ConfigKey
export const tenantId = (text: string) => text as TenantId

export const auditOf = (action: string, target: string): AuditBody => ({
  action,
  actor: { subject: "tester", tokenId: "startup" },
  target,
})

export const makeTenant = async (
  database: Database,
  id: string,
  tier: "Free" | "Pro" | "Enterprise" = "Pro",
) => {
  const made = await createTenant(
    database,
    { tenantId: tenantId(id), name: id, tier },
    ENVIRONMENTS,
    auditOf("tenant.create", id),
  )
  if (made.kind !== "created") throw new Error(`tenant ${id}: ${made.kind}`)
  return made.tenant
}

/** What the rules make of a direct edit of one key: a release, a version, a live change and an audit entry. */
export const directCommit = (
  state: ScopeState,
  name: string,
  value: Json,
  changeId = newChangeId(state.scope),
): Commit => {
  const manifest = state.manifests.get(state.pointer.stable)!
  const version = (state.lastVersions.get(key(name)) ?? 0) + 1
  const edits = [{ key: key(name), entry: { value, version } }]
  const compiled = compile({ id: state.pointer.stable, manifest }, state.chunks, edits)
  if (compiled.kind !== "compiled") throw new Error("the fixture stays small")
  const base = readEntry(manifest, state.chunks, key(name))?.version ?? 0
  return {
    scope: state.scope,
    environment: state.environment,
    expectedRev: state.rev,
    pointer: {
      stable: compiled.release.id,
      stableChangeId: changeId,
      candidate: null,
      tier: state.tier,
      changeId,
      cause: "live",
    },
    inherited: inheritedOf(state),
    notices: [],
    releases: [compiled.release],
    chunks: compiled.chunks,
    versions: [versionRow(name, version, changeId, value)],
    changes: [{ change: liveChange(state, changeId, name, value, base, version), isNew: true, dueAt: null }],
    audit: [{ ...auditOf("config.edit", changeId), changeId, detail: { key: name } }],
  }
}

/** The versions of the policies above the scope, as a decision on this state names them. */
const inheritedOf = ({ scope, policies }: ScopeState): Commit["inherited"] =>
  Object.fromEntries(
    policies.filter((policy) => policy.scope !== scope).map((policy) => [policy.scope, policy.version]),
  )

export const newChangeId = (scope: ScopeId): ChangeId => changeIdOf(scope, randomUUID())

const versionRow = (name: string, version: number, changeId: ChangeId, value: Json) => ({
  key: key(name),
  version,
  changeId,
  author: "tester",
  reason: null,
  edit: { key: key(name), value },
  checksum: sha256Hex(JSON.stringify(value)),
})

export const liveChange = (
  state: ScopeState,
  changeId: ChangeId,
  name: string,
  value: Json,
  base: number,
  version: number,
): Change => ({
  content: {
    changeId,
    scope: state.scope,
    environment: state.environment,
    author: { subject: "tester", tokenId: "startup", ancestors: [] },
    createdAt: "2026-11-21T08:00:00.000Z",
    edits: [{ key: key(name), value }],
    base: { [key(name)]: base } as Record<ConfigKey, number>,
    strategy: { type: "direct" },
    plan: [],
    stages: [],
    expiresAt: "2026-11-28T08:00:00.000Z",
    contentHash: "0".repeat(64),
  },
  status: {
    state: "live",
    at: "2026-11-21T08:00:00.000Z",
    previousStable: state.pointer.stable,
    previousChangeId: state.pointer.stableChangeId,
  },
  approvals: [],
  comments: [],
  versions: { [key(name)]: version } as Record<ConfigKey, number>,
})
