import { useState } from "preact/hooks"
import { useConsole, useMay } from "../console.tsx"
import type { Flag } from "../shapes.ts"
import { isOn } from "../words.ts"
import { editOf, lockOn, noteOn, switched } from "./flag-edit.ts"
import { Review } from "./review.tsx"

/** On or off, as the service says. Pressing it moves nothing: it opens the review of a change that would. */
export const FlagSwitch = ({ flag, onDone }: { flag: Flag; onDone: () => void }) => {
  const { tenant, environment } = useConsole()
  const may = useMay()
  const [isOpen, setOpen] = useState(false)
  const on = isOn(flag)
  const lock = lockOn(flag, tenant)
  const isFixed = lock !== undefined || !may("change.submit", environment)
  const close = (): void => setOpen(false)
  const reload = (): void => {
    close()
    onDone()
  }
  return (
    <>
      <button
        type="button"
        role="switch"
        class="switch"
        aria-checked={on}
        aria-label={`${flag.key} in ${environment}`}
        disabled={isFixed}
        title={lock}
        onClick={() => setOpen(true)}
      >
        <span class="switch-knob" aria-hidden="true" />
        <span class="switch-word">{on ? "On" : "Off"}</span>
      </button>
      {isOpen && (
        <Review
          title={`Switch ${flag.key} ${on ? "off" : "on"}`}
          environment={environment}
          wanted={{ edits: [editOf(flag, switched(flag), tenant)] }}
          note={noteOn(flag, tenant)}
          onClose={close}
          onReload={reload}
          onDone={reload}
        />
      )}
    </>
  )
}
