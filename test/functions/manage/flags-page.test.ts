import { readFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, test } from "vitest"
import type { Context } from "../../../core/flag/definition.ts"
import { parseFlag } from "../../../core/flag/flag-document.ts"
import { Flags } from "../../../core/flag/flags.ts"
import type { Json } from "../../../core/json.ts"
import { ROOT } from "../../support/source-tree.ts"

const KEY = "checkout"
const page = readFileSync(join(ROOT, "docs/flags.md"), "utf8")
const examples = page
  .split("```json\n")
  .slice(1)
  .map((part) => part.split("```\n"))
  .map(([definition, rest = ""]) => ({ definition: JSON.parse(definition!) as Json, table: rest }))

interface Row {
  definition: Json
  context: string
  variant: string
  reason: string
}
const rows = examples.flatMap(({ definition, table }) =>
  [...table.matchAll(/^\| `(\{.*\})` \| `(\w+)` \| `(\w+)` \|$/gm)].map(
    ([, context, variant, reason]) => ({ definition, context, variant, reason }) as Row,
  ),
)

describe("docs/flags.md", () => {
  test("shows definitions that are taken", () => {
    for (const { definition } of examples) expect(() => parseFlag(KEY, definition)).not.toThrow()
    expect(examples).toHaveLength(4)
    expect(rows).toHaveLength(7)
  })

  test.each(rows)("says what comes of $context", ({ definition, context, variant, reason }) => {
    const flags = new Flags(new Map([[KEY, parseFlag(KEY, definition)]]))
    // In 2026: before what begins by itself has begun.
    const evaluation = flags.evaluate(KEY, JSON.parse(context) as Context, 1_767_225_600)
    expect(evaluation).toMatchObject({ variant, reason })
  })
})
