import { readFileSync } from "node:fs"
import { join } from "node:path"
import { expect, test } from "vitest"
import { HELP, wantsHelp } from "../../local/help.ts"
import { ROOT } from "../support/source-tree.ts"

const NAME = /\b[A-Z][A-Z_]{3,}\b/g
const namesIn = (text: string): string[] => [...new Set(text.match(NAME))].sort()

test("the help names the settings that the README names, all of them and no others", () => {
  const settings = readFileSync(join(ROOT, "README.md"), "utf8").split("## Settings")[1]!.split("\n## ")[0]!
  const inReadme = settings
    .split("\n")
    .filter((line) => line.startsWith("| `"))
    .map((line) => line.split("|")[1]!)
  expect(inReadme.length).toBeGreaterThan(5)
  expect(namesIn(HELP).filter((name) => name !== "README")).toEqual(namesIn(inReadme.join()))
})

test.each([
  [[], false],
  [["--help"], true],
  [["-h"], true],
] as const)("%j asks for help: %s", (args, wanted) => {
  expect(wantsHelp([...args])).toBe(wanted)
})
