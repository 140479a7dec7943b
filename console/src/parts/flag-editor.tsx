import { useState } from "preact/hooks"
import type { Flag, Json } from "../shapes.ts"
import { pretty } from "../words.ts"
import { Field } from "./field.tsx"
import { definitionOf } from "./flag-edit.ts"
import { readJson } from "./json-text.ts"
import { JsonField } from "./value-editor.tsx"

type Reach = "everyone" | "share" | "nobody"

const REACHES = [
  ["everyone", "Everyone"],
  ["share", "A share of entities"],
  ["nobody", "Nobody: it is off"],
] as const satisfies readonly (readonly [Reach, string])[]

const reachIn = ({ enabled, percentage }: Flag): Reach =>
  !enabled ? "nobody" : percentage === undefined ? "everyone" : "share"

/** To two decimals, as the service counts. */
const isShare = (text: string): boolean => /^\d{1,3}(\.\d{1,2})?$/.test(text.trim()) && Number(text) <= 100

const ShareField = ({ share, onShare }: { share: string; onShare: (share: string) => void }) => (
  <div class="share">
    <Field
      label="Percentage"
      hint="The same entities at every percentage, and more of them as it grows. Without an entity a flag with a percentage is off."
      error={isShare(share) ? null : "Expected 0 to 100, with two decimals at most."}
    >
      {(ids) => (
        <span class="with-unit">
          <input
            {...ids}
            inputMode="decimal"
            value={share}
            onInput={(event) => onShare(event.currentTarget.value)}
          />{" "}
          %
        </span>
      )}
    </Field>
    <input
      type="range"
      aria-label="Percentage, to slide"
      min={0}
      max={100}
      step={1}
      value={isShare(share) ? Number(share) : 0}
      onInput={(event) => onShare(event.currentTarget.value)}
    />
  </div>
)

const ShortForm = ({ flag, isFixed, onReview }: Editing) => {
  const [reach, setReach] = useState(reachIn(flag))
  const [share, setShare] = useState(String(flag.percentage ?? 10))
  const { enabled: _enabled, percentage, ...rest } = definitionOf(flag)
  const definition = (): Record<string, Json> => {
    if (reach === "share") return { ...rest, enabled: true, percentage: Number(share) }
    // What it was on for is kept for when it is on again.
    const kept = reach === "nobody" && percentage !== undefined ? { percentage } : {}
    return { ...rest, enabled: reach === "everyone", ...kept }
  }
  const isSame = reach === reachIn(flag) && (reach !== "share" || Number(share) === flag.percentage)
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault()
        if (reach !== "share" || isShare(share)) onReview(definition())
      }}
    >
      <fieldset disabled={isFixed}>
        <legend class="hidden">Who it is on for</legend>
        <div class="radios">
          {REACHES.map(([name, text]) => (
            <label key={name}>
              <input
                type="radio"
                name="reach"
                value={name}
                checked={reach === name}
                onChange={() => setReach(name)}
              />
              {text}
            </label>
          ))}
        </div>
        {reach === "share" && <ShareField share={share} onShare={setShare} />}
        <button type="submit" class="primary" disabled={isSame || (reach === "share" && !isShare(share))}>
          Review the change
        </button>
      </fieldset>
    </form>
  )
}

const AsJson = ({ flag, isFixed, onReview }: Editing) => {
  const [text, setText] = useState(pretty(definitionOf(flag)))
  const read = readJson(text)
  const isObject =
    "value" in read && typeof read.value === "object" && read.value !== null && !Array.isArray(read.value)
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault()
        if (isObject) onReview((read as { value: Record<string, Json> }).value)
      }}
    >
      <fieldset disabled={isFixed}>
        <JsonField
          label="Definition"
          text={text}
          rows={12}
          onText={setText}
          hint="In flagd's format or the short one. What would not evaluate is refused in the review, place by place."
        />
        <button type="submit" class="primary" disabled={!isObject || text === pretty(definitionOf(flag))}>
          Review the change
        </button>
      </fieldset>
    </form>
  )
}

interface Editing {
  flag: Flag
  isFixed: boolean
  onReview: (definition: Record<string, Json>) => void
}

/** The short form as a form, and any definition as JSON. */
export const FlagEditor = (editing: Editing) => {
  const isShort = editing.flag.enabled !== undefined
  if (!isShort) return <AsJson {...editing} />
  return (
    <>
      <ShortForm {...editing} />
      <details>
        <summary>Rules and variants, as JSON</summary>
        <AsJson {...editing} />
      </details>
    </>
  )
}
