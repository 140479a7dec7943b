import { useState } from "preact/hooks"
import { useConsole, useLinks } from "../console.tsx"
import type { Json, Policy, Problem, Rule, RulesShown } from "../shapes.ts"
import { layerOf, pretty } from "../words.ts"
import { LayerBadge } from "./badge.tsx"
import { readJson } from "./json-text.ts"
import { PolicyReview, type Written } from "./policy-review.tsx"
import { ProblemShown } from "./problem.tsx"
import { JsonField } from "./value-editor.tsx"

const isRuleList = (value: Json): value is Json & Rule[] => Array.isArray(value)

/** By their ids, or by where they stand. */
const byId = (rules: readonly Rule[]): Record<string, Json> =>
  Object.fromEntries(
    rules.map((rule, nth) => [String(rule?.id ?? `number ${nth + 1}`), rule as unknown as Json]),
  )

/** What holds between configs, and what of that does not hold now. */
export const RulesInForce = ({ rules, broken = [] }: RulesShown) => {
  const { tenant } = useConsole()
  const link = useLinks()
  if (rules.length === 0) return <p class="quiet">Nothing has to hold between configs.</p>
  return (
    <ul class="rules">
      {rules.map(({ scope, id, description, ...conditions }) => {
        const breach = broken.find((one) => one.scope === scope && one.id === id)
        return (
          <li key={`${scope} ${id}`}>
            <p>
              <code>{id}</code> <LayerBadge layer={layerOf(scope)} scope={scope} />
            </p>
            <p>{description}</p>
            {breach && (
              <p class="hold">
                It does not hold now, for readers on {breach.arms.join(" and ")}:{" "}
                {breach.keys.map((key, nth) => (
                  <>
                    {nth > 0 && ", "}
                    <a href={link("configs", key, { tenant })}>{key}</a>
                  </>
                ))}
                {breach.failure && ` (${breach.failure})`}
              </p>
            )}
            <details>
              <summary>Its conditions</summary>
              <pre class="value">{pretty(conditions as Json)}</pre>
            </details>
          </li>
        )
      })}
    </ul>
  )
}

/** The scope's own rules as JSON, with what is wrong with them where it stands. */
export const RulesEditor = ({
  shown,
  policy,
  onReload,
}: {
  shown: RulesShown
  policy: Pick<Policy, "stages">
  onReload: () => void
}) => {
  const [edited, setEdited] = useState<{ text: string; base: RulesShown } | null>(null)
  const [written, setWritten] = useState<Written | null>(null)
  const [problem, setProblem] = useState<Problem | null>(null)
  const base = edited?.base ?? shown
  const text = edited?.text ?? pretty(shown.own as unknown as Json)
  const read = readJson(text)
  const rules = "value" in read && isRuleList(read.value) ? read.value : null
  const afresh = (): void => {
    setEdited(null)
    setWritten(null)
    setProblem(null)
    onReload()
  }
  // The service names places in its own body, of which the list is one member.
  const wrongs = (problem?.errors ?? []).map(({ path, message }) => ({
    path: path.replace(/^\/rules(?=\/|$)/, ""),
    message,
  }))
  return (
    <>
      <form
        onSubmit={(event) => {
          event.preventDefault()
          if (!rules || !edited) return
          const { own, version } = base
          setWritten({
            part: "rules",
            body: { rules },
            before: byId(own),
            after: byId(rules),
            version,
          })
        }}
      >
        {problem && <ProblemShown problem={{ ...problem, errors: [] }} />}
        <JsonField
          label="Rules"
          text={text}
          wrongs={wrongs}
          onText={(next) => {
            setEdited({ text: next, base })
            setProblem(null)
          }}
          hint="A list of rules, each with an id, a description, require or forbid, and when, if it is not always asked: JSON Logic over configs by their keys."
        />
        {"value" in read && !rules && <p class="wrong">It is no list.</p>}
        <div class="actions">
          <button type="submit" class="primary" disabled={!edited || !rules}>
            Review the rules
          </button>
          {edited && (
            <button type="button" onClick={afresh}>
              As they were
            </button>
          )}
        </div>
      </form>
      {written && (
        <PolicyReview
          written={written}
          policy={policy}
          onWrong={(found) => {
            setWritten(null)
            setProblem(found)
          }}
          onClose={() => setWritten(null)}
          onReload={afresh}
          onDone={afresh}
        />
      )}
    </>
  )
}
