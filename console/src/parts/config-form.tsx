import { useState } from "preact/hooks"
import { useConsole } from "../console.tsx"
import type { Config, EditBody } from "../shapes.ts"
import { isMarker, pretty } from "../words.ts"
import { DialogFoot } from "./dialog.tsx"
import { Field, KeyField } from "./field.tsx"
import { readJson } from "./json-text.ts"
import { type Draft, draftOf, JsonField, readDraft, ValueEditor } from "./value-editor.tsx"

const trimmed = (text: string): string | null => (text.trim() === "" ? null : text.trim())

/** The form of a config that is there, or of one that is new: what it hands over is the edit and nothing else. */
export const ConfigForm = ({
  config,
  isFixed = false,
  verb,
  onEdit,
  onCancel,
}: {
  config: Config | null
  isFixed?: boolean
  verb: string
  onEdit: (edit: EditBody) => void
  onCancel?: () => void
}) => {
  const { tenant } = useConsole()
  const isSealed = config !== null && isMarker(config.value)
  const [key, setKey] = useState(config?.key ?? "")
  const first: Draft = isSealed || config === null ? { kind: "text", text: "" } : draftOf(config.value)
  const [draft, setDraft] = useState(first)
  const [description, setDescription] = useState(config?.description ?? "")
  const [owner, setOwner] = useState(config?.owner ?? "")
  const [schema, setSchema] = useState(config?.schema ? pretty(config.schema) : "")
  const [isSecret, setSecret] = useState(isSealed)
  const [isLocked, setLocked] = useState(config?.locked ?? false)

  const value = readDraft(draft)
  const asSchema = schema.trim() === "" ? { value: null } : readJson(schema)
  // A secret that nobody types anew stays what it is.
  const keepsValue = isSealed && draft.text === ""
  const isReady = key !== "" && "value" in asSchema && (keepsValue || "value" in value)
  const edit = (): EditBody => ({
    key,
    ...(keepsValue || !("value" in value) ? {} : { value: value.value }),
    ...(isSecret ? { secret: true } : {}),
    ...(config === null && trimmed(description) === null ? {} : { description: trimmed(description) }),
    ...(config === null && trimmed(owner) === null ? {} : { owner: trimmed(owner) }),
    ...("value" in asSchema && (config !== null || asSchema.value !== null)
      ? { schema: asSchema.value }
      : {}),
    ...(tenant.startsWith("~") ? { locked: isLocked } : {}),
    ifMatch: config?.version ?? 0,
  })
  return (
    <form
      class="dialog-body"
      onSubmit={(event) => {
        event.preventDefault()
        if (isReady) onEdit(edit())
      }}
    >
      <fieldset disabled={isFixed}>
        {config === null && <KeyField value={key} example="checkout.limit" onValue={setKey} />}
        {isSealed && (
          <p class="note">It is a secret: leave the value empty to keep it, or type another one.</p>
        )}
        <ValueEditor draft={draft} isSecret={isSecret} onDraft={setDraft} />
        <Field label="Description">
          {(ids) => (
            <input
              {...ids}
              maxLength={2_000}
              value={description}
              onInput={(event) => setDescription(event.currentTarget.value)}
            />
          )}
        </Field>
        <details open={config?.schema ? true : undefined}>
          <summary>Owner, schema, secrecy</summary>
          <Field label="Owner">
            {(ids) => (
              <input
                {...ids}
                maxLength={200}
                value={owner}
                onInput={(event) => setOwner(event.currentTarget.value)}
              />
            )}
          </Field>
          <JsonField
            label="JSON Schema"
            rows={5}
            isOptional
            text={schema}
            onText={setSchema}
            hint="Draft 2020-12. Every value of this key is held to it, now and later."
          />
          {!isSealed && (
            <label class="check">
              <input
                type="checkbox"
                checked={isSecret}
                onChange={(event) => setSecret(event.currentTarget.checked)}
              />
              It is a secret: sealed before it is kept, and shown by its own route only
            </label>
          )}
          {tenant.startsWith("~") && (
            <label class="check">
              <input
                type="checkbox"
                checked={isLocked}
                onChange={(event) => setLocked(event.currentTarget.checked)}
              />
              Locked: what nearer layers say is not read
            </label>
          )}
        </details>
        <DialogFoot verb={verb} isReady={isReady} onCancel={onCancel} />
      </fieldset>
    </form>
  )
}
