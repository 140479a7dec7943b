import { writeFile } from "node:fs/promises"
import type { Json } from "../../../core/json.ts"
import { type Command, given, type Option, type Run } from "./command.ts"
import { outcomeOf } from "./config-commands.ts"
import { formatOf, readDocument, writeDocument } from "./config-file.ts"
import { Failure, wrongUsage } from "./failure.ts"
import { type Answer, Refused, word } from "./service.ts"
import { table } from "./terminal.ts"

const FORMAT: Option = {
  value: "format",
  about: "json or yaml; otherwise as the file's name ends, and JSON where it has none",
}
const ENVIRONMENT: Readonly<Record<string, Option>> = {
  environment: { value: "environment", about: "which one" },
}
const COMMENT: Readonly<Record<string, Option>> = {
  comment: { value: "text", about: "why; those who approve read it" },
}

const environmentOf = (run: Run): string => {
  const environment = run.text("environment")
  if (environment === undefined) throw wrongUsage("--environment says which one")
  return environment
}

const pathOf = (tenant: string, environment: string): string =>
  `/api/v1/tenants/${word(tenant)}/environments/${word(environment)}/rules`

/** The rules of a file: the list itself, or as `rules get` writes it. */
const rulesIn = async (run: Run, path: string): Promise<Json> => {
  const document = await readDocument(path, formatOf(path, run.text("format")))
  if (Array.isArray(document)) return document
  const { rules, ...others } = (document ?? {}) as { rules?: Json }
  if (!Array.isArray(rules) || Object.keys(others).length > 0)
    throw wrongUsage(`${path}: expected a list of rules, or {"rules": […]}`)
  return rules
}

interface Checked {
  id: string
  description: string
  keys: string[]
  holds: boolean
  arms: string[]
  failure?: string
}
interface Breaking {
  tenants: number
  lookedAt: number
  examples: { tenantId: string }[]
}

const brokenText = ({ holds, arms, failure }: Checked): string =>
  holds ? "holds" : `broken on ${arms.join(" and ")}${failure === undefined ? "" : `: ${failure}`}`

const breakingText = ({ tenants, lookedAt, examples }: Breaking): string =>
  `does not hold at ${tenants} of ${lookedAt} tenants${tenants === 0 ? "" : `: ${examples.map(({ tenantId }) => tenantId).join(", ")}`}`

/** Says which of them hold; fails where they would not be taken. */
const checkThere = async (run: Run, path: string, rules: Json): Promise<void> => {
  const answer = await run.service.send("POST", `${path}/check`, { rules })
  const checked = answer.rules as Checked[]
  const rows = checked.map((rule) => [rule.id, brokenText(rule), rule.keys.join(", ")])
  const lines = [
    rows.length === 0 ? "no rules" : table(["rule", "now", "about"], rows),
    ...(answer.breaking ? [breakingText(answer.breaking as Breaking)] : []),
  ]
  run.answer(answer, lines.join("\n"))
  const problem = answer.problem as Answer | null
  if (problem) throw new Failure(`${problem.code}: ${problem.detail}`)
}

const putThere = async (run: Run, path: string, rules: Json): Promise<void> => {
  try {
    const answer = await run.service.send("PUT", path, { rules, ...given({ comment: run.text("comment") }) })
    if (answer.state !== undefined) run.terminal.note(`hotswap: ${answer.changeId} ${outcomeOf(answer)}\n`)
    run.answer(answer, String(answer.changeId))
  } catch (error) {
    if (!(error instanceof Refused) || error.code !== "CHANGE_EMPTY") throw error
    run.answer({ changeId: null }, "nothing to change")
  }
}

const ownRules = async (run: Run, tenant: string, environment: string): Promise<Json[]> =>
  (await run.service.get(pathOf(tenant, environment))).own as Json[]

const get: Command = {
  name: "rules get",
  words: ["<tenant>"],
  about: "Writes the rules that a tenant's environment has of its own, as JSON or YAML.",
  options: {
    ...ENVIRONMENT,
    out: { value: "file", about: "where to; otherwise to standard output" },
    format: FORMAT,
  },
  run: async (run) => {
    const out = run.text("out")
    const format = formatOf(out, run.text("format"))
    const rules = await ownRules(run, run.words[0]!, environmentOf(run))
    const text = writeDocument({ rules }, format)
    if (out !== undefined) await writeFile(out, text)
    run.answer({ rules }, out ?? text.replace(/\n$/, ""))
  },
}

const check: Command = {
  name: "rules check",
  words: ["<tenant>", "<file>"],
  about:
    "Says which rules of a file hold for what is there now; fails where they would not be taken, and alters nothing.",
  options: { ...ENVIRONMENT, format: FORMAT },
  run: async (run) => {
    const [tenant, file] = run.words
    await checkThere(run, pathOf(tenant!, environmentOf(run)), await rulesIn(run, file!))
  },
}

const set: Command = {
  name: "rules set",
  words: ["<tenant>", "<file>"],
  about:
    "Makes the rules of a file those of a tenant's environment, in full; where the policy asks, that waits for approval.",
  options: { ...ENVIRONMENT, ...COMMENT, format: FORMAT },
  run: async (run) => {
    const [tenant, file] = run.words
    await putThere(run, pathOf(tenant!, environmentOf(run)), await rulesIn(run, file!))
  },
}

const promote: Command = {
  name: "rules promote",
  words: ["<tenant>"],
  about: "Gives another environment the rules that a tenant has in this one, in place of those it has there.",
  options: {
    from: { value: "environment", about: "whose rules" },
    "to-environment": { value: "environment", about: "which one gets them" },
    "dry-run": { about: "says which of them hold there, and alters nothing" },
    ...COMMENT,
  },
  run: async (run) => {
    const tenant = run.words[0]!
    const [from, to] = [run.text("from"), run.text("to-environment")]
    if (from === undefined || to === undefined)
      throw wrongUsage("--from and --to-environment say which environments")
    const rules = await ownRules(run, tenant, from)
    // Nobody means to take rules away by this.
    if (rules.length === 0) throw new Failure(`${tenant} has no rules of its own in ${from}`)
    await (run.flag("dry-run") ? checkThere : putThere)(run, pathOf(tenant, to), rules)
  },
}

export const RULE_COMMANDS: readonly Command[] = [get, check, set, promote]
