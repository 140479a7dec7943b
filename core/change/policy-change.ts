import type { Environment } from "../environment.ts"
import { Refusal } from "../errors.ts"
import type { ScopeId } from "../ids.ts"
import type { Json } from "../json.ts"
import type { Entry } from "../release/release.ts"
import type { Change, ChangeContent, Edit } from "./change.ts"
import type { EditInput } from "./command.ts"
import { POLICY_KEY, type PolicyDocument } from "./policy.ts"
import { parsePolicy } from "./policy-document.ts"
import type { LayerPolicy } from "./scope-state.ts"

/** The edit of the scope's own policy, which is alone in its change. */
export const policyEditOf = (edits: readonly Edit[]): Edit | null =>
  edits.find(({ key }) => key === POLICY_KEY) ?? null

export const isPolicyChange = ({ content }: Change): boolean => policyEditOf(content.edits) !== null

/** Throws Refusal `POLICY_INVALID`. */
export const checkPolicyEdit = ({
  edits,
  scope,
  environment,
}: Pick<ChangeContent, "edits" | "scope" | "environment">): void => {
  const value = policyEditOf(edits)?.value
  if (value !== undefined) parsePolicy(value, { scope, environment })
}

/** The scope's own policy once the change is live; `null`: none. */
export const policyMadeBy = ({ content, versions }: Change): Omit<LayerPolicy, "scope"> | null => {
  const edit = policyEditOf(content.edits)
  if (edit?.value === undefined) return null
  return {
    version: versions![POLICY_KEY]!,
    locked: edit.locked ?? false,
    document: documentOf(edit.value),
  }
}

/** An edit of a part of a policy as one of all of it. Throws Refusal `CHANGE_EMPTY`. */
export const wholePolicyEdit = ({ part, ...input }: EditInput, entry: Entry | null): EditInput => {
  if (part === undefined) return input
  const standing = documentOf(entry?.value ?? {})
  const said = documentOf((input.value as Json | undefined) ?? {})
  const { rules: rulesSaid, ...members } = part === "rules" ? { ...standing, ...said } : said
  const rules = rulesSaid ?? standing.rules ?? []
  const { delete: isDeleted = part === "rules" && Object.keys(members).length === 0, ...edit } = input
  if (isDeleted && rules.length === 0) {
    if (part === "rules" && entry === null) throw new Refusal("CHANGE_EMPTY", "It has no rules of its own.")
    const { value: _, ...gone } = edit
    return { ...gone, delete: true }
  }
  const value = rules.length === 0 ? members : { ...members, rules }
  return {
    ...edit,
    value: value as unknown as Json,
    locked: isDeleted && part === "members" ? false : edit.locked,
  }
}

/** What to put in the place of a policy: it goes by a `PUT …/policy`, not by a change of configs. */
export interface PolicyDraft {
  tenantId: ScopeId
  environment: Environment
  policy: PolicyDocument & { locked?: true; comment: string }
}

/** A draft that says what an edit of the policy, or an entry of it, does; `null`: nothing. */
export const policyDraft = (
  { scope, environment }: Pick<ChangeContent, "scope" | "environment">,
  said: { value?: Json; locked?: true } | null,
  comment: string,
): PolicyDraft => ({
  tenantId: scope,
  environment,
  policy: { ...documentOf(said?.value ?? {}), ...(said?.locked ? { locked: true } : {}), comment },
})

// It was parsed when it was submitted, and again when it started.
const documentOf = (value: Json): PolicyDocument => value as unknown as PolicyDocument
