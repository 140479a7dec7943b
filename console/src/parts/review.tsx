import { useEffect, useState } from "preact/hooks"
import { isProduction, useConsole } from "../console.tsx"
import { hrefOf } from "../place.ts"
import { isOvertaken, problemOf } from "../problem.ts"
import type { Change, ChangeBody, Preview, Problem } from "../shapes.ts"
import { countOf, percentOf, roleOf, STATE_WORDS } from "../words.ts"
import { Dialog, DialogFoot, useTyped } from "./dialog.tsx"
import { Diff } from "./diff.tsx"
import { Field } from "./field.tsx"
import { ProblemShown } from "./problem.tsx"
import { Plan } from "./rollout.tsx"
import { readStrategy, type StrategyDraft, strategiesOf } from "./strategy-draft.ts"
import { StrategyEditor } from "./strategy-editor.tsx"

const POLICY = [["policy", "As the policy says"]] as const

type Wanted = Pick<ChangeBody, "edits" | "promote">
/** `null`: it is not written to its end. */
const strategyOf = (draft: StrategyDraft | "policy"): Pick<ChangeBody, "strategy"> | null => {
  if (draft === "policy") return {}
  const strategy = readStrategy(draft)
  return strategy && { strategy }
}

/** Whose approvals a change owes. */
export const Owed = ({ stages }: Pick<Preview, "stages">) =>
  stages.length === 0 ? (
    <p>Nobody has to agree: it goes its way at once.</p>
  ) : (
    <ol class="owed">
      {stages.map(({ role, required, mayApprove }) => (
        <li key={role}>
          <strong>{roleOf(role)}</strong>: {countOf(required, "person", "people")}
          {mayApprove.join() !== role && `, any ${mayApprove.map(roleOf).join(" or ")}`}
        </li>
      ))}
    </ol>
  )

const Audience = ({ audience }: { audience: NonNullable<Preview["audience"]> }) => {
  if (!audience.alters) return <p>Readers see nothing else than before: another layer hides it.</p>
  if (audience.lookedAt === 0) return null
  const what = audience.of === "tenants" ? "tenant" : "reader"
  return (
    <ul class="audience">
      {audience.steps.map(({ step, weightBp, seeing, examples, exact }) => (
        <li key={String(step)}>
          {step === null ? "In the end" : `Step ${step + 1} (${percentOf(weightBp)})`}:{" "}
          {countOf(seeing, what)} of {audience.lookedAt} {seeing === 1 ? "sees" : "see"} it
          {examples.length > 0 && `: ${examples.join(", ")}${seeing > examples.length ? ", …" : ""}`}
          {!exact && " (as many; who exactly is drawn when it is submitted)"}
        </li>
      ))}
    </ul>
  )
}

const PreviewShown = ({ preview }: { preview: Preview }) => (
  <>
    <h3>What changes</h3>
    <Diff edits={preview.change?.diff ?? []} />
    <h3>Who has to agree</h3>
    <Owed stages={preview.stages} />
    <h3>How it reaches readers</h3>
    <Plan
      change={{
        plan: preview.plan,
        step: null,
        state: "scheduled",
        enteredAt: null,
        weightBp: 0,
        gate: { current: null, steps: [] },
      }}
    />
    {preview.audience && <Audience audience={preview.audience} />}
  </>
)

/** Why it would not be taken. Where none was expected to be, a version is a key that is taken. */
const refusalOf = (refused: NonNullable<Preview["problem"]>, { edits = [] }: Wanted): Problem => {
  const isTaken =
    refused.code === "VERSION_STALE" && edits.length > 0 && edits.every(({ ifMatch }) => ifMatch === 0)
  const problem = { type: "about:blank", title: "This would be refused", status: 0, ...refused }
  return isTaken ? { ...problem, title: "There is one of this name already", code: "KEY_TAKEN" } : problem
}

interface Previewed {
  asked: string
  preview?: Preview
  problem?: Problem
}

/** What was told last, which stays in sight while something else is asked; and whether it is of just this. */
const usePreview = (body: (ChangeBody & { contexts?: { targetingKey: string }[] }) | null) => {
  const { client } = useConsole()
  const [known, setKnown] = useState<Previewed | null>(null)
  const asked = body && JSON.stringify(body)
  useEffect(() => {
    if (asked === null) return
    let isOver = false
    // An answer that was overtaken by another question is of no use, however late it comes.
    const keep = (found: Previewed): void => {
      if (!isOver) setKnown(found)
    }
    client
      .send<Preview>("POST", "/api/v1/changes/preview", JSON.parse(asked))
      .then((preview) => keep({ asked, preview }))
      .catch((error: unknown) => keep({ asked, problem: problemOf(error) }))
    return () => {
      isOver = true
    }
  }, [asked])
  return { ...known, isOfThis: known !== null && known.asked === asked }
}

/**
 * Every edit comes by here: what would change, whose approval it would owe and whom it would reach, as the service
 * says; and only then is it submitted.
 */
export const Review = ({
  title,
  environment,
  wanted,
  note,
  onClose,
  onDone,
  onReload,
}: {
  title: string
  environment: string
  wanted: Wanted
  /** What should be known besides. */
  note?: string | undefined
  onClose: () => void
  onDone: (change: Change) => void
  onReload: () => void
}) => {
  const console = useConsole()
  const { client, tenant, say } = console
  const [draft, setDraft] = useState<StrategyDraft | "policy">("policy")
  const [readers, setReaders] = useState("")
  const [comment, setComment] = useState("")
  const [isBusy, setBusy] = useState(false)
  const [problem, setProblem] = useState<Problem | null>(null)
  const { isRight, field } = useTyped(isProduction(console, environment) ? environment : null)
  const strategy = strategyOf(draft)
  const body: ChangeBody | null = strategy && { tenantId: tenant, environment, ...wanted, ...strategy }
  const keys = readers
    .split(/\s+/)
    .filter((one) => one !== "")
    .slice(0, 1_000)
  const { preview, isOfThis, ...found } = usePreview(
    body && keys.length > 0 ? { ...body, contexts: keys.map((targetingKey) => ({ targetingKey })) } : body,
  )
  const refused = preview && !preview.valid && preview.problem ? refusalOf(preview.problem, wanted) : null
  const isReady = isOfThis && preview?.valid === true && isRight && !isBusy

  const submit = async (): Promise<void> => {
    if (!isReady) return
    setBusy(true)
    setProblem(null)
    try {
      const said = comment.trim() === "" ? {} : { comment: comment.trim() }
      const change = await client.send<Change>("POST", "/api/v1/changes", { ...body, ...said })
      onDone(change)
      if (change.state !== "live")
        location.hash = hrefOf({ page: "changes", id: change.changeId, tenant, environment })
      say(`${title}: ${STATE_WORDS[change.state].toLowerCase()} in ${environment}.`)
    } catch (error) {
      setProblem(problemOf(error))
      setBusy(false)
    }
  }
  return (
    <Dialog title={title} onClose={onClose}>
      <form
        class="dialog-body"
        onSubmit={(event) => {
          event.preventDefault()
          void submit()
        }}
      >
        {note && <p class="note">{note}</p>}
        {!isOfThis && (
          <p class="loading" role="status">
            {body ? "Asking what this would do…" : "The strategy is not written to its end."}
          </p>
        )}
        {found.problem && <ProblemShown problem={found.problem} onReload={onReload} />}
        {refused && <ProblemShown problem={refused} onReload={isOvertaken(refused) ? onReload : undefined} />}
        {preview?.valid && <PreviewShown preview={preview} />}
        <details class="review-options">
          <summary>Another strategy, or a trial for some readers</summary>
          <StrategyEditor draft={draft} offered={strategiesOf(tenant)} others={POLICY} onDraft={setDraft} />
          {!tenant.startsWith("~") && (
            <Field label="Try it for some readers" hint="Their targeting keys, one a line.">
              {(ids) => (
                <textarea
                  {...ids}
                  rows={2}
                  value={readers}
                  onChange={(event) => setReaders(event.currentTarget.value)}
                />
              )}
            </Field>
          )}
        </details>
        <Field label="Why" hint="Stands with the change, for those who approve it and in the history.">
          {(ids) => (
            <textarea
              {...ids}
              rows={2}
              maxLength={2_000}
              value={comment}
              onInput={(event) => setComment(event.currentTarget.value)}
            />
          )}
        </Field>
        {field}
        {problem && <ProblemShown problem={problem} onReload={onReload} />}
        <DialogFoot
          verb={isBusy ? "Submitting…" : `Submit to ${environment}`}
          isReady={isReady}
          onCancel={onClose}
        />
      </form>
    </Dialog>
  )
}
