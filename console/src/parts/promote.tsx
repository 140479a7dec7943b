import { useState } from "preact/hooks"
import { useConsole, useMay } from "../console.tsx"
import { Review } from "./review.tsx"

/** Takes a key, as it is stable here, to the next environment. */
export const Promote = ({ keyName, onReload }: { keyName: string; onReload: () => void }) => {
  const { who, environment } = useConsole()
  const may = useMay()
  const [isOpen, setOpen] = useState(false)
  const next = who.environments[who.environments.indexOf(environment) + 1]
  if (next === undefined || !may("change.submit", next)) return null
  const close = (): void => setOpen(false)
  return (
    <>
      <button type="button" onClick={() => setOpen(true)}>
        Promote to {next}
      </button>
      {isOpen && (
        <Review
          title={`Promote ${keyName} to ${next}`}
          environment={next}
          wanted={{ promote: { from: environment, keys: [keyName] } }}
          note={`It will be in ${next} what it is in ${environment} now.`}
          onClose={close}
          onReload={() => {
            close()
            onReload()
          }}
          onDone={close}
        />
      )}
    </>
  )
}
