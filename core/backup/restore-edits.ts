import type { EditInput } from "../change/command.ts"
import { isReserved, POLICY_KEY } from "../change/policy.ts"
import { type PolicyDraft, policyDraft } from "../change/policy-change.ts"
import type { Environment } from "../environment.ts"
import { type ConfigKey, isTenant, type ScopeId } from "../ids.ts"
import { canonical, type Json } from "../json.ts"
import { isEntitlement } from "../limits/entitlement.ts"
import type { Entry } from "../release/release.ts"
import { isMarker } from "../secret/marker.ts"
import type { Secret } from "../secret/secret.ts"

/** A key as a release has it, with what its version says besides. */
export interface KeptKey {
  entry: Entry
  description?: string | undefined
  owner?: string | undefined
}

/** A key as it is to be again. */
export interface WantedKey extends KeptKey {
  /** The entry's version is one of the scope's own, here: the edit says that it restores it. */
  isOwn: boolean
  /** The entry is a marker whose value has to be sealed anew: there is none here that could stand for it. */
  sealed?: Secret | undefined
}

/** For whom, and who asks. */
export interface RestoreWish {
  scope: ScopeId
  environment: Environment
  /** Who asks is a platform admin, who says what a tenant is granted. */
  mayGrant: boolean
  comment: string
}

/** What has to change so that everything is as it was. */
export interface RestoreEdits {
  /** By key. Of one change. */
  edits: readonly EditInput[]
  /** What the platform grants the tenant, which is changed by itself. */
  grants: readonly EditInput[]
  /** Grants that differ and stay as they are: who asks may not change them. */
  left: readonly ConfigKey[]
  /** The policy stays in force whatever was. Where it was another: what to put in its place, by a `PUT …/policy`. */
  policy: PolicyDraft["policy"] | null
}

/**
 * Edits that make the `present` what is `wanted`: keys that are not wanted are deleted. Like a rollback it leaves the policy in
 * force, and what a tenant is granted unless a platform admin asks. What an edit may be is for the rules of a change to say.
 */
export const restoreEdits = (
  present: ReadonlyMap<ConfigKey, KeptKey>,
  wanted: ReadonlyMap<ConfigKey, WantedKey>,
  wish: RestoreWish,
): RestoreEdits => {
  const edits: EditInput[] = []
  const grants: EditInput[] = []
  const left: ConfigKey[] = []
  for (const key of [...new Set([...present.keys(), ...wanted.keys()])].sort()) {
    if (isReserved(key)) continue
    const edit = editOf(key, present.get(key), wanted.get(key))
    if (edit === null) continue
    if (!isTenant(wish.scope) || !isEntitlement(key)) edits.push(edit)
    else if (wish.mayGrant) grants.push(edit)
    else left.push(key)
  }
  return { edits, grants, left, policy: policyOf(present, wanted, wish) }
}

const editOf = (
  key: ConfigKey,
  present: KeptKey | undefined,
  wanted: WantedKey | undefined,
): EditInput | null => {
  if (wanted === undefined) return { key, delete: true }
  if (present !== undefined && isSame(present, wanted)) return null
  const { entry, description, owner, isOwn, sealed } = wanted
  return {
    key,
    value: sealed ?? entry.value,
    ...(sealed !== undefined ? { secret: true } : isUncovered(present, entry) ? { secret: false } : {}),
    schema: entry.schema ?? (null as Json),
    description: description ?? null,
    owner: owner ?? null,
    locked: entry.locked ?? false,
    ...(isOwn && sealed === undefined ? { restores: entry.version } : {}),
  }
}

/** What stands is secret, and what was is not: it has to be said, or it would be sealed. */
const isUncovered = (present: KeptKey | undefined, { value }: Entry): boolean =>
  isMarker(present?.entry.value) && !isMarker(value)

const textOf = ({ entry: { value, schema, locked }, description, owner }: KeptKey): string =>
  canonical({ value, schema, locked, description, owner } as unknown as Json)

const isSame = (present: KeptKey, wanted: WantedKey): boolean =>
  wanted.sealed === undefined && textOf(present) === textOf(wanted)

const policyOf = (
  present: ReadonlyMap<ConfigKey, KeptKey>,
  wanted: ReadonlyMap<ConfigKey, KeptKey>,
  { scope, environment, comment }: RestoreWish,
): PolicyDraft["policy"] | null => {
  const then = wanted.get(POLICY_KEY)
  const now = present.get(POLICY_KEY)
  if (policyText(then) === policyText(now)) return null
  return policyDraft({ scope, environment }, then?.entry ?? null, comment).policy
}

const policyText = (kept: KeptKey | undefined): string =>
  canonical([kept?.entry.value ?? null, kept?.entry.locked ?? false])
