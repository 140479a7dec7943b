import { useEffect, useState } from "preact/hooks"
import { pathPart } from "../client.ts"
import { useConsole } from "../console.tsx"
import type { Json } from "../shapes.ts"
import { Confirm } from "./dialog.tsx"

const SHOWN_MS = 30_000

/** A secret in plain text, from its own route, for half a minute and for nobody's memory but the reader's. */
export const SecretShown = ({ configId, environment }: { configId: string; environment: string }) => {
  const { client } = useConsole()
  const [isAsking, setAsking] = useState(false)
  const [secret, setSecret] = useState<{ value: Json } | null>(null)
  useEffect(() => {
    if (secret === null) return
    const timer = setTimeout(() => setSecret(null), SHOWN_MS)
    return () => clearTimeout(timer)
  }, [secret])
  return (
    <div class="secret-shown">
      {secret === null ? (
        <button type="button" onClick={() => setAsking(true)}>
          Show the secret
        </button>
      ) : (
        <>
          <pre class="value" role="status">
            {typeof secret.value === "string" ? secret.value : JSON.stringify(secret.value, null, 2)}
          </pre>
          <button type="button" onClick={() => setSecret(null)}>
            Hide it
          </button>
          <p class="quiet">It hides itself after half a minute.</p>
        </>
      )}
      {isAsking && (
        <Confirm
          title="Show the secret"
          verb="Show it"
          environment={environment}
          onClose={() => setAsking(false)}
          run={async () => {
            setSecret(await client.get<{ value: Json }>(`/api/v1/configs/${pathPart(configId)}/secret`))
            setAsking(false)
          }}
        >
          <p>
            It will stand on this screen in plain text, and that you have read it will stand in the audit.
          </p>
        </Confirm>
      )}
    </div>
  )
}
