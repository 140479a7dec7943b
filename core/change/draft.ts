import type { Environment } from "../environment.ts"
import { type ConfigKey, isTenant, type ReleaseId } from "../ids.ts"
import type { Json } from "../json.ts"
import { isEntitlement } from "../limits/entitlement.ts"
import { allEntries } from "../release/compile.ts"
import type { Entry } from "../release/release.ts"
import type { Change } from "./change.ts"
import { keysOf } from "./edits.ts"
import { isReserved, POLICY_KEY } from "./policy.ts"
import { isPolicyChange, type PolicyDraft, policyDraft } from "./policy-change.ts"
import type { Worksheet } from "./worksheet.ts"

/** The body of a `POST /api/v1/changes` that puts the keys of a change back to what they were before it. */
export interface Draft {
  tenantId: string
  environment: Environment
  edits: { key: ConfigKey; value?: Json; schema?: Json; locked?: boolean; delete?: true; restores?: number }[]
  comment: string
}

type Entries = ReadonlyMap<ConfigKey, Entry>

/**
 * The change that puts the keys of a live change back to what they were before it, for the user to submit.
 * Keys that are so already are left out.
 */
export const draftOf = (sheet: Worksheet, change: Change): Draft | PolicyDraft | null => {
  const { content, status } = change
  if (status.state !== "live") return null
  const keys = keysOf(content.edits)
  const entriesOf = (id: ReleaseId): Entries => {
    const release = sheet.release(id)
    sheet.needKeys(release, keys)
    return new Map(
      keys.flatMap((key) => {
        const entry = sheet.entry(release, key)
        return entry === null ? [] : [[key, entry]]
      }),
    )
  }
  const comment = `Puts back what ${content.changeId} changed`
  const before = entriesOf(status.previousStable)
  if (isPolicyChange(change)) return policyDraft(content, before.get(POLICY_KEY) ?? null, comment)
  return {
    tenantId: content.scope,
    environment: content.environment,
    comment,
    edits: editsBack(keys, entriesOf(sheet.pointer.stable), before),
  }
}

/** The change that makes everything what it was in a release, but for what stays: the policy, and what a tenant is granted. */
export const draftOfRelease = (sheet: Worksheet, id: ReleaseId): Draft => {
  const { scope, environment } = sheet.state
  const now = allOf(sheet, sheet.pointer.stable)
  const then = allOf(sheet, id)
  const keys = [...new Set([...now.keys(), ...then.keys()])]
    .filter((key) => !isReserved(key) && !(isTenant(scope) && isEntitlement(key)))
    .sort()
  return {
    tenantId: scope,
    environment,
    comment: `Returns to the release ${id}`,
    edits: editsBack(keys, now, then),
  }
}

const allOf = (sheet: Worksheet, id: ReleaseId): Entries => {
  const { manifest } = sheet.release(id)
  sheet.needChunks(manifest.chunks)
  return allEntries(manifest, sheet.chunks)
}

const editsBack = (keys: readonly ConfigKey[], now: Entries, then: Entries): Draft["edits"] =>
  keys.flatMap((key): Draft["edits"] => {
    const entry = then.get(key)
    if (entry === undefined) return now.has(key) ? [{ key, delete: true }] : []
    if (now.get(key)?.version === entry.version) return []
    const { value, version, schema = null as Json, locked = false } = entry
    return [{ key, value, schema, locked, restores: version }]
  })
