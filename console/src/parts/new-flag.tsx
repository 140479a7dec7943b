import { useState } from "preact/hooks"
import { useConsole } from "../console.tsx"
import { Dialog, DialogFoot } from "./dialog.tsx"
import { Field, KeyField } from "./field.tsx"
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
        <KeyField value={key} example="checkout.new_form: say what is on when it is on" onValue={setKey} />
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
        <DialogFoot verb="Review" onCancel={onClose} />
      </form>
    </Dialog>
  )
}
