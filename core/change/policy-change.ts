import type { Environment } from "../environment.ts"
import type { ScopeId } from "../ids.ts"
import type { Json } from "../json.ts"
import type { Change, ChangeContent, Edit } from "./change.ts"
import { POLICY_KEY, type PolicyDocument } from "./policy.ts"
import { parsePolicy } from "./policy-document.ts"
import type { LayerPolicy } from "./scope-state.ts"

/** The edit of the scope's own policy, which is alone in its change. */
const policyEditOf = (edits: readonly Edit[]): Edit | null =>
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
