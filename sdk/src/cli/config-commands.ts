import { writeFile } from "node:fs/promises"
import type { Command, Option, Run } from "./command.ts"
import { type ConfigFile, FORMATS, formatOf, readConfigFile, writeConfigText } from "./config-file.ts"
import { asInFile, type Edit, editsOf, linesOf, type Standing, standingOf } from "./config-plan.ts"
import { Failure, oneLine, wrongUsage } from "./failure.ts"
import type { Answer } from "./service.ts"

const FORMAT: Option = {
  value: "format",
  about: `${FORMATS.join(", ")}; otherwise as the file's name ends, and JSON where it has none`,
}
const WHERE: Readonly<Record<string, Option>> = {
  tenant: { value: "tenant", about: "which one; otherwise the one that the file names" },
  environment: { value: "environment", about: "which one; otherwise the one that the file names" },
  format: FORMAT,
  prune: { about: "what the file does not have is deleted" },
}

interface Place {
  tenantId: string
  environment: string
}

const standingsOf = async (run: Run, { tenantId, environment }: Place): Promise<Standing[]> =>
  (await run.service.list("/api/v1/configs", { tenantId, environment, limit: "200" })).map(standingOf)

const note = (run: Run, text: string): void => run.terminal.note(`hotswap: ${oneLine(text)}\n`)

const exported: Command = {
  name: "export",
  words: ["<tenant>"],
  about:
    "Writes the configs of a tenant's environment as JSON, YAML or .env; of secrets only that they are there.",
  options: {
    environment: { value: "environment", about: "which one" },
    out: { value: "file", about: "where to; otherwise to standard output" },
    format: FORMAT,
  },
  run: async (run) => {
    const tenantId = run.words[0]!
    const environment = run.text("environment")
    if (environment === undefined) throw wrongUsage("--environment says which one is exported")
    const out = run.text("out")
    const format = formatOf(out, run.text("format"))
    const standings = await standingsOf(run, { tenantId, environment })
    const configs = new Map(standings.map((standing) => [standing.key, asInFile(standing)]))
    const file: ConfigFile = { tenantId, environment, configs, valuesOnly: format === "env" }
    const lost = [...configs].filter(([, config]) => Object.keys(config).some((name) => name !== "value"))
    if (format === "env" && lost.length > 0)
      note(
        run,
        `.env has values only: what else there is of ${lost.map(([key]) => key).join(", ")} is left out`,
      )
    const text = writeConfigText(file, format)
    if (out !== undefined) await writeFile(out, text)
    run.answer({ ...file, configs: Object.fromEntries(configs) }, out ?? text.replace(/\n$/, ""))
  },
}

/** What a file wants of its tenant's environment, and what of that is not so yet. */
interface Found extends Place {
  standings: Standing[]
  edits: Edit[]
}

const foundOf = async (run: Run, path: string, place: Partial<Place>, isPlain: boolean): Promise<Found> => {
  const file = await readConfigFile(path, formatOf(path, run.text("format")), isPlain)
  const tenantId = place.tenantId ?? file.tenantId
  const environment = place.environment ?? file.environment
  if (tenantId === undefined) throw wrongUsage(`${path} names no tenant: say which with --tenant`)
  if (environment === undefined)
    throw wrongUsage(`${path} names no environment: say which with --environment`)
  const standings = await standingsOf(run, { tenantId, environment })
  return { tenantId, environment, standings, edits: editsOf(file, standings, !isPlain && run.flag("prune")) }
}

const namedPlace = (run: Run): Partial<Place> =>
  Object.fromEntries(
    Object.entries({ tenantId: run.text("tenant"), environment: run.text("environment") }).filter(
      ([, value]) => value !== undefined,
    ),
  )

const bodyOf = (run: Run, { tenantId, environment, edits }: Found): Answer => {
  const comment = run.text("comment")
  return {
    tenantId,
    environment,
    edits,
    ...(comment === undefined ? {} : { comment }),
    ...(run.flag("approval-required") ? { approvalRequired: true } : {}),
  }
}

const NOTHING = "nothing to change"

const rolesOf = (stages: unknown): string =>
  (stages as { role: string; required: number }[])
    .map(({ role, required }) => (required > 1 ? `${required} × ${role}` : role))
    .join(", ")

const planText = (found: Found, { stages, plan }: Answer): string => {
  const steps = (plan as { weightBp: number }[]).length
  return [
    ...linesOf(found.edits, found.standings).map(oneLine),
    "",
    (stages as unknown[]).length > 0 ? `waits for the approval of: ${rolesOf(stages)}` : "needs no approval",
    steps > 0 ? `is rolled out in ${steps} ${steps === 1 ? "step" : "steps"}, then live` : "is live at once",
  ].join("\n")
}

const plan: Command = {
  name: "plan",
  words: ["<file>"],
  about:
    "Says what has to change for a tenant's environment to be as the file has it, and who has to approve; alters nothing.",
  options: {
    ...WHERE,
    check: { about: "fails where there is anything to change, for a pipeline" },
  },
  run: async (run) => {
    const found = await foundOf(run, run.words[0]!, namedPlace(run), false)
    const { length } = found.edits
    if (length === 0) return run.answer({ edits: [] }, NOTHING)
    const preview = await run.service.send("POST", "/api/v1/changes/preview", bodyOf(run, found))
    if (preview.valid !== true) {
      const { code, detail, errors } = preview.problem as Answer
      for (const { message } of errors as { message: string }[]) note(run, message)
      throw new Failure(`${code}: ${detail}`)
    }
    run.answer(preview, planText(found, preview))
    if (run.flag("check"))
      throw new Failure(
        `${length} of ${found.tenantId} in ${found.environment} ${length === 1 ? "is" : "are"} not as the file has it`,
      )
  },
}

/** What has become of a change that was filed, in a few words. */
export const outcomeOf = ({ state, stages, waitingFor, weightBp, startAt }: Answer): string => {
  switch (state) {
    case "live":
      return "is live"
    case "awaiting_approval":
      return `waits for the approval of: ${rolesOf(stages)}`
    case "rolling_out":
      return `rolls out, to ${Number(weightBp) / 100} % so far`
    case "scheduled":
      return waitingFor ? `waits for ${waitingFor}` : startAt ? `starts at ${startAt}` : "is about to start"
    default:
      return `is ${state}`
  }
}

const filed = async (run: Run, found: Found): Promise<void> => {
  if (found.edits.length === 0) return run.answer({ edits: [] }, NOTHING)
  const change = await run.service.send("POST", "/api/v1/changes", bodyOf(run, found))
  note(run, `${found.edits.length} to change: ${change.changeId} ${outcomeOf(change)}`)
  run.answer(change, String(change.changeId))
}

const FILING: Readonly<Record<string, Option>> = {
  comment: { value: "text", about: "why; those who approve read it" },
  "approval-required": { about: "asks for approval also where no policy does" },
}

const apply: Command = {
  name: "apply",
  words: ["<file>"],
  about:
    "Files the change that makes a tenant's environment what the file has; where the policy asks, it waits for approval.",
  options: { ...WHERE, ...FILING },
  run: async (run) => filed(run, await foundOf(run, run.words[0]!, namedPlace(run), false)),
}

const imported: Command = {
  name: "import",
  words: ["<tenant>", "<file>"],
  about:
    "Takes keys and values of elsewhere, as one change; what else a config has stays, and nothing is deleted.",
  options: {
    environment: { value: "environment", about: "which one" },
    format: FORMAT,
    ...FILING,
  },
  run: async (run) => {
    const [tenantId, path] = run.words as [string, string]
    const environment = run.text("environment")
    if (environment === undefined) throw wrongUsage("--environment says where to")
    await filed(run, await foundOf(run, path, { tenantId, environment }, true))
  },
}

export const CONFIG_COMMANDS: readonly Command[] = [exported, imported, plan, apply]
