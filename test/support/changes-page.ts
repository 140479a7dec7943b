import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { EVENTS } from "../core/change/happenings.ts"
import { SITUATIONS, type Situation } from "../core/change/situations.ts"
import { type EventName, expectedOf, type SituationName } from "../core/change/table.ts"

const PAGE = join(import.meta.dirname, "../../docs/changes.md")
const BEGIN = "<!-- Drawn by `npm run docs:changes` from test/core/change/table.ts: change it there. -->\n"
const END = "<!-- The end of what is drawn. -->\n"

/** What an effect is to those who read. */
const EFFECTS: Readonly<Record<string, string>> = {
  publish: "everyone reads it",
  open: "the first readers get it",
  step: "the next get it too",
  exclude: "paused, and the tenant is back on stable",
  settle: "everyone reads it for good",
  drop: "everyone is back on stable",
  return: "everyone reads what was stable before it",
}

const STAYS = "stays"

const situations = Object.keys(SITUATIONS) as SituationName[]
const stateOf = (name: SituationName): string => SITUATIONS[name].status.state

/** The situations by state; a state by itself stands for all of them. */
const fromCell = (names: readonly SituationName[]): string =>
  [...new Set(names.map(stateOf))]
    .map((state) => {
      const those = names.filter((name) => stateOf(name) === state)
      const others = situations.filter((name) => stateOf(name) === state && !those.includes(name))
      if (others.length === 0) return `\`${state}\``
      return others.length < those.length
        ? `\`${state}\` (not: ${wordsOf(others)})`
        : `\`${state}\` (${wordsOf(those)})`
    })
    .join(", ")

const wordsOf = (names: readonly SituationName[]): string =>
  names.map((name) => (SITUATIONS[name] as Situation).words).join("; ")

const toCell = (outcome: string, names: readonly SituationName[]): string => {
  const [to, ...effects] = outcome.split("+") as [string, ...string[]]
  if (to === to.toUpperCase()) return `refused: \`${to}\``
  return [
    to === STAYS || names.every((name) => stateOf(name) === to) ? STAYS : `\`${to}\``,
    ...effects.map((effect) => EFFECTS[effect]),
  ].join("; ")
}

const rowsOf = (event: EventName): string[] => {
  const byOutcome = new Map<string, SituationName[]>()
  for (const name of situations) {
    const expected = expectedOf(name, event)
    if (expected === "CHANGE_STATE" || expected === "REVIEW_NOT_DUE") continue
    const outcome = expected === stateOf(name) ? STAYS : expected
    byOutcome.set(outcome, [...(byOutcome.get(outcome) ?? []), name])
  }
  return [...byOutcome].map(
    ([outcome, names]) => `| ${fromCell(names)} | ${EVENTS[event].words} | ${toCell(outcome, names)} |`,
  )
}

/** The table of `docs/changes.md` as the change machine is tested. */
const changesTable = (): string => `| from | what happens | to |
|---|---|---|
${(Object.keys(EVENTS) as EventName[]).flatMap(rowsOf).join("\n")}
`

/** The page with the table as it should be. */
export const changesPage = (page: string = readFileSync(PAGE, "utf8")): string => {
  const [before, rest] = page.split(BEGIN)
  const after = rest?.split(END)[1]
  if (before === undefined || after === undefined) throw new Error("the page does not say where the table is")
  return `${before}${BEGIN}${changesTable()}${END}${after}`
}

if (import.meta.main) writeFileSync(PAGE, changesPage())
