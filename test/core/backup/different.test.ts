import { readFile } from "node:fs/promises"
import { expect, test } from "vitest"
import { CHANGE_IDS, TOKEN_IDS } from "../../../core/backup/named-ids.ts"
import { DIFFERENT } from "../../../core/backup/remap.ts"

test("docs/clone.md lists what is different in a clone, place by place", async () => {
  const [, page = ""] = /<!-- different:[^>]*-->\n([\s\S]*?)<!-- different: end -->/.exec(
    await readFile("docs/clone.md", "utf8"),
  )!
  const rows = Object.entries(DIFFERENT).flatMap(([table, places]) =>
    Object.entries(places).map(
      ([place, why]) => `| ${table === "*" ? "every table" : `\`${table}\``} | \`${place}\` | ${why} |`,
    ),
  )
  expect(page.trim().split("\n").slice(2)).toEqual(rows)
})

test("every place that is made over is on that list", () => {
  for (const places of [CHANGE_IDS, TOKEN_IDS])
    for (const [table, paths] of Object.entries(places))
      expect(Object.keys(DIFFERENT[table]!)).toEqual(expect.arrayContaining([...paths]))
})
