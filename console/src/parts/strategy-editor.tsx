import { Choice } from "./field.tsx"
import {
  type HoldDraft,
  holdMsOf,
  type StepDraft,
  type StrategyDraft,
  type StrategyName,
  shareBp,
  UNITS,
  type Unit,
  USUAL,
} from "./strategy-draft.ts"
import { JsonField } from "./value-editor.tsx"

const NAMES: Readonly<Record<StrategyName, string>> = {
  direct: "Everyone at once",
  canary: "A canary, in steps of your own",
  blue_green: "In a slot of its own, then everyone",
  rolling: "In waves of tenants",
}

const HoldFields = ({
  draft,
  what,
  units,
  onDraft,
}: {
  draft: HoldDraft
  what: string
  units: readonly (readonly [Unit, string])[]
  onDraft: (draft: HoldDraft) => void
}) => (
  <>
    {draft.unit !== "person" && (
      <input
        class="number"
        inputMode="decimal"
        aria-label={`How long ${what} is held`}
        aria-invalid={draft.hold !== "" && holdMsOf(draft) === undefined}
        placeholder="2"
        value={draft.hold}
        onInput={(event) => onDraft({ ...draft, hold: event.currentTarget.value })}
      />
    )}
    <select
      aria-label={`Unit of how long ${what} is held`}
      value={draft.unit}
      onChange={(event) => onDraft({ ...draft, unit: event.currentTarget.value as Unit })}
    >
      {units.map(([unit, text]) => (
        <option key={unit} value={unit}>
          {text}
        </option>
      ))}
    </select>
  </>
)

const Steps = ({ steps, onSteps }: { steps: StepDraft[]; onSteps: (steps: StepDraft[]) => void }) => {
  const put = (nth: number, step: StepDraft): void =>
    onSteps(steps.map((one, index) => (index === nth ? step : one)))
  return (
    <fieldset class="lines">
      <legend>Steps</legend>
      <ol>
        {steps.map((step, nth) => (
          <li key={nth} class="line">
            <input
              class="number"
              inputMode="decimal"
              aria-label={`Percentage of step ${nth + 1}`}
              aria-invalid={shareBp(step.share) === null}
              value={step.share}
              onInput={(event) => put(nth, { ...step, share: event.currentTarget.value })}
            />
            <span>%, held for</span>
            <HoldFields
              draft={step}
              what={`step ${nth + 1}`}
              units={UNITS}
              onDraft={(hold) => put(nth, { ...step, ...hold })}
            />
            <button
              type="button"
              class="plain"
              aria-label={`Remove step ${nth + 1}`}
              disabled={steps.length === 1}
              onClick={() => onSteps(steps.filter((_, index) => index !== nth))}
            >
              ✕
            </button>
          </li>
        ))}
      </ol>
      <button
        type="button"
        onClick={() => onSteps([...steps, { ...(steps.at(-1) ?? USUAL.steps[0]!), share: "" }])}
      >
        Add a step
      </button>
      <p class="hint">Percentages rise; after the last step everyone has it, for good.</p>
    </fieldset>
  )
}

/** How a change goes out, in words of one's own. */
export const StrategyEditor = <Other extends string = never>({
  draft,
  offered,
  others = [],
  onDraft,
}: {
  draft: StrategyDraft | Other
  offered: readonly StrategyName[]
  /** What may be said instead of a strategy. */
  others?: readonly (readonly [Other, string])[]
  onDraft: (draft: StrategyDraft | Other) => void
}) => {
  const written = typeof draft === "string" ? null : draft
  // One that was said elsewhere may be none of those that are offered.
  const names = written && !offered.includes(written.type) ? [...offered, written.type] : offered
  return (
    <>
      <Choice<StrategyName | Other>
        label="Strategy"
        value={typeof draft === "string" ? draft : draft.type}
        options={[...others, ...names.map((name) => [name, NAMES[name]] as const)]}
        onChange={(name) =>
          onDraft(
            others.some(([one]) => one === name)
              ? (name as Other)
              : { ...(written ?? USUAL), type: name as StrategyName },
          )
        }
        inline={false}
      />
      {written?.type === "canary" && (
        <Steps steps={written.steps} onSteps={(steps) => onDraft({ ...written, steps })} />
      )}
      {written?.type === "blue_green" && (
        <div class="line">
          <span>The old slot is kept for (2 minutes, if left empty)</span>
          <HoldFields
            draft={written.bake}
            what="the old slot"
            units={UNITS.slice(0, 3)}
            onDraft={(bake) => onDraft({ ...written, bake })}
          />
        </div>
      )}
      {written?.type === "rolling" && (
        <JsonField
          label="Waves"
          text={written.waves}
          hint="Each adds a tier, tenants or a share (weightBp) to those before it. The last is everyone, 10000."
          onText={(waves) => onDraft({ ...written, waves })}
        />
      )}
    </>
  )
}
