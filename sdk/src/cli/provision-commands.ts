import { readFile } from "node:fs/promises"
import { type Command, given, type Option, type Run } from "./command.ts"
import { Failure, wrongUsage } from "./failure.ts"
import { writePlan } from "./provision-files.ts"
import { type Answer, word } from "./service.ts"
import { bar } from "./terminal.ts"

const BACKENDS: Readonly<Record<string, Option>> = {
  backends: { value: "names", about: "of metrics, logs and traces, with commas; none takes away what was" },
}
const OUT: Readonly<Record<string, Option>> = {
  out: { value: "folder", about: "where the documents and values are written to" },
}
const WAIT: Readonly<Record<string, Option>> = { wait: { about: "until it is over" } }

const pathOf = (run: Run, name = ""): string => `/api/v1/tenants/${word(run.words[0]!)}/provisioning${name}`

const backendsOf = (run: Run): string[] => {
  const names = run.text("backends")
  if (names === undefined) throw wrongUsage("say which with --backends, like --backends metrics,logs")
  return names === "none" ? [] : names.split(",")
}

const differenceText = ({ difference }: Answer): string => {
  const { added, altered, same, remains } = difference as Record<string, string[]>
  return [
    ...added!.map((name) => `+ ${name}`),
    ...altered!.map((name) => `~ ${name}`),
    ...same!.map((name) => `  ${name}`),
    ...remains!.map((name) => `- ${name}`),
  ].join("\n")
}

const plan: Command = {
  name: "provision plan",
  words: ["<tenant>"],
  about: "Says what a tenant's tier asks for, and what differs from what was applied last; alters nothing.",
  options: { ...BACKENDS, ...OUT },
  run: async (run) => {
    const answer = await run.service.send("POST", pathOf(run, "/plan"), { backends: backendsOf(run) })
    const folder = run.text("out")
    if (folder !== undefined) await writePlan(folder, answer.plan as Answer)
    run.answer(answer, `${differenceText(answer)}\n  digest ${answer.digest}`.trimStart())
  },
}

const apply: Command = {
  name: "provision apply",
  words: ["<tenant>"],
  about: "Has it made: writes the documents, and says by which commands they are applied.",
  options: {
    ...BACKENDS,
    digest: { value: "digest", about: "of the plan that was looked at; any other is refused" },
    move: { about: "brings over the metrics of the backend that the tenant has now" },
    "since-days": { value: "days", about: "how far back; otherwise as long as the plan keeps them" },
    out: { value: "folder", about: "where to; otherwise one that is named after the tenant" },
  },
  run: async (run) => {
    const body = given({
      backends: backendsOf(run),
      digest: run.text("digest"),
      move: run.flag("move") || undefined,
      sinceDays: run.number("since-days"),
    })
    const answer = await run.service.send("POST", pathOf(run, "/apply"), body)
    const folder = run.text("out") ?? `provisioning-${run.words[0]}`.replaceAll(/[^A-Za-z0-9._-]/g, "_")
    const commands = await writePlan(folder, answer.plan as Answer)
    const last = commands.length > 0 ? "confirm" : "status"
    run.answer(answer, [...commands, `hotswap provision ${last} ${run.words[0]} --wait`].join("\n"))
  },
}

const stateText = ({ state, words, pass, remains, outdated }: Answer): string => {
  const { nth, share, samples } = (pass ?? {}) as Record<string, number>
  return [
    String(state),
    pass ? `${bar(share!)}  time ${nth}, ${samples} samples compared` : "",
    typeof words === "string" ? words : "",
    outdated === true ? "the tier or the template ask for something else by now: apply anew" : "",
    ...(state === "retiring" || state === "cancelled"
      ? (remains as string[]).map((name) => `- ${name}`)
      : []),
  ]
    .filter((line) => line !== "")
    .join("\n")
}

const PAUSE_MS = 2_000
const OVER = ["active", "retiring", "cancelled", "failed"]

const tell = async (run: Run, first: Answer): Promise<void> => {
  let answer = first
  try {
    while (run.flag("wait") && !OVER.includes(String(answer.state))) {
      if (answer.state === "applying")
        throw new Failure("it waits for its documents to be applied: hotswap provision confirm")
      run.line.show(stateText(answer).replaceAll("\n", "  "))
      await run.service.pause(PAUSE_MS)
      answer = await run.service.get(pathOf(run))
    }
  } finally {
    run.line.end()
  }
  if (run.flag("wait") && answer.state === "failed") throw new Failure(`failed: ${answer.words}`)
  run.answer(answer, stateText(answer))
}

const status: Command = {
  name: "provision status",
  words: ["<tenant>"],
  about: "How far it is.",
  options: WAIT,
  run: async (run) => tell(run, await run.service.get(pathOf(run))),
}

const onward = (name: string, about: string, options: Readonly<Record<string, Option>> = {}): Command => ({
  name: `provision ${name}`,
  words: ["<tenant>"],
  about,
  options,
  run: async (run) => {
    const body = options["leave-behind"] && run.flag("leave-behind") ? { leaveBehind: true } : {}
    await tell(run, await run.service.send("POST", pathOf(run, `/${name}`), body))
  },
})

const TEMPLATE = "/api/v1/provisioning-template"

const template: Command = {
  name: "provision template",
  words: ["[file]"],
  about: "What tenants' backends are made of, by tier; with a file, what they are to be made of.",
  run: async (run) => {
    const [file] = run.words
    const answer =
      file === undefined
        ? await run.service.get(TEMPLATE)
        : await run.service.send("PUT", TEMPLATE, await templateIn(file))
    run.answer(answer, JSON.stringify(answer, null, 2))
  },
}

const templateIn = async (file: string): Promise<object> => {
  try {
    return JSON.parse(await readFile(file, "utf8"))
  } catch (error) {
    throw wrongUsage(`${file} cannot be read as JSON: ${(error as Error).message}`)
  }
}

export const PROVISION_COMMANDS: readonly Command[] = [
  template,
  plan,
  apply,
  onward("confirm", "Says that the documents are applied: what they made is tried, and led to.", WAIT),
  status,
  onward("retry", "Tries again what failed.", WAIT),
  onward("cancel", "Gives it up; what was made stays until it is taken away.", {
    "leave-behind": { about: "what has not come over yet stays at the former backend" },
  }),
  onward("retire", "Says that what remained of earlier plans is taken away."),
]
