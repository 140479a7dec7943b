import type { ComponentChildren } from "preact"
import { useState } from "preact/hooks"
import { useConsole } from "../console.tsx"
import type { Json, PolicyShown, Problem } from "../shapes.ts"
import { FreezesEditor } from "./freezes-editor.tsx"
import {
  ownLayer,
  type PolicyDraft,
  policyDraft,
  readPolicy,
  type StageDraft,
  stageDrafts,
} from "./policy-draft.ts"
import { PolicyReview, type Written } from "./policy-review.tsx"
import { freezeWords, membersOf, stagesWords, strategyWords } from "./policy-words.ts"
import { ProblemShown } from "./problem.tsx"
import { strategiesOf, strategyDraft } from "./strategy-draft.ts"
import { StrategyEditor } from "./strategy-editor.tsx"
import { JsonField } from "./value-editor.tsx"

const ROLES = [
  ["engineer", "Engineer"],
  ["manager", "Manager"],
  ["compliance", "Compliance"],
  ["tenant_admin", "Tenant admin"],
] as const

const Stages = ({
  stages,
  onStages,
}: {
  stages: readonly StageDraft[]
  onStages: (stages: StageDraft[]) => void
}) => {
  const put = (nth: number, stage: StageDraft): void =>
    onStages(stages.map((one, index) => (index === nth ? stage : one)))
  return (
    <div class="lines">
      {stages.length === 0 && <p class="quiet">Nobody has to agree.</p>}
      <ol>
        {stages.map((stage, nth) => (
          <li key={nth} class="line">
            <select
              aria-label={`Role of stage ${nth + 1}`}
              value={stage.role}
              onChange={(event) => put(nth, { ...stage, role: event.currentTarget.value })}
            >
              {ROLES.map(([role, name]) => (
                <option key={role} value={role}>
                  {name}
                </option>
              ))}
            </select>
            <input
              class="number"
              inputMode="numeric"
              aria-label={`People of stage ${nth + 1}`}
              value={stage.required}
              onInput={(event) => put(nth, { ...stage, required: event.currentTarget.value })}
            />
            <span>different people</span>
            <button
              type="button"
              class="plain"
              aria-label={`Remove stage ${nth + 1}`}
              onClick={() => onStages(stages.filter((_, index) => index !== nth))}
            >
              ✕
            </button>
          </li>
        ))}
      </ol>
      <button type="button" onClick={() => onStages([...stages, { role: "manager", required: "1" }])}>
        Add a stage
      </button>
    </div>
  )
}

/** A member of the policy: said here, or inherited. */
const Said = ({
  name,
  isSaid,
  inForce,
  onSaid,
  children,
}: {
  name: string
  isSaid: boolean
  /** In words; `null`: it is this scope's own, and what it stands on says is not known here. */
  inForce: string | null
  onSaid: (isSaid: boolean) => void
  children: ComponentChildren
}) => (
  <fieldset class="said">
    <legend>{name}</legend>
    <label class="check">
      <input type="checkbox" checked={isSaid} onChange={(event) => onSaid(event.currentTarget.checked)} />
      Said here
    </label>
    {isSaid ? (
      children
    ) : (
      <p class="quiet">{inForce === null ? "It will be inherited." : `In force: ${inForce}.`}</p>
    )}
  </fieldset>
)

/** What is wrong with a member that has fields: where it is written. */
const Wrong = ({ problem, member }: { problem: Problem | null; member: string }) => {
  const errors = (problem?.errors ?? []).filter(({ path }) => path.startsWith(`/${member}`))
  return errors.length === 0 ? null : (
    <ul class="wrongs" role="alert">
      {errors.map(({ path, message }) => (
        <li key={`${path} ${message}`}>
          <code>{path}</code> {message}
        </li>
      ))}
    </ul>
  )
}

/** The scope's own part of the policy. What is not said here is inherited. */
export const PolicyEditor = ({ shown, onReload }: { shown: PolicyShown; onReload: () => void }) => {
  const { tenant } = useConsole()
  /** With what it was begun on: until then it follows what is there. */
  const [edited, setEdited] = useState<{ draft: PolicyDraft; base: PolicyShown } | null>(null)
  const [written, setWritten] = useState<Written | null>(null)
  const [problem, setProblem] = useState<Problem | null>(null)
  const isShared = tenant.startsWith("~")
  const base = edited?.base ?? shown
  const draft = edited?.draft ?? policyDraft(shown, tenant)
  const { policy } = base
  const read = readPolicy(draft)
  const put = (part: Partial<PolicyDraft>): void => {
    setEdited({ base, draft: { ...draft, ...part } })
    setProblem(null)
  }
  const afresh = (): void => {
    setEdited(null)
    setWritten(null)
    setProblem(null)
    onReload()
  }
  const withLock = (members: Record<string, Json>, locked: boolean): Record<string, Json> =>
    isShared && locked ? { ...members, locked } : members
  const before = withLock(membersOf(base.own), ownLayer(base, tenant)?.locked ?? false)
  const wrong = "wrong" in read ? read : null
  const review = (): void => {
    if (!("members" in read)) return
    const body = withLock(read.members, draft.locked)
    setWritten({ part: "policy", body, before, after: body, version: base.version })
  }
  const ofRest = (problem?.errors ?? []).filter(({ path }) => !/^\/(stages|strategy|freezes)/.test(path))
  return (
    <>
      <form
        onSubmit={(event) => {
          event.preventDefault()
          review()
        }}
      >
        {problem && <ProblemShown problem={{ ...problem, errors: [] }} />}
        <Said
          name="Who has to agree"
          isSaid={draft.stages !== null}
          inForce={base.own?.stages ? null : stagesWords(policy.stages)}
          onSaid={(isSaid) => put({ stages: isSaid ? stageDrafts(policy.stages) : null })}
        >
          <Stages stages={draft.stages ?? []} onStages={(stages) => put({ stages })} />
          <Wrong problem={problem} member="stages" />
          {wrong?.of === "stages" && <p class="wrong">{wrong.wrong}</p>}
        </Said>
        <Said
          name="How a change goes out"
          isSaid={draft.strategy !== null}
          inForce={base.own?.strategy ? null : strategyWords(policy.strategy)}
          onSaid={(isSaid) => put({ strategy: isSaid ? strategyDraft(policy.strategy) : null })}
        >
          {draft.strategy && (
            <StrategyEditor<never>
              draft={draft.strategy}
              offered={strategiesOf(tenant, true)}
              onDraft={(strategy) => put({ strategy })}
            />
          )}
          <Wrong problem={problem} member="strategy" />
          {wrong?.of === "strategy" && <p class="wrong">{wrong.wrong}</p>}
        </Said>
        <Said
          name="Freezes"
          isSaid={draft.freezes !== null}
          inForce={base.own?.freezes ? null : policy.freezes.map(freezeWords).join("; ") || "none"}
          onSaid={(isSaid) => put({ freezes: isSaid ? [...policy.freezes] : null })}
        >
          <FreezesEditor freezes={draft.freezes ?? []} onFreezes={(freezes) => put({ freezes })} />
          <Wrong problem={problem} member="freezes" />
        </Said>
        <details open={draft.rest !== "{}" || ofRest.length > 0}>
          <summary>Everything else, as JSON</summary>
          <JsonField
            label="Other members"
            text={draft.rest}
            rows={6}
            wrongs={ofRest}
            onText={(rest) => put({ rest })}
            hint="allowedStrategies, promoteFromAny, expiresAfterMs, remindEveryMs, rollbackWindowMs, reviewWithinMs, breakGlass, gate, snsTopics."
          />
          {wrong?.of === "rest" && <p class="wrong">{wrong.wrong}</p>}
        </details>
        {isShared && (
          <label class="check">
            <input
              type="checkbox"
              checked={draft.locked}
              onChange={(event) => put({ locked: event.currentTarget.checked })}
            />
            Locked: what is said here holds, whatever nearer layers say
          </label>
        )}
        <div class="actions">
          <button type="submit" class="primary" disabled={edited === null || wrong !== null}>
            Review the policy
          </button>
          {edited && (
            <button type="button" onClick={afresh}>
              As it was
            </button>
          )}
          {Object.keys(before).length > 0 && (
            <button
              type="button"
              class="danger"
              onClick={() =>
                setWritten({ part: "policy", body: null, before, after: {}, version: base.version })
              }
            >
              Inherit all of it
            </button>
          )}
        </div>
      </form>
      {written && (
        <PolicyReview
          written={written}
          policy={shown.policy}
          onWrong={(found) => {
            setWritten(null)
            setProblem(found)
          }}
          onClose={() => setWritten(null)}
          onReload={afresh}
          onDone={afresh}
        />
      )}
    </>
  )
}
