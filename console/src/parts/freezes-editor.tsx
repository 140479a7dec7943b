import type { FreezeWindow } from "../shapes.ts"
import { Choice, Choices, Field } from "./field.tsx"

type Weekly = Extract<FreezeWindow, { days: unknown }>
const DAYS = (["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"] as const).map((day) => [day, day] as const)
const KINDS = [
  ["weekly", "Every week"],
  ["once", "Once"],
] as const

const usual = (timeZone: string): Weekly => ({
  name: "",
  timeZone,
  days: ["Fri"],
  from: "16:00",
  until: "24:00",
})

const One = ({
  freeze,
  nth,
  onFreeze,
  onRemove,
}: {
  freeze: FreezeWindow
  nth: number
  onFreeze: (freeze: FreezeWindow) => void
  onRemove: () => void
}) => {
  const isWeekly = "days" in freeze
  const field = (label: string, member: "name" | "timeZone" | "from" | "until", example = "") => (
    <Field label={label}>
      {(ids) => {
        const common = {
          ...ids,
          required: true,
          value: freeze[member],
          onInput: ({ currentTarget }: { currentTarget: HTMLInputElement }) =>
            onFreeze({ ...freeze, [member]: currentTarget.value }),
        }
        const isDate = !isWeekly && (member === "from" || member === "until")
        return isDate ? (
          <input {...common} type="datetime-local" />
        ) : (
          <input {...common} maxLength={100} spellcheck={false} placeholder={example} />
        )
      }}
    </Field>
  )
  return (
    <fieldset class="freeze">
      <legend>Freeze {nth}</legend>
      {field("Name", "name")}
      {field("Time zone", "timeZone", "Europe/Berlin")}
      <Choice
        label="How often"
        value={isWeekly ? "weekly" : "once"}
        options={KINDS}
        onChange={(kind) => {
          const { name, timeZone } = freeze
          onFreeze(kind === "weekly" ? { ...usual(timeZone), name } : { name, timeZone, from: "", until: "" })
        }}
        inline={false}
      />
      {field("From", "from", "16:00")}
      {field(isWeekly ? "Until, of the next day if that is not later" : "Until", "until", "24:00")}
      {isWeekly && (
        <Choices
          legend="Days"
          chosen={freeze.days}
          options={DAYS}
          onChange={(days) => onFreeze({ ...freeze, days })}
        />
      )}
      <button type="button" onClick={onRemove}>
        Remove<span class="hidden"> freeze {nth}</span>
      </button>
    </fieldset>
  )
}

/** When nothing starts and no rollout grows. */
export const FreezesEditor = ({
  freezes,
  onFreezes,
}: {
  freezes: readonly FreezeWindow[]
  onFreezes: (freezes: FreezeWindow[]) => void
}) => (
  <div class="lines">
    {freezes.length === 0 && <p class="quiet">There is none.</p>}
    {freezes.map((freeze, nth) => (
      <One
        key={nth}
        freeze={freeze}
        nth={nth + 1}
        onFreeze={(next) => onFreezes(freezes.map((one, index) => (index === nth ? next : one)))}
        onRemove={() => onFreezes(freezes.filter((_, index) => index !== nth))}
      />
    ))}
    <button
      type="button"
      onClick={() =>
        onFreezes([
          ...freezes,
          usual(freezes.at(-1)?.timeZone ?? Intl.DateTimeFormat().resolvedOptions().timeZone),
        ])
      }
    >
      Add a freeze
    </button>
  </div>
)
