import { useRef, useState } from "preact/hooks"
import { Dialog } from "./dialog.tsx"
import { Field } from "./field.tsx"

/** What the service tells once: to be copied now, and gone with the dialog. */
export const ToldOnce = ({
  title,
  label,
  secret,
  note,
  onClose,
}: {
  title: string
  label: string
  /** Absent where the answer that had it was lost on its way, and the request was answered again. */
  secret: string | undefined
  note: string
  onClose: () => void
}) => {
  const text = useRef<HTMLTextAreaElement>(null)
  const [said, setSaid] = useState("")
  const copy = async (): Promise<void> => {
    try {
      await navigator.clipboard.writeText(secret!)
      setSaid("Copied.")
    } catch {
      // Browsers let only pages of a secure origin write there.
      text.current?.select()
      setSaid("Press Ctrl+C, or ⌘C: it is selected.")
    }
  }
  return (
    <Dialog title={title} onClose={onClose}>
      <div class="dialog-body">
        {secret === undefined ? (
          <p class="note">It is made, but the answer that told it was lost. Make another in its place.</p>
        ) : (
          <>
            <p class="note">It is shown this once, and kept nowhere where anybody could read it.</p>
            <Field label={label} hint={note}>
              {(ids) => (
                <textarea
                  {...ids}
                  ref={text}
                  class="code"
                  rows={4}
                  readOnly
                  value={secret}
                  onFocus={(event) => event.currentTarget.select()}
                />
              )}
            </Field>
          </>
        )}
        <div class="dialog-foot">
          <p role="status">{said}</p>
          {secret !== undefined && (
            <button type="button" onClick={() => void copy()}>
              Copy
            </button>
          )}
          <button type="button" class="primary" onClick={onClose}>
            Done
          </button>
        </div>
      </div>
    </Dialog>
  )
}
