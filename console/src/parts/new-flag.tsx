import { useState } from "preact/hooks"
import { useConsole } from "../console.tsx"
import { Dialog } from "./dialog.tsx"
import { Field } from "./field.tsx"
import { keptForm } from "./flag-edit.ts"
import { Review } from "./review.tsx"

/** A flag that is off: what it is called and what for. */
export const NewFlag = ({ onClose, onDone }: { onClose: () => void; onDone: () => void }) => {
  const { environment } = useConsole()
  const [key, setKey] = useState("")
  const [description, setDescription] = useState("")
  const [isReviewed, setReviewed] = useState(false)
  if (isReviewed)
    return (
      <Review
        title={`New flag ${key}`}
        environment={environment}
        wanted={{
          edits: [
            {
              key,
              value: keptForm({ enabled: false }),
              ifMatch: 0,
              ...(description.trim() === "" ? {} : { description: description.trim() }),
            },
          ],
        }}
        onClose={onClose}
        onReload={() => setReviewed(false)}
        onDone={onDone}
      />
    )
  return (
    <Dialog title={`New flag in ${environment}`} onClose={onClose}>
      <form
        class="dialog-body"
        onSubmit={(event) => {
          event.preventDefault()
          setReviewed(true)
        }}
      >
        <Field
          label="Key"
          hint="Letters, digits, dots, dashes and underscores, such as checkout.new_form: say what is on when it is on."
        >
          {(ids) => (
            <input
              {...ids}
              required
              pattern="[A-Za-z0-9][A-Za-z0-9._\-]*"
              maxLength={200}
              autocomplete="off"
              autocapitalize="none"
              spellcheck={false}
              value={key}
              onInput={(event) => setKey(event.currentTarget.value)}
            />
          )}
        </Field>
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
        <div class="dialog-foot">
          <button type="button" onClick={onClose}>
            Cancel
          </button>
          <button type="submit" class="primary">
            Review
          </button>
        </div>
      </form>
    </Dialog>
  )
}
