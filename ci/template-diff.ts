import { readFile, rm, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { codeBytes, type Stack, stacksIn } from "./assembly.ts"
import { baseCommit } from "./base.ts"
import { installIn, withCheckout } from "./checkout.ts"
import { ask, OUT } from "./command.ts"
import { summarise } from "./summary.ts"

/** Where the text is for who puts it somewhere. */
export const REPORT = join(OUT, "template-diff.md")

const KIB = 1024

/** Where other code is kept, twice: that it is other code, and how much, is what there is to say. */
const ASSET_KEY = /( [├└]─ \[~\] Code\n) [│ ] {3}└─ \[~\] \.S3Key:\n.*\n.*\n/g
const ASSET_PATH = / └─ \[~\] Metadata\n +└─ \[~\] \.aws:asset:path:\n.*\n.*\n/g

/** The differences of one stack, as `cdk diff` tells them; `null`: there are none. */
const stackDiff = async (assembly: string, { name }: Stack, before: Stack): Promise<string | null> => {
  const text = await ask(
    "cdk",
    [
      "diff",
      "--app",
      assembly,
      "--template",
      before.template,
      "--ci",
      "--no-color",
      "--no-change-set",
      "--exclusively",
      name,
    ],
    { environment: { NO_COLOR: "1" } },
  )
  const lines = text
    .replaceAll(ASSET_KEY, "$1")
    .replaceAll(ASSET_PATH, "")
    .split("\n")
    .filter((line) => !/^(Stack |✨|\(NOTE: )/.test(line))
    .join("\n")
    .trim()
  return lines === "" || lines === "There were no differences" ? null : lines
}

const sizesOf = async (stack: Stack | undefined): Promise<ReadonlyMap<string, number>> =>
  stack === undefined ? new Map() : await codeBytes(stack)

const sizeRows = (before: ReadonlyMap<string, number>, now: ReadonlyMap<string, number>): string[] =>
  [...new Set([...before.keys(), ...now.keys()])]
    .filter((name) => before.get(name) !== now.get(name))
    .map((name) => {
      const [was, is] = [before, now].map((sizes) => sizes.get(name))
      const shown = [was, is].map((size) => (size === undefined ? "–" : (size / KIB).toFixed(1)))
      return `| ${name} | ${shown.join(" | ")} |`
    })

/** Longer than any run of backticks within, so that nothing within ends it. */
const fenced = (text: string): string => {
  const longest = Math.max(2, ...[...text.matchAll(/`+/g)].map(([run]) => run.length))
  const fence = "`".repeat(longest + 1)
  return `${fence}text\n${text}\n${fence}`
}

/** Markdown that says what the assembly `now` would alter of what the assembly `before` deployed. */
export const templateDiff = async (before: string, now: string): Promise<string> => {
  const [old, fresh] = await Promise.all([stacksIn(before), stacksIn(now)])
  const parts: string[] = []
  for (const stack of fresh) {
    const was = old.find(({ name }) => name === stack.name)
    if (was === undefined) {
      parts.push(`### ${stack.name}\nis new.`)
      continue
    }
    const diff = await stackDiff(now, stack, was)
    if (diff !== null) parts.push(`### ${stack.name}\n${fenced(diff)}`)
  }
  const gone = old.filter(({ name }) => !fresh.some((stack) => stack.name === name))
  parts.push(
    ...gone.map(
      ({ name }) => `### ${name}\nis not deployed any more; what it made stays until somebody deletes it.`,
    ),
  )
  const production = ({ name }: Stack): boolean => name === "Hotswap-prod"
  const rows = sizeRows(await sizesOf(old.find(production)), await sizesOf(fresh.find(production)))
  if (rows.length > 0)
    parts.push(["### Code", "| function | KiB before | now |", "|---|---:|---:|", ...rows].join("\n"))
  return parts.length === 0 ? "The deployment stays as it is.\n" : `${parts.join("\n\n")}\n`
}

/** Synthesises the commit this one is compared with, and writes down what differs, in `cdk.out` and on the run's page. */
export const writeTemplateDiff = async (): Promise<void> => {
  const base = await baseCommit()
  await rm(REPORT, { force: true })
  await withCheckout(base, async (directory) => {
    await installIn(directory)
    const assembly = join(directory, "cdk.out")
    await ask("cdk", ["synth", "--quiet", "--output", assembly], { directory })
    const text = await templateDiff(assembly, OUT)
    await writeFile(REPORT, `## What this deploys, beside ${base.slice(0, 12)}\n\n${text}`)
  })
  await summarise(await readFile(REPORT, "utf8"))
}
