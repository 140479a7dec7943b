import { useState } from "preact/hooks"
import { pathPart } from "../client.ts"
import { useConsole } from "../console.tsx"
import { problemOf } from "../problem.ts"
import type { ExplanationStep, FlagExplanation, Json, Problem } from "../shapes.ts"
import { percentOf } from "../words.ts"
import { Field } from "./field.tsx"
import { readJson } from "./json-text.ts"
import { OriginShown } from "./origin.tsx"
import { ProblemShown } from "./problem.tsx"
import { JsonField } from "./value-editor.tsx"

const REASONS: Readonly<Record<string, string>> = {
  STATIC: "it is the default, and there are no rules",
  TARGETING_MATCH: "a rule gives it",
  SPLIT: "the share they fall into gives it",
  DEFAULT: "no rule gives anything, so it is the default",
  DISABLED: "the flag is off",
  PREREQUISITE_FAILED: "a flag that it needs is not on for them",
  ERROR: "it cannot be evaluated for them",
}

const said = (value: unknown): string => JSON.stringify(value) ?? "nothing"

const stepText = (step: ExplanationStep): string => {
  switch (step.kind) {
    case "prerequisite":
      return `needs ${step.flag} to be ${(step.variants as string[]).join(" or ")}: it is ${step.variant ?? "nothing"}, ${step.isMet ? "met" : "not met"}`
    case "condition":
      return `a condition comes to ${said(step.value)}: it ${step.holds ? "holds" : "does not hold"}`
    case "split":
      return step.bucket === null
        ? "nobody to divide"
        : `falls into ${step.bucket} of ${step.of}, by ${said(step.by)}`
    case "outcome":
      return step.variant === null ? "no variant: the caller's own default" : `gives ${step.variant}`
    default:
      return String(step.message)
  }
}

/** Where somebody stands among the shares. */
const Shares = ({ bucket }: { bucket: NonNullable<FlagExplanation["bucket"]> }) => (
  <div class="shares">
    <p>
      {bucket.bucket === null
        ? "Nobody is named who could fall into a share."
        : `They fall into ${bucket.bucket} of ${bucket.of}:`}
    </p>
    <ul>
      {bucket.shares.map(({ variant, from, to }) => {
        const isTheirs = bucket.bucket !== null && bucket.bucket >= from && bucket.bucket < to
        return (
          <li key={from} class={isTheirs ? "theirs" : ""}>
            <strong>{String(variant)}</strong>: {percentOf(((to - from) / bucket.of) * 10_000)} (from {from}{" "}
            below {to}){isTheirs && ", theirs"}
          </li>
        )
      })}
    </ul>
  </div>
)

const Explained = ({ found }: { found: FlagExplanation }) => (
  <div class="explained" role="status">
    <p class="outcome">
      They get <strong>{said(found.value)}</strong>
      {found.variant !== null && (
        <>
          , the variant <strong>{found.variant}</strong>
        </>
      )}
      : {REASONS[found.reason] ?? found.reason}
      {found.errorMessage && ` (${found.errorMessage})`}. Read from the {found.arm} arm.
    </p>
    {found.bucket && <Shares bucket={found.bucket} />}
    {found.steps.length > 0 && (
      <details>
        <summary>Step by step</summary>
        <ol class="steps">
          {found.steps.map((step, index) => (
            <li key={index}>
              <code>{step.path}</code> {stepText(step)}
            </li>
          ))}
        </ol>
      </details>
    )}
    <h3>Where that comes from</h3>
    <OriginShown origin={found} />
  </div>
)

/** What a flag comes to for somebody: value, rule, share, layer, version, and who agreed to that. */
export const WhoGetsIt = ({ flagKey }: { flagKey: string }) => {
  const { client, tenant, environment } = useConsole()
  const [entity, setEntity] = useState("")
  const [context, setContext] = useState("")
  const [found, setFound] = useState<FlagExplanation | null>(null)
  const [problem, setProblem] = useState<Problem | null>(null)
  const more = context.trim() === "" ? { value: {} } : readJson(context)
  const ask = async (): Promise<void> => {
    if ("wrong" in more) return
    const named = entity === "" ? {} : { targetingKey: entity }
    const path = `/api/v1/tenants/${pathPart(tenant)}/flags/${pathPart(flagKey)}/explain?environment=${encodeURIComponent(environment)}`
    try {
      const whole = { ...(more.value as Record<string, Json>), ...named }
      setFound(await client.send<FlagExplanation>("POST", path, { context: whole }))
      setProblem(null)
    } catch (error) {
      setFound(null)
      setProblem(problemOf(error))
    }
  }
  return (
    <>
      <form
        class="ask"
        onSubmit={(event) => {
          event.preventDefault()
          void ask()
        }}
      >
        <Field label="Entity" hint="The targeting key: a user, an account, a device.">
          {(ids) => (
            <input
              {...ids}
              placeholder="user-1"
              autocomplete="off"
              spellcheck={false}
              value={entity}
              onInput={(event) => setEntity(event.currentTarget.value)}
            />
          )}
        </Field>
        <details>
          <summary>What else is known of them</summary>
          <JsonField label="Context" rows={4} isOptional text={context} onText={setContext} />
        </details>
        <button type="submit">Explain</button>
      </form>
      {problem && <ProblemShown problem={problem} />}
      {found && <Explained found={found} />}
    </>
  )
}
