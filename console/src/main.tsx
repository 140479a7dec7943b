import { render } from "preact"
import { useEffect, useMemo, useState } from "preact/hooks"
import { createClient } from "./client.ts"
import { problemOf } from "./problem.ts"
import { forgetAll, isForApplications, keepToken, keptToken, READER_PROBLEM } from "./session.ts"
import type { Problem, Who } from "./shapes.ts"
import { Shell } from "./shell.tsx"
import { SignIn } from "./sign-in.tsx"

/** What the page says to whoever is not signed in: it stands in the page itself. */
const about = document.getElementById("about")

const App = () => {
  const [token, setToken] = useState(keptToken)
  const [who, setWho] = useState<Who | null>(null)
  const [problem, setProblem] = useState<Problem | null>(null)

  const signOut = (why: Problem | null): void => {
    forgetAll()
    setToken(null)
    setWho(null)
    setProblem(why)
  }
  const client = useMemo(() => (token === null ? null : createClient(token, signOut)), [token])

  useEffect(() => {
    if (client === null) return
    const asking = new AbortController()
    client
      .get<Who>("/api/v1/whoami", {}, asking.signal)
      .then((found) => {
        if (isForApplications(found)) signOut(READER_PROBLEM)
        else {
          keepToken(token!)
          setProblem(null)
          setWho(found)
        }
      })
      .catch((error: unknown) => {
        if (asking.signal.aborted) return
        const why = problemOf(error)
        if (why.status >= 400 && why.status < 500) return signOut(why)
        // A token that could not be judged is not forgotten for it.
        setToken(null)
        setProblem(why)
      })
    return () => asking.abort()
  }, [client])

  const isIn = client !== null && who !== null
  useEffect(() => {
    if (about) about.hidden = isIn
    document.documentElement.classList.toggle("signed-in", isIn)
  }, [isIn])

  return isIn ? (
    <Shell client={client} who={who} onSignOut={() => signOut(null)} />
  ) : (
    <SignIn isAsking={token !== null} problem={problem} onToken={setToken} kept={keptToken()} />
  )
}

const root = document.getElementById("console")
if (root) render(<App />, root)
