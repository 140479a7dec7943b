import { readFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, test } from "vitest"
import { scheduleInForce, TIER_SCHEDULES } from "../core/backup/schedule.ts"
import { ARCHIVED, NOT_ARCHIVED } from "../core/backup/tables.ts"
import { parsedFor } from "../sdk/src/cli/command.ts"
import { COMMANDS } from "../sdk/src/cli/run.ts"
import { readDocuments } from "./support/documents.ts"
import { ROOT } from "./support/source-tree.ts"

const documents = readDocuments()
const page = documents.find(({ path }) => path === "docs/backup.md")!
const runbooks = documents.filter(({ path }) => path.startsWith("docs/runbooks/"))

/** As a shell takes a line apart, as far as these documents go. */
const wordsOf = (line: string): string[] =>
  (line.replace(/ < \/dev\/null.*| > \S+.*/, "").match(/"[^"]*"|'[^']*'|\S+/g) ?? []).map((word) =>
    word.replaceAll(/["']/g, ""),
  )

/** What is wrong with a command of the tool; `null`: nothing. */
const wrongWith = (line: string): string | null => {
  const words = wordsOf(line)
  const command = [2, 1]
    .map((count) => COMMANDS.find(({ name }) => name === words.slice(0, count).join(" ")))
    .find(Boolean)
  if (!command) return "there is no such command"
  try {
    parsedFor(command, words.slice(command.name.split(" ").length))
    return null
  } catch (error) {
    return (error as Error).message
  }
}

describe("docs/backup.md", () => {
  test("names every table that is in an archive, and every one that is not, with the reason", () => {
    const rows = [
      ...ARCHIVED.map(({ name, inClones }) => `| \`${name}\` | ${inClones} |`),
      ...Object.entries(NOT_ARCHIVED).map(([name, why]) => `| \`${name}\` | ${why} |`),
    ]
    const told =
      page.text.match(/^\| `[a-z_]+` \| (copied|left) \|$|^\| `(?!hotswap_)[a-z_]+` \| .+ \|$/gm) ?? []
    expect(told.filter((row) => rows.includes(row)).sort()).toEqual([...rows].sort())
  })

  test("says of each tier how often, and what is kept", () => {
    const cells = (name: string) =>
      page.text
        .split("\n")
        .find((line) => line.startsWith(`| ${name}`))!
        .split("|")
        .slice(2, 5)
        .map((cell) => cell.trim())
    const numbers = (field: "keepLast" | "keepDaily" | "keepWeekly" | "keepMonthly") =>
      (["Free", "Pro", "Enterprise"] as const).map((tier) => String(TIER_SCHEDULES[tier][field] || "–"))
    expect(cells("a backup every")).toEqual(["24 hours", "6 hours", "hour"])
    expect(Object.values(TIER_SCHEDULES).map(({ everyHours }) => everyHours)).toEqual([24, 6, 1])
    expect(scheduleInForce(null, null).everyHours).toBe(1)
    expect(cells("kept: the last")).toEqual(numbers("keepLast"))
    expect(cells("and the last of each of so many days")).toEqual(numbers("keepDaily"))
    expect(cells("weeks")).toEqual(numbers("keepWeekly"))
    expect(cells("months")).toEqual(numbers("keepMonthly"))
  })

  test.each(["docs/backup.md", "docs/disaster-recovery.md"])("every runbook is found from %s", (from) => {
    const { links } = documents.find(({ path }) => path === from)!
    const named = links.map((link) => link.split("#")[0])
    for (const { path } of runbooks) expect(named).toContain(path.replace("docs/", ""))
  })

  test("what docs/disaster-recovery.md promises of archives is what each tier's schedule brings", () => {
    const { text } = documents.find(({ path }) => path === "docs/disaster-recovery.md")!
    const [, hour, pro, free] =
      /Archives alone: (an hour) for Enterprise, (\d+) for Pro, (\d+) for Free/.exec(text)!
    const { Free, Pro, Enterprise } = TIER_SCHEDULES
    expect([hour && 1, Number(pro), Number(free)]).toEqual(
      [Enterprise, Pro, Free].map((one) => one.everyHours),
    )
  })
})

describe("the runbooks", () => {
  test.each(runbooks)("$path says what still works, the recovery point and the recovery time", ({ text }) => {
    for (const cell of ["what still works", "recovery point", "recovery time"]) expect(text).toContain(cell)
  })

  const lines = [page, ...runbooks].flatMap(({ path, blocks }) =>
    blocks
      .filter(({ language }) => language === "sh")
      .flatMap(({ code }) =>
        code
          .replaceAll("\\\n", " ")
          .split("\n")
          .map((line) => ({ path, line })),
      ),
  )

  test("every hotswap command they name is one that the tool has, with options that it knows", () => {
    const found = lines.flatMap(({ path, line }) =>
      [...line.matchAll(/\bhotswap ([^|;)]+)/g)].map(([, words]) => ({ path, words: words! })),
    )
    expect(found.length).toBeGreaterThan(20)
    for (const { path, words } of found) expect([path, words, wrongWith(words)]).toEqual([path, words, null])
  })

  test("every call they name is of a route that there is", () => {
    const { paths } = JSON.parse(readFileSync(join(ROOT, "docs/openapi.json"), "utf8")) as {
      paths: Record<string, Record<string, unknown>>
    }
    const routes = Object.entries(paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => ({
        method: method.toUpperCase(),
        pattern: new RegExp(`^${path.replaceAll(/\{[^}]+\}/g, "[^/]+")}$`),
      })),
    )
    const calls = lines.flatMap(({ path, line }) =>
      [...line.matchAll(/curl -sS(?: -X ([A-Z]+))? "\$HOTSWAP_URL([^"?]+)/g)].map(
        ([, method = "GET", url]) => ({ path, method, url: url!.replace(/\$\{AFTER.*/, "") }),
      ),
    )
    expect(calls.length).toBeGreaterThan(15)
    const missing = calls.filter(
      ({ method, url }) => !routes.some((route) => route.method === method && route.pattern.test(url)),
    )
    expect(missing).toEqual([])
  })
})
