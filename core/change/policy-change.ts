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

// It was parsed when it was submitted, and again when it started.
const documentOf = (value: Json): PolicyDocument => value as unknown as PolicyDocument
