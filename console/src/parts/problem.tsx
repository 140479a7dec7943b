import { helpFor, isOvertaken } from "../problem.ts"
import type { Problem } from "../shapes.ts"

/** Text with what stands between backticks as code. */
const withCode = (text: string) =>
  text.split("`").map((part, index) => (index % 2 === 1 ? <code key={index}>{part}</code> : part))

/** What went wrong, in the service's words, and what to do. Read out at once. */
export const ProblemShown = ({
  problem,
  onReload,
  isNews = true,
}: {
  problem: Problem
  onReload?: (() => void) | undefined
  /** It has just come up, rather than long ago. */
  isNews?: boolean
}) => {
  const overtaken = isOvertaken(problem)
  // Of one place it is said already.
  const errors = (problem.errors ?? []).filter(({ message }) => message !== problem.detail)
  return (
    <div class="problem" role={isNews ? "alert" : undefined}>
      <p class="problem-title">
        {overtaken ? "Somebody changed it meanwhile" : problem.title}
        <code>{problem.code}</code>
      </p>
      <p>{problem.detail}</p>
      {errors.length > 0 && (
        <ul>
          {errors.map(({ path, message }) => (
            <li key={`${path} ${message}`}>
              {path !== "" && <code>{path}</code>} {message}
            </li>
          ))}
        </ul>
      )}
      <p class="problem-help">
        {overtaken && onReload
          ? "What you see is not what is there any more. Look again before you decide."
          : withCode(helpFor(problem))}
      </p>
      {problem.instance && <p class="quiet">Request {problem.instance}</p>}
      {onReload && (
        <button type="button" onClick={onReload}>
          Reload
        </button>
      )}
    </div>
  )
}
