import { useState } from "preact/hooks"
import { pathPart } from "../client.ts"
import { useConsole, useMayWhole } from "../console.tsx"
import { MOVING_MS, RESTING_MS, useLive } from "../live.ts"
import { problemOf } from "../problem.ts"
import type { Job, JobKind, Page, Problem } from "../shapes.ts"
import { countOf } from "../words.ts"
import { Loaded } from "./loaded.tsx"
import { ProblemShown } from "./problem.tsx"
import { Time } from "./time.tsx"

const KIND_WORDS: Readonly<Record<JobKind, string>> = {
  "backup.create": "A backup is made",
  "backup.validate": "A backup is read through",
  "backup.restore": "A restore",
  "backup.drill": "A drill",
  "backup.hand_over": "A hand-over",
  "backup.import": "An import",
  "backup.adopt": "Archives are adopted",
  "tenant.clone": "A clone",
  "tenant.migrate": "A migration",
}
const STATE_WORDS: Readonly<Record<Job["state"], string>> = {
  queued: "Waits for its turn",
  running: "At work",
  succeeded: "Done",
  failed: "Failed",
  cancelled: "Cancelled",
}

const isOpen = ({ state }: Job): boolean => state === "queued" || state === "running"

/** How far it is, from 0 to 1, as far as that can be told. */
const shareOf = ({ progress }: Job): number | null => {
  const { share, parts, partsTotal, rows, rowsTotal } = progress
  if (share !== undefined) return share
  if (rows !== undefined && rowsTotal) return rows / rowsTotal
  return parts !== undefined && partsTotal ? parts / partsTotal : null
}

const Progress = ({ job }: { job: Job }) => {
  const { step, parts, rows, endsAt } = job.progress
  const share = shareOf(job)
  const done = [parts && countOf(parts, "part"), rows && countOf(rows, "row")].filter(Boolean).join(", ")
  return (
    <>
      {share !== null && (
        <div class="weight">
          <meter min={0} max={1} value={share} aria-label={`How far: ${KIND_WORDS[job.kind]}`} />
          <span>{Math.floor(share * 100)} %</span>
        </div>
      )}
      <p class="quiet">
        {[step, done].filter(Boolean).join(": ")}
        {endsAt && (
          <>
            {" done "}
            <Time at={endsAt} />
          </>
        )}
      </p>
    </>
  )
}

const JobShown = ({ job, onCancel }: { job: Job; onCancel: (() => void) | null }) => (
  <li>
    <p>
      {KIND_WORDS[job.kind]}, asked for by <span class="person">{job.createdBy}</span>{" "}
      <Time at={job.createdAt} />{" "}
      <span class={`badge job-${job.state}`}>
        {STATE_WORDS[job.state]}
        {isOpen(job) && job.cancelRequested && ", about to end"}
      </span>
    </p>
    {isOpen(job) && <Progress job={job} />}
    {job.problem && <ProblemShown problem={job.problem} isNews={false} />}
    {isOpen(job) && !job.cancelRequested && onCancel && (
      <button type="button" onClick={onCancel}>
        Cancel the job
      </button>
    )}
  </li>
)

/** What is done in the background for a tenant, and how far it is. Read again as soon as `round` is another. */
export const Jobs = ({ round }: { round: number }) => {
  const { client, tenant } = useConsole()
  const mayWhole = useMayWhole()
  const [problem, setProblem] = useState<Problem | null>(null)
  const live = useLive(
    `jobs ${tenant} ${round}`,
    (signal) => client.get<Page<Job>>("/api/v1/jobs", { tenantId: tenant, limit: 8 }, signal),
    ({ items }) => (items.some(isOpen) ? MOVING_MS : RESTING_MS),
  )
  const cancel = async ({ jobId }: Job): Promise<void> => {
    try {
      await client.send("POST", `/api/v1/jobs/${pathPart(jobId)}/cancel`)
      setProblem(null)
    } catch (error) {
      setProblem(problemOf(error))
    }
    await live.refresh()
  }
  return (
    <section class="stack" aria-labelledby="jobs">
      <h2 id="jobs">Jobs</h2>
      {problem && <ProblemShown problem={problem} />}
      <Loaded live={live} what="the jobs">
        {({ items }) =>
          items.length === 0 ? (
            <p class="quiet">Nothing was done in the background yet.</p>
          ) : (
            <ol class="history card">
              {items.map((job) => (
                <JobShown
                  key={job.jobId}
                  job={job}
                  onCancel={mayWhole("job.cancel") ? () => void cancel(job) : null}
                />
              ))}
            </ol>
          )
        }
      </Loaded>
    </section>
  )
}
