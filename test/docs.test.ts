import { existsSync, globSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, test } from "vitest"
import { brokenLinks, parseDocument, readDocuments } from "./support/documents.ts"
import { errorsPage } from "./support/errors-page.ts"
import { ROOT } from "./support/source-tree.ts"

const documents = readDocuments()
const readme = documents.find(({ path }) => path === "README.md")!
const read = (path: string): string => readFileSync(join(ROOT, path), "utf8")
const scripts = Object.keys((JSON.parse(read("package.json")) as { scripts: object }).scripts)

/** Every command line of the documents, from shell blocks and from the running text. */
const commandLines = documents.flatMap(({ path, blocks, spans }) => [
  ...blocks
    .filter(({ language }) => ["sh", "bash"].includes(language))
    .flatMap(({ code }) => code.split("\n").map((line) => ({ path, line }))),
  ...spans.map((line) => ({ path, line })),
])

describe("the documents", () => {
  test.each(documents)("every link of $path leads somewhere", (document) => {
    expect(brokenLinks(document, documents)).toEqual([])
  })

  test("docs/README.md leads to every document", () => {
    const { links } = documents.find(({ path }) => path === "docs/README.md")!
    const others = documents
      .map(({ path }) => path.replace("docs/", ""))
      .filter((path) => !path.startsWith("decisions/") && path !== "README.md")
    expect(others.filter((path) => !links.includes(path))).toEqual([])
  })

  test("docs/api.md names every call there is, and no other", () => {
    const { paths } = JSON.parse(read("docs/openapi.json")) as { paths: Record<string, object> }
    const there = Object.entries(paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
    )
    const told = (read("docs/api.md").match(/`[A-Z ]+ \/[^` ]*`(?=<br>| \|)/g) ?? []).flatMap((span) => {
      const words = span.slice(1, -1).split(" ")
      return words.slice(0, -1).map((method) => `${method} ${words.at(-1)}`)
    })
    expect(told.sort()).toEqual(there.sort())
  })

  test("docs/errors.md says what the registry of problems says", () => {
    expect(read("docs/errors.md"), "run `npm run docs:errors`").toBe(errorsPage())
  })

  test("every npm command they name is there", () => {
    const missing = commandLines.flatMap(({ path, line }) =>
      [...line.matchAll(/\bnpm (run )?([a-z:]+)/g)]
        .filter(
          ([, run, name = ""]) => !(scripts.includes(name) || (!run && ["ci", "install"].includes(name))),
        )
        .map(([command]) => `${path}: ${command}`),
    )
    expect(missing).toEqual([])
  })

  test("every npx command they name is installed", () => {
    const missing = commandLines.flatMap(({ path, line }) =>
      [...line.matchAll(/\bnpx ([a-z][\w-]*)/g)]
        .filter(([, name = ""]) => !existsSync(join(ROOT, "node_modules/.bin", name)))
        .map(([command]) => `${path}: ${command}`),
    )
    expect(missing).toEqual([])
  })

  test("every file and folder of the repository they name is there", () => {
    const missing = documents.flatMap(({ path, spans }) =>
      spans
        .filter((span) => /^(core|db|functions|infra|local|test|bench|docs|sdk)\/[\w./-]*$/.test(span))
        .filter((span) => !existsSync(join(ROOT, span)))
        .map((span) => `${path}: ${span}`),
    )
    expect(missing).toEqual([])
  })

  test("every test that is said to run commands as written is there", () => {
    const named = documents.flatMap(({ path, text }) =>
      [...text.matchAll(/<!-- [^>]*\b(?:run as written|read) by (\S+) -->/g)].map(([, file]) => ({
        path,
        file: file!,
      })),
    )
    expect(named.length).toBeGreaterThan(30)
    expect(named.filter(({ file }) => !existsSync(join(ROOT, file)))).toEqual([])
  })

  test("docs/testing.md tells of every long proof there is", () => {
    const proofs = globSync("test/**/*.prove.ts", { cwd: ROOT })
    const told = read("docs/testing.md").match(/^\| `(test\/.*\.prove\.ts)` \| .+ \| .+ \|$/gm) ?? []
    const named = told.map((row) => row.split("`")[1])
    expect(named.sort(), "add a row: file, what it shows, how long").toEqual(proofs.sort())
  })

  test("every setting in the README is one that the code reads, and the other way round", () => {
    const SETTING = /\b(?:HOTSWAP_[A-Z_]+|DATABASE_(?:[A-Z]+_)?URL|UPSTASH_REDIS_REST_[A-Z]+|REDIS_URL)\b/g
    const sources = globSync("{core,db,functions,local}/**/*.ts", { cwd: ROOT }).map((path) => read(path))
    // What `local` hands to its own children is nobody's to set.
    const internal = /^HOTSWAP_WORKERD/
    const inCode = new Set(
      sources.flatMap((text) => text.match(SETTING) ?? []).filter((name) => !internal.test(name)),
    )
    const inReadme = new Set(readme.spans.flatMap((span) => span.match(SETTING) ?? []))
    expect([...inReadme].sort()).toEqual([...inCode].sort())
  })

  test("decisions are numbered once each and dated", () => {
    const decisions = documents.filter(({ path }) => path.startsWith("docs/decisions/"))
    const numbers = decisions.map(({ path }) => Number(path.slice("docs/decisions/".length).slice(0, 4)))
    expect(new Set(numbers).size).toBe(decisions.length)
    for (const [index, { path, text }] of decisions.entries()) {
      expect(text, path).toMatch(new RegExp(`^# ${numbers[index]}\\. `))
      expect(text, path).toMatch(/^\d{4}-\d{2}-\d{2} · (accepted|replaced)/m)
      expect(text, path).toMatch(/^## Rejected$/m)
    }
  })
})

describe("the README", () => {
  test("begins with the two commands, word for word", () => {
    const commands = readme.blocks.map(({ code }) => code.trim())
    expect(commands.slice(0, 2)).toEqual(["npm ci && npm start", "npm ci && npm test"])
  })
})

describe("the reader of documents", () => {
  test("finds a link that leads nowhere, and takes none from code", () => {
    const text = "# Ä word\n[a](#ä-word) [b](#absent) [c](absent.md) `[d](e.md)`\n```md\n[f](g.md)\n```\n"
    const document = parseDocument("README.md", text)
    expect(brokenLinks(document, [document])).toEqual(["#absent", "absent.md"])
  })
})
