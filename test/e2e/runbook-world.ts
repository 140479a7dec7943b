import { execFile } from "node:child_process"
import { mkdir, mkdtemp, readFile, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { promisify } from "node:util"
import { buildCommand } from "../../sdk/build.ts"
import { readDocuments } from "../support/documents.ts"
import type { RunningHotswap } from "../support/hotswap.ts"
import { ROOT } from "../support/source-tree.ts"

const run = promisify(execFile)
const NODE = join(ROOT, "node_modules/.bin/node")
const documents = readDocuments()

/** The commands that a page says are run as written, in their order. */
export const commandsOf = (page: string, name: string): string => {
  const { text } = documents.find(({ path }) => path === page)!
  const found = [...text.matchAll(new RegExp(`<!-- ${name}: [^>]* -->\\n\`\`\`sh\\n([\\s\\S]*?)\`\`\``, "g"))]
  if (found.length === 0) throw new Error(`${page} has no commands called "${name}"`)
  return found.map(([, code]) => code).join("\n")
}

/** Answers as `aws secretsmanager` does, of the secrets that are files beside it; anything else fails. */
const AWS = `
  import { readFileSync, writeFileSync } from "node:fs"
  const [service, does, ...rest] = process.argv.slice(2)
  const given = Object.fromEntries(rest.flatMap((word, at) => (at % 2 === 0 ? [[word, rest[at + 1]]] : [])))
  const file = new URL("secrets/" + given["--secret-id"].replaceAll("/", "."), import.meta.url)
  const asked = [service, does, given["--query"], given["--output"], given["--secret-string"]].join(" ")
  if (asked === "secretsmanager get-secret-value SecretString text ") process.stdout.write(readFileSync(file, "utf8") + "\\n")
  else if (asked === "secretsmanager put-secret-value   file:///dev/stdin") {
    readFileSync(file)
    writeFileSync(file, readFileSync(0, "utf8").trim())
    console.log("{}")
  } else throw new Error("aws does not know: " + process.argv.slice(2).join(" "))
`

export interface RunbookWorld {
  folder: string
  /** Runs commands as somebody would who reads them, with the command line and Node at hand. */
  shell(hotswap: RunningHotswap, commands: string, more?: Record<string, string>): Promise<string>
  putSecret(name: string, value: object): Promise<void>
  secretOf(name: string): Promise<Record<string, string>>
}

/** A folder to work in, with \`hotswap\`, \`node\` and a stand-in for \`aws\` in its path. */
export const runbookWorld = async (): Promise<RunbookWorld> => {
  const folder = await mkdtemp(join(tmpdir(), "hotswap-runbooks-"))
  await Promise.all([
    buildCommand(join(folder, "dist")),
    ...["bin", "secrets"].map((name) => mkdir(join(folder, name))),
  ])
  await writeFile(join(folder, "aws.mjs"), AWS)
  const commands = { node: "", hotswap: join(folder, "dist/hotswap.js"), aws: join(folder, "aws.mjs") }
  for (const [name, script] of Object.entries(commands)) {
    const words = [NODE, script].filter(Boolean).map((word) => `'${word}'`)
    await writeFile(join(folder, "bin", name), `#!/bin/sh\nexec ${words.join(" ")} "$@"\n`, { mode: 0o755 })
  }
  const fileOf = (secret: string): string => join(folder, "secrets", secret.replaceAll("/", "."))
  return {
    folder,
    shell: async (hotswap, commands, more = {}) => {
      const env = {
        PATH: `${folder}/bin:${process.env.PATH}`,
        HOTSWAP_URL: hotswap.url,
        HOTSWAP_TOKEN: hotswap.adminToken,
        HOTSWAP_HOME: hotswap.home,
        ...more,
      }
      return (await run("bash", ["--norc", "-euo", "pipefail", "-c", commands], { cwd: folder, env })).stdout
    },
    putSecret: (name, value) => writeFile(fileOf(name), JSON.stringify(value)),
    secretOf: async (name) => JSON.parse(await readFile(fileOf(name), "utf8")) as Record<string, string>,
  }
}

/** What the service answers, which has to be good. */
export const must = async (
  answer: Promise<{ status: number; body: unknown }>,
): Promise<Record<string, unknown>> => {
  const { status, body } = await answer
  if (status >= 300) throw new Error(`${status} ${JSON.stringify(body)}`)
  return body as Record<string, unknown>
}
