import type { ComponentChildren } from "preact"
import { useId, useLayoutEffect, useRef, useState } from "preact/hooks"
import { isProduction, useConsole } from "../console.tsx"
import { problemOf } from "../problem.ts"
import type { Problem } from "../shapes.ts"
import { Field } from "./field.tsx"
import { ProblemShown } from "./problem.tsx"

/** The browser's own dialog: it keeps the focus, and Escape closes it and gives the focus back. */
export const Dialog = ({
  title,
  onClose,
  children,
}: {
  title: string
  onClose: () => void
  children: ComponentChildren
}) => {
  const element = useRef<HTMLDialogElement>(null)
  const heading = useRef<HTMLHeadingElement>(null)
  const id = useId()
  // Before the next key: what is pressed then belongs to the dialog, or again to what it was opened from.
  useLayoutEffect(() => {
    const dialog = element.current
    dialog?.showModal()
    heading.current?.focus()
    return () => dialog?.close()
  }, [])
  return (
    <dialog
      ref={element}
      aria-labelledby={id}
      onCancel={(event) => {
        // The event of closing comes a moment later, when it may be open anew.
        event.preventDefault()
        onClose()
      }}
      onClose={(event) => event.currentTarget.isConnected && onClose()}
    >
      <header class="dialog-head">
        <h2 id={id} tabIndex={-1} ref={heading}>
          {title}
        </h2>
        <button type="button" class="plain" aria-label="Close" onClick={onClose}>
          ✕
        </button>
      </header>
      {children}
    </dialog>
  )
}

/** The end of a dialog's form: back, or on. */
export const DialogFoot = ({
  verb,
  isReady = true,
  isDangerous = false,
  onCancel,
}: {
  verb: string
  isReady?: boolean
  isDangerous?: boolean
  /** Left out where there is nothing to go back to. */
  onCancel?: (() => void) | undefined
}) => (
  <div class="dialog-foot">
    {onCancel && (
      <button type="button" onClick={onCancel}>
        Cancel
      </button>
    )}
    <button type="submit" class={isDangerous ? "danger" : "primary"} disabled={!isReady}>
      {verb}
    </button>
  </div>
)

export interface Confirmed {
  comment: string
}

/** What has to be typed before something new comes before the readers of Production. */
export const useTyped = (expected: string | null) => {
  const [typed, setTyped] = useState("")
  const isRight = expected === null || typed.trim() === expected
  const field = expected !== null && (
    <Field label={`Type ${expected} to confirm`}>
      {(ids) => (
        <input
          {...ids}
          value={typed}
          autocomplete="off"
          autocapitalize="none"
          spellcheck={false}
          onInput={(event) => setTyped(event.currentTarget.value)}
        />
      )}
    </Field>
  )
  return { isRight, field }
}

/**
 * Asks once more before something is done, and shows what became of it. With `puts`, what it does brings something
 * new before readers, so that in Production the environment's name is typed first.
 */
export const Confirm = ({
  title,
  verb,
  environment,
  puts = false,
  typed,
  isDangerous = false,
  commentLabel,
  mustSay = false,
  run,
  onClose,
  onReload,
  children,
}: {
  title: string
  verb: string
  environment?: string
  puts?: boolean
  /** Something else that is to be typed. */
  typed?: string
  isDangerous?: boolean
  /** Left out, nothing is asked for. */
  commentLabel?: string
  mustSay?: boolean
  run: (confirmed: Confirmed) => Promise<void>
  onClose: () => void
  onReload?: () => void
  children?: ComponentChildren
}) => {
  const console = useConsole()
  const asks = puts && environment !== undefined && isProduction(console, environment) ? environment : null
  const { isRight, field } = useTyped(typed ?? asks)
  const [comment, setComment] = useState("")
  const [isBusy, setBusy] = useState(false)
  const [problem, setProblem] = useState<Problem | null>(null)
  const isReady = isRight && !isBusy && (!mustSay || comment.trim() !== "")
  const submit = async (): Promise<void> => {
    if (!isReady) return
    setBusy(true)
    setProblem(null)
    try {
      await run({ comment: comment.trim() })
    } catch (error) {
      setProblem(problemOf(error))
      setBusy(false)
    }
  }
  return (
    <Dialog title={title} onClose={onClose}>
      <form
        class="dialog-body"
        onSubmit={(event) => {
          event.preventDefault()
          void submit()
        }}
      >
        {children}
        {commentLabel !== undefined && (
          <Field label={commentLabel}>
            {(ids) => (
              <textarea
                {...ids}
                rows={2}
                maxLength={2_000}
                required={mustSay}
                value={comment}
                onInput={(event) => setComment(event.currentTarget.value)}
              />
            )}
          </Field>
        )}
        {field}
        {problem && <ProblemShown problem={problem} onReload={onReload} />}
        <DialogFoot
          verb={isBusy ? "One moment…" : verb}
          isReady={isReady}
          isDangerous={isDangerous}
          onCancel={onClose}
        />
      </form>
    </Dialog>
  )
}
