import { useEffect, useRef, useState } from "preact/hooks"
import { Field } from "./parts/field.tsx"
import { ProblemShown } from "./parts/problem.tsx"
import type { Problem } from "./shapes.ts"

/** What a header can carry. */
const TOKEN = /^[\x21-\x7e]+$/
/** People copy the whole header, or a line with its end. */
const pasted = (text: string): string => text.trim().replace(/^Bearer\s+/i, "")

/** The one thing asked of whoever comes. The token goes into this tab's memory and into the header of each call. */
export const SignIn = ({
  isAsking,
  problem,
  kept,
  onToken,
}: {
  isAsking: boolean
  problem: Problem | null
  /** The token of this tab, which could not be judged. */
  kept: string | null
  onToken: (token: string) => void
}) => {
  const input = useRef<HTMLInputElement>(null)
  const [isOdd, setOdd] = useState(false)
  useEffect(() => {
    document.title = "Sign in · Hotswap"
    if (!isAsking) input.current?.focus()
  }, [isAsking])
  return (
    <section class="card sign-in" aria-labelledby="sign-in">
      <h2 id="sign-in">Sign in</h2>
      {problem && <ProblemShown problem={problem} onReload={kept ? () => onToken(kept) : undefined} />}
      <form
        onSubmit={(event) => {
          event.preventDefault()
          const token = pasted(input.current?.value ?? "")
          setOdd(!TOKEN.test(token))
          if (TOKEN.test(token)) onToken(token)
        }}
      >
        <Field
          label="Token"
          hint="An API token, a token of your identity provider, or the start-up token."
          error={isOdd ? "A token is one word of letters, digits and signs, without spaces." : null}
        >
          {(ids) => (
            <input
              {...ids}
              ref={input}
              type="password"
              autocomplete="off"
              spellcheck={false}
              required
              disabled={isAsking}
            />
          )}
        </Field>
        <button type="submit" class="primary" disabled={isAsking}>
          {isAsking ? "Signing in…" : "Sign in"}
        </button>
        <p class="quiet">It stays in this tab and is gone when you sign out or close it.</p>
      </form>
    </section>
  )
}
