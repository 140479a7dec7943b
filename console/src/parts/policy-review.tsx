import { pathPart } from "../client.ts"
import { useConsole } from "../console.tsx"
import { hrefOf } from "../place.ts"
import { ProblemError } from "../problem.ts"
import type { Change, Json, Policy, Problem, ValueDifference } from "../shapes.ts"
import { STATE_WORDS } from "../words.ts"
import { Confirm } from "./dialog.tsx"
import { Differences } from "./diff.tsx"
import { Owed } from "./review.tsx"

/** Where two documents differ, member by member. */
const differencesOf = (
  before: Readonly<Record<string, Json>>,
  after: Readonly<Record<string, Json>>,
): ValueDifference[] =>
  [...new Set([...Object.keys(before), ...Object.keys(after)])].flatMap((path): ValueDifference[] => {
    const [was, is] = [before[path], after[path]]
    if (was === undefined) return [{ path, kind: "added", after: is! }]
    if (is === undefined) return [{ path, kind: "removed", before: was }]
    return JSON.stringify(was) === JSON.stringify(is)
      ? []
      : [{ path, kind: "changed", before: was, after: is }]
  })

export interface Written {
  /** Of the API, after the environment: `policy` or `rules`. */
  part: "policy" | "rules"
  /** `null`: nothing is said any more. */
  body: Record<string, Json> | null
  before: Record<string, Json>
  after: Record<string, Json>
  /** The one that was read. */
  version: number
}

/** What is wrong in a document, rather than with asking at all. */
const IN_DOCUMENT = ["POLICY_INVALID", "RULE_INVALID", "RULE_BROKEN"]

/** A policy or rules, before they are submitted: what of them changes, and whose approval that owes under the policy in force. */
export const PolicyReview = ({
  written,
  policy,
  onWrong,
  onClose,
  onReload,
  onDone,
}: {
  written: Written
  policy: Pick<Policy, "stages">
  onWrong: (problem: Problem) => void
  onClose: () => void
  onReload: () => void
  onDone: () => void
}) => {
  const { client, tenant, environment, say } = useConsole()
  const { part, body, before, after, version } = written
  const differences = differencesOf(before, after)
  const name = part === "policy" ? "The policy" : "The rules"
  const path = `/api/v1/tenants/${pathPart(tenant)}/environments/${pathPart(environment)}/${part}`
  const stages = policy.stages.map(({ role, required }) => ({
    role,
    required,
    // The platform and the tiers have no roles of their own.
    mayApprove: tenant.startsWith("~") ? ["platform_admin"] : [role],
  }))
  const submit = async (comment: string): Promise<void> => {
    const said = comment === "" ? {} : { comment }
    const made = body
      ? await client.send<Partial<Change>>("PUT", path, { ...body, ...said }, `"${version}"`)
      : await client.send<Partial<Change>>("DELETE", path, {}, `"${version}"`)
    onDone()
    // What is in force at once is told as it is in force; what waits, as the change that it is.
    if (made.state === undefined) return say(`${name} of ${environment}: in force now.`)
    location.hash = hrefOf({ page: "changes", id: made.changeId!, tenant, environment })
    say(`${name} of ${environment}: ${STATE_WORDS[made.state].toLowerCase()}.`)
  }
  return (
    <Confirm
      title={`${name} of ${environment}`}
      verb={`Submit to ${environment}`}
      environment={environment}
      puts
      {...(body ? { commentLabel: "Why" } : {})}
      onClose={onClose}
      onReload={onReload}
      run={({ comment }) =>
        submit(comment).catch((error: unknown) => {
          if (!(error instanceof ProblemError) || !IN_DOCUMENT.includes(error.problem.code)) throw error
          onWrong(error.problem)
        })
      }
    >
      <h3>What changes</h3>
      {differences.length === 0 ? <p>Nothing.</p> : <Differences values={differences} />}
      <h3>Who has to agree</h3>
      <Owed stages={stages} />
    </Confirm>
  )
}
