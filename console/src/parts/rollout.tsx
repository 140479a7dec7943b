import type { Change, ChangeListed, Verdict } from "../shapes.ts"
import { countOf, holdOf, percentOf, stepOf } from "../words.ts"
import { Time } from "./time.tsx"

const VERDICT_WORDS: Readonly<Record<Verdict["kind"], string>> = {
  healthy: "Healthy",
  unwatched: "Unwatched",
  waiting: "Waiting for reports",
  hold: "Held back",
  unhealthy: "Unhealthy",
}

const share = (errors: number, requests: number): string =>
  requests === 0
    ? "none reported"
    : `${errors} of ${requests} failed (${percentOf((errors / requests) * 10_000)})`

/** What the gate says, and what it rests on. */
const VerdictShown = ({ verdict }: { verdict: Verdict }) => {
  const { numbers } = verdict
  return (
    <div class={`verdict verdict-${verdict.kind}`}>
      <p>
        <strong>{VERDICT_WORDS[verdict.kind]}.</strong> {verdict.words}
      </p>
      {numbers.candidateRequests !== undefined && (
        <dl class="numbers">
          <div>
            <dt>Candidate</dt>
            <dd>{share(numbers.candidateErrors, numbers.candidateRequests)}</dd>
          </div>
          <div>
            <dt>Stable</dt>
            <dd>{share(numbers.stableErrors, numbers.stableRequests)}</dd>
          </div>
          <div>
            <dt>Evidence against it</dt>
            <dd>
              {numbers.likelihoodRatio} of {numbers.rollBackAt}
            </dd>
          </div>
        </dl>
      )}
    </div>
  )
}

/** How much of all readers has the candidate now. */
const Weight = ({ weightBp, label }: { weightBp: number; label: string }) => (
  <div class="weight">
    <meter min={0} max={10_000} value={weightBp} aria-label={label} />
    <span>{percentOf(weightBp)}</span>
  </div>
)

type Rolling = Pick<ChangeListed, "plan" | "step" | "state" | "enteredAt" | "weightBp" | "gate">

const standingOf = ({ state, step }: Rolling, index: number): "done" | "now" | "next" =>
  state === "live" || (step !== null && index < step) ? "done" : step === index ? "now" : "next"

const STANDING_WORDS = { done: "done", now: "now", next: "to come" } as const

/** The steps of a change, where it is, and whom each reaches. */
export const Plan = ({ change }: { change: Rolling }) => {
  if (change.plan.length === 0) return <p>Everyone at once.</p>
  return (
    <ol class="plan" aria-label="Steps">
      {change.plan.map((step, index) => {
        const standing = standingOf(change, index)
        const judged = change.gate.steps.findLast((one) => one.step === index)
        return (
          <li key={index} class={standing} aria-current={standing === "now" ? "step" : undefined}>
            <span class="plan-reach">{stepOf(step)}</span>
            <span class="plan-hold">
              {standing === "now" && change.enteredAt ? (
                <>
                  now, since <Time at={change.enteredAt} />, {holdOf(step)}
                </>
              ) : (
                `${STANDING_WORDS[standing]}, ${holdOf(step)}`
              )}
            </span>
            {judged && (
              <span class="plan-verdict">
                {VERDICT_WORDS[judged.kind]}
                {judged.overriddenBy && `, overridden by ${judged.overriddenBy}`}
              </span>
            )}
          </li>
        )
      })}
      <li class={change.state === "live" ? "done" : "next"}>
        <span class="plan-reach">Everyone, for good</span>
        <span class="plan-hold">{change.state === "live" ? "done" : "to come"}</span>
      </li>
    </ol>
  )
}

/** A rollout as it stands: who has it, what is in its way, what the gate says. */
export const Rollout = ({ change }: { change: ChangeListed | Change }) => (
  <div class="rollout">
    {change.state === "rolling_out" && (
      <Weight weightBp={change.weightBp} label="Share of readers that have it now" />
    )}
    <Plan change={change} />
    {change.audience && change.audience.tiers.length + change.audience.tenants.length > 0 && (
      <p>
        Reached:{" "}
        {[...change.audience.tiers.map((tier) => `tier ${tier}`), ...change.audience.tenants].join(", ")}.
      </p>
    )}
    {change.gate.current && <VerdictShown verdict={change.gate.current} />}
    {change.frozen && (
      <p class="hold">
        Held by the freeze “{change.frozen.name}” until <Time at={change.frozen.until} />.
      </p>
    )}
    {change.signal && (
      <p class="hold">
        {change.signal.source} says: {change.signal.summary} (<Time at={change.signal.at} />)
      </p>
    )}
    {change.tripped.length > 0 && (
      <div class="hold">
        <p>{countOf(change.tripped.length, "tenant is", "tenants are")} back on stable:</p>
        <ul>
          {change.tripped.map(({ tenantId, words }) => (
            <li key={tenantId}>
              <strong>{tenantId}</strong>: {words}
            </li>
          ))}
        </ul>
      </div>
    )}
  </div>
)
