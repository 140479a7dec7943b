import { useRef, useState } from "preact/hooks"
import type { FieldError, Json } from "../shapes.ts"
import { countOf, pretty } from "../words.ts"
import { Choice, Field } from "./field.tsx"
import { type JsonPlace, placeIn, readJson } from "./json-text.ts"

export type Kind = "text" | "number" | "switch" | "json"

const KINDS = [
  ["text", "Text"],
  ["number", "Number"],
  ["switch", "On or off"],
  ["json", "JSON"],
] as const

/** A value while it is written: as text, and what it comes to. */
export interface Draft {
  kind: Kind
  text: string
}

export const draftOf = (value: Json | undefined): Draft => {
  if (typeof value === "string") return { kind: "text", text: value }
  if (typeof value === "number") return { kind: "number", text: String(value) }
  if (typeof value === "boolean") return { kind: "switch", text: String(value) }
  return { kind: "json", text: pretty(value) }
}

export const readDraft = ({ kind, text }: Draft): { value: Json } | { wrong: string } => {
  if (kind === "text") return { value: text }
  if (kind === "switch") return { value: text === "true" }
  if (kind === "json") return readJson(text)
  const number = Number(text)
  return text.trim() !== "" && Number.isFinite(number) ? { value: number } : { wrong: "It is no number." }
}

/** What the service says is wrong with a JSON text, each with the line it is about: pressed, that is selected. */
const Wrongs = ({
  text,
  wrongs,
  onPlace,
}: {
  text: string
  wrongs: readonly FieldError[]
  onPlace: (place: JsonPlace) => void
}) => (
  <ul class="wrongs" role="alert">
    {wrongs.map(({ path, message }) => {
      const place = placeIn(text, path)
      return (
        <li key={`${path} ${message}`}>
          {place && (
            <button type="button" onClick={() => onPlace(place)}>
              Line {place.line}
            </button>
          )}{" "}
          <code>{path}</code> {message}
        </li>
      )
    })}
  </ul>
)

/** A text field for JSON that says what is wrong where it is wrong. Ctrl+Enter submits the form it is in. */
export const JsonField = ({
  label,
  text,
  hint,
  rows = Math.min(24, Math.max(6, text.split("\n").length + 1)),
  isOptional = false,
  wrongs = [],
  onText,
}: {
  label: string
  text: string
  hint?: string
  rows?: number
  isOptional?: boolean
  /** What the service found, by JSON pointers into the text. */
  wrongs?: readonly FieldError[]
  onText: (text: string) => void
}) => {
  const [wasTouched, setTouched] = useState(false)
  const read = isOptional && text.trim() === "" ? { value: null } : readJson(text)
  const element = useRef<HTMLTextAreaElement>(null)
  const found = wrongs.length > 0 ? `${countOf(wrongs.length, "place")} to mend:` : null
  const error = wasTouched && "wrong" in read ? read.wrong : found
  return (
    <>
      <Field label={label} hint={hint} error={error}>
        {(ids) => (
          <textarea
            {...ids}
            ref={element}
            class="code"
            rows={rows}
            spellcheck={false}
            value={text}
            onInput={(event) => {
              setTouched(true)
              onText(event.currentTarget.value)
            }}
            onKeyDown={(event) => {
              if (event.key === "Enter" && (event.ctrlKey || event.metaKey))
                event.currentTarget.form?.requestSubmit()
            }}
          />
        )}
      </Field>
      {wrongs.length > 0 && (
        <Wrongs
          text={text}
          wrongs={wrongs}
          onPlace={({ from, to, line }) => {
            const area = element.current
            area?.focus()
            area?.setSelectionRange(from, to)
            // No browser scrolls to a selection by itself.
            area?.scrollTo(0, (area.scrollHeight * (line - 2)) / text.split("\n").length)
          }}
        />
      )}
    </>
  )
}

const asKind = ({ text, kind: before }: Draft, kind: Kind): Draft => {
  const read = readDraft({ kind: before, text })
  if (kind === "json") return { kind, text: "value" in read ? pretty(read.value) : text }
  if (kind === "switch") return { kind, text: text === "true" ? "true" : "false" }
  return { kind, text: "value" in read && typeof read.value === "string" ? read.value : text }
}

export const ValueEditor = ({
  draft,
  isSecret = false,
  onDraft,
}: {
  draft: Draft
  isSecret?: boolean
  onDraft: (draft: Draft) => void
}) => {
  const set = (text: string): void => onDraft({ ...draft, text })
  const read = readDraft(draft)
  return (
    <div class="value-editor">
      <Choice
        label="Kind of value"
        value={draft.kind}
        options={KINDS}
        onChange={(kind) => onDraft(asKind(draft, kind))}
        inline={false}
      />
      {draft.kind === "json" ? (
        <JsonField label="Value" text={draft.text} onText={set} hint="Ctrl+Enter goes on to the review." />
      ) : (
        <Field label="Value" error={draft.text !== "" && "wrong" in read ? read.wrong : null}>
          {(ids) =>
            draft.kind === "switch" ? (
              <select {...ids} value={draft.text} onChange={(event) => set(event.currentTarget.value)}>
                <option value="true">on (true)</option>
                <option value="false">off (false)</option>
              </select>
            ) : isSecret ? (
              <input
                {...ids}
                type="password"
                autocomplete="off"
                value={draft.text}
                onInput={(event) => set(event.currentTarget.value)}
              />
            ) : (
              <input
                {...ids}
                inputMode={draft.kind === "number" ? "decimal" : "text"}
                value={draft.text}
                onInput={(event) => set(event.currentTarget.value)}
              />
            )
          }
        </Field>
      )}
    </div>
  )
}
