import { useConsole } from "../console.tsx"
import type { Stage } from "../shapes.ts"
import { roleOf } from "../words.ts"
import { Time } from "./time.tsx"

/** How many approvals there are, of how many. */
export const approvedOf = (stages: readonly Stage[]): { given: number; owed: number } => ({
  given: stages.reduce((sum, { approvals }) => sum + approvals.length, 0),
  owed: stages.reduce((sum, { required }) => sum + required, 0),
})

/** Who agreed, who is asked next, and who after that. */
export const Stages = ({ stages, isOpen }: { stages: readonly Stage[]; isOpen: boolean }) => {
  const { who } = useConsole()
  const due = isOpen ? stages.find(({ required, approvals }) => approvals.length < required) : undefined
  if (stages.length === 0) return <p class="quiet">Nobody had to agree.</p>
  return (
    <ol class="stages">
      {stages.map((stage) => {
        const isDone = stage.approvals.length >= stage.required
        return (
          <li key={stage.role} class={isDone ? "done" : stage === due ? "due" : "later"}>
            <p class="stage-name">
              <strong>{roleOf(stage.role)}</strong>{" "}
              <span class="stage-standing">
                {stage.approvals.length} of {stage.required}
                {isDone
                  ? ", given"
                  : stage === due
                    ? ", asked now"
                    : isOpen
                      ? ", asked later"
                      : ", not given"}
              </span>
            </p>
            {stage.approvals.map(({ subject, at, comment }) => (
              <p key={`${subject} ${at}`} class="approval">
                <span class="person">{subject}</span>
                {subject === who.subject && " (you)"} agreed <Time at={at} />
                {comment && <q>{comment}</q>}
              </p>
            ))}
          </li>
        )
      })}
    </ol>
  )
}
