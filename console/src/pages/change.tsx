import { useEffect, useState } from "preact/hooks"
import { pathPart } from "../client.ts"
import { useConsole, useLinks, useMay } from "../console.tsx"
import { MOVING_MS, RESTING_MS, useLive } from "../live.ts"
import { Actions, objectionTo } from "../parts/actions.tsx"
import { StateBadge } from "../parts/badge.tsx"
import { Diff, Value } from "../parts/diff.tsx"
import { Field } from "../parts/field.tsx"
import { Loaded } from "../parts/loaded.tsx"
import { ProblemShown } from "../parts/problem.tsx"
import { Review } from "../parts/review.tsx"
import { Rollout } from "../parts/rollout.tsx"
import { Stages } from "../parts/stages.tsx"
import { Time } from "../parts/time.tsx"
import { hrefOf } from "../place.ts"
import { problemOf } from "../problem.ts"
import type { Change, Problem } from "../shapes.ts"
import { keyWords, percentOf, personOf, scopeOf } from "../words.ts"

const ENDED = ["rejected", "cancelled", "expired", "rolled_back", "live"]
const isOver = ({ state }: Change): boolean => ENDED.includes(state)

/** Where it stands, in a sentence. */
const summaryOf = (change: Change): string => {
  const due = change.stages.find(({ required, approvals }) => approvals.length < required)
  switch (change.state) {
    case "awaiting_approval":
      return due ? `It waits for ${personOf(due.role)} to agree.` : "It waits to be approved."
    case "scheduled":
      if (change.frozen) return "It waits for a freeze to end."
      return change.waitingFor ? "It waits for another rollout to end." : "It is about to start."
    case "rolling_out":
      return `${percentOf(change.weightBp)} of readers have it${change.paused ? ", and it is paused" : ""}.`
    case "live":
      return "Everyone has it."
    case "rolled_back":
      return `Everyone is back on what was stable before it: ${(change.reason ?? "rolled back").replaceAll("_", " ")}.`
    case "cancelled":
      return change.reason === "base_moved"
        ? "Somebody changed the same keys meanwhile, so it was cancelled."
        : "It was cancelled before anybody had it."
    case "rejected":
      return "It was rejected, and nobody has it."
    default:
      return "It was not started in time."
  }
}

const Comments = ({ change, onDone }: { change: Change; onDone: () => void }) => {
  const { client } = useConsole()
  const may = useMay()
  const [text, setText] = useState("")
  const [problem, setProblem] = useState<Problem | null>(null)
  const send = async (): Promise<void> => {
    try {
      await client.send("POST", `/api/v1/changes/${pathPart(change.changeId)}/comments`, {
        text: text.trim(),
      })
      setText("")
      setProblem(null)
      onDone()
    } catch (error) {
      setProblem(problemOf(error))
    }
  }
  const isTaken = change.state === "live" || !isOver(change)
  return (
    <section class="card" aria-labelledby="comments">
      <h2 id="comments">Comments</h2>
      {change.comments.length === 0 && <p class="quiet">Nobody has said anything yet.</p>}
      <ul class="comments">
        {change.comments.map(({ subject, at, text: said }) => (
          <li key={`${subject} ${at}`}>
            <p>
              <span class="person">{subject}</span> <Time at={at} />
            </p>
            <p>{said}</p>
          </li>
        ))}
      </ul>
      {isTaken && may("change.comment", change.environment) && (
        <form
          onSubmit={(event) => {
            event.preventDefault()
            if (text.trim() !== "") void send()
          }}
        >
          <Field label="Say something">
            {(ids) => (
              <textarea
                {...ids}
                rows={2}
                maxLength={2_000}
                value={text}
                onInput={(event) => setText(event.currentTarget.value)}
              />
            )}
          </Field>
          {problem && <ProblemShown problem={problem} />}
          <button type="submit" disabled={text.trim() === ""}>
            Comment
          </button>
        </form>
      )}
    </section>
  )
}

const Conflict = ({ change, onReload }: { change: Change; onReload: () => void }) => {
  const [isOpen, setOpen] = useState(false)
  const { conflict } = change
  if (!conflict) return null
  return (
    <section class="card" aria-labelledby="conflict">
      <h2 id="conflict">What overtook it</h2>
      {conflict.keys.map(({ key, base, now, yours }) => (
        <div key={key} class="edit">
          <h3>
            <code>{keyWords(key)}</code>
          </h3>
          <div class="sides three">
            <div class="side">
              <span class="side-name">was</span>
              <Value value={base} />
            </div>
            <div class="side before">
              <span class="side-name">is now</span>
              <Value value={now} />
            </div>
            <div class="side after">
              <span class="side-name">would have been</span>
              <Value value={yours} />
            </div>
          </div>
        </div>
      ))}
      {conflict.draft.edits && (
        <button type="button" onClick={() => setOpen(true)}>
          Submit it again on what is there now
        </button>
      )}
      {isOpen && (
        <Review
          title="Submit it again"
          environment={change.environment}
          wanted={{ edits: conflict.draft.edits! }}
          onClose={() => setOpen(false)}
          onReload={onReload}
          onDone={() => setOpen(false)}
        />
      )}
    </section>
  )
}

const Facts = ({ change }: { change: Change }) => {
  const link = useLinks()
  const fact = (name: string, text: preact.ComponentChildren) => (
    <div>
      <dt>{name}</dt>
      <dd>{text}</dd>
    </div>
  )
  return (
    <dl class="facts">
      {fact("For", `${scopeOf(change.tenantId)}, ${change.environment}`)}
      {fact("Author", <span class="person">{change.author}</span>)}
      {fact("Submitted", <Time at={change.createdAt} />)}
      {change.startAt && fact("Starts", <Time at={change.startAt} />)}
      {!isOver(change) && change.state !== "rolling_out" && fact("Expires", <Time at={change.expiresAt} />)}
      {change.ended &&
        fact(
          "Came to that",
          <>
            <Time at={change.ended.at} />
            {change.ended.by && ` by ${change.ended.by}`}
          </>,
        )}
      {change.promotedFrom && fact("Promoted from", change.promotedFrom.environment)}
      {change.replaces && fact("Replaces", <a href={link("changes", change.replaces)}>an earlier change</a>)}
      {change.waitingFor &&
        fact("Waits for", <a href={link("changes", change.waitingFor)}>another rollout</a>)}
      {change.review &&
        fact(
          "Review",
          change.review.at ? (
            `given by ${change.review.by}`
          ) : (
            <>
              owed until <Time at={change.review.due} />
            </>
          ),
        )}
      {fact("What approvals bind to", <code class="hash">{change.contentHash}</code>)}
    </dl>
  )
}

/** A change says for which environment it is: the switch shows that one. */
const useItsEnvironment = ({ changeId, environment }: Change): void => {
  const { place, tenant, environment: shown } = useConsole()
  useEffect(() => {
    if (shown !== environment)
      location.replace(hrefOf({ page: place.page, id: changeId, tenant, environment }))
  }, [shown, environment])
}

const ChangeShown = ({ change, onReload }: { change: Change; onReload: () => void }) => {
  const { who } = useConsole()
  useItsEnvironment(change)
  const may = useMay()
  const objection =
    change.state === "awaiting_approval" && may("change.approve", change.environment)
      ? objectionTo(change, who.subject, who.roles)
      : null
  return (
    <>
      <div class="page-head">
        <h1>
          {change.edits.length === 1 ? (
            <code>{keyWords(change.edits[0]!.key)}</code>
          ) : (
            `${change.edits.length} keys`
          )}{" "}
          in {change.environment}
        </h1>
        <StateBadge change={change} />
      </div>
      <p class="lead" aria-live="polite">
        {summaryOf(change)}
        {change.ended?.detail && ` ${change.ended.detail}`}
      </p>
      {change.comment && (
        <blockquote>
          {change.comment} <cite>{change.author}</cite>
        </blockquote>
      )}
      {objection && <p class="note">{objection}</p>}
      <Actions change={change} onChange={onReload} onReload={onReload} />
      <div class="columns">
        <section class="card" aria-labelledby="who-agrees">
          <h2 id="who-agrees">Who agrees</h2>
          <Stages stages={change.stages} isOpen={!isOver(change)} />
        </section>
        <section class="card" aria-labelledby="who-sees">
          <h2 id="who-sees">Who sees it</h2>
          <Rollout change={change} />
        </section>
      </div>
      <section class="card" aria-labelledby="what-changes">
        <h2 id="what-changes">What changes</h2>
        <Diff edits={change.diff ?? []} />
      </section>
      <Conflict change={change} onReload={onReload} />
      <Comments change={change} onDone={onReload} />
      <section class="card" aria-labelledby="facts">
        <h2 id="facts">About it</h2>
        <Facts change={change} />
      </section>
    </>
  )
}

export const ChangePage = ({ changeId }: { changeId: string }) => {
  const { client } = useConsole()
  const link = useLinks()
  const live = useLive(
    `change ${changeId}`,
    (signal) => client.get<Change>(`/api/v1/changes/${pathPart(changeId)}`, {}, signal),
    (change) => (["rolling_out", "scheduled"].includes(change.state) ? MOVING_MS : RESTING_MS),
  )
  return (
    <>
      <p class="back">
        <a href={link("changes")}>All changes</a>
      </p>
      {live.data === null && <h1>Change</h1>}
      <Loaded live={live} what="the change">
        {(change) => <ChangeShown change={change} onReload={() => void live.refresh()} />}
      </Loaded>
    </>
  )
}
