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
