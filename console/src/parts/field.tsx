import type { ComponentChildren, JSX } from "preact"
import { useId } from "preact/hooks"

export interface FieldIds {
  id: string
  "aria-describedby"?: string
  "aria-invalid"?: boolean
}

/** A label, what it labels, a hint and what is wrong: tied together for whoever cannot see that they are. */
export const Field = ({
  label,
  hint,
  error,
  children,
  inline = false,
}: {
  label: string
  hint?: ComponentChildren
  error?: string | null
  children: (ids: FieldIds) => JSX.Element
  inline?: boolean
}) => {
  const id = useId()
  const told = [hint ? `${id}-hint` : "", error ? `${id}-error` : ""].filter((one) => one !== "").join(" ")
  const ids: FieldIds = {
    id,
    ...(told === "" ? {} : { "aria-describedby": told }),
    ...(error ? { "aria-invalid": true } : {}),
  }
  return (
    <div class={inline ? "field inline" : "field"}>
      <label for={id}>{label}</label>
      {children(ids)}
      {hint && (
        <p class="hint" id={`${id}-hint`}>
          {hint}
        </p>
      )}
      {error && (
        <p class="wrong" id={`${id}-error`}>
          {error}
        </p>
      )}
    </div>
  )
}

/** One of a few. */
export const Choice = <Value extends string>({
  label,
  value,
  options,
  onChange,
  inline = true,
}: {
  label: string
  value: Value
  options: readonly (readonly [Value, string])[]
  onChange: (value: Value) => void
  inline?: boolean
}) => (
  <Field label={label} inline={inline}>
    {(ids) => (
      <select {...ids} value={value} onChange={(event) => onChange(event.currentTarget.value as Value)}>
        {options.map(([name, text]) => (
          <option key={name} value={name}>
            {text}
          </option>
        ))}
      </select>
    )}
  </Field>
)

/** The name of a config or flag that is new. */
export const KeyField = ({
  value,
  example,
  onValue,
}: {
  value: string
  example: string
  onValue: (key: string) => void
}) => (
  <Field label="Key" hint={`Letters, digits, dots, dashes and underscores, such as ${example}.`}>
    {(ids) => (
      <input
        {...ids}
        required
        pattern="[A-Za-z0-9][A-Za-z0-9._\-]*"
        maxLength={200}
        autocomplete="off"
        autocapitalize="none"
        spellcheck={false}
        value={value}
        onInput={(event) => onValue(event.currentTarget.value)}
      />
    )}
  </Field>
)

/** Some of several. */
export const Choices = <Value extends string>({
  legend,
  chosen,
  options,
  hint,
  onChange,
}: {
  legend: string
  chosen: readonly Value[]
  options: readonly (readonly [Value, string])[]
  hint?: string
  onChange: (chosen: Value[]) => void
}) => {
  const id = useId()
  return (
    <fieldset class="choices" aria-describedby={hint ? id : undefined}>
      <legend>{legend}</legend>
      {options.map(([name, text]) => (
        <label key={name} class="check">
          <input
            type="checkbox"
            checked={chosen.includes(name)}
            onChange={(event) => {
              const isIn = event.currentTarget.checked
              // In the order they are offered in, whatever the order of clicks.
              onChange(
                options.map(([one]) => one).filter((one) => (one === name ? isIn : chosen.includes(one))),
              )
            }}
          />
          {text}
        </label>
      ))}
      {hint && (
        <p class="hint" id={id}>
          {hint}
        </p>
      )}
    </fieldset>
  )
}
