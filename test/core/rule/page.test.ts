import { readFileSync } from "node:fs"
import { join } from "node:path"
import { expect, test } from "vitest"
import type { Json } from "../../../core/json.ts"
import { parseRules } from "../../../core/rule/rule-document.ts"
import { parseDocument } from "../../support/documents.ts"
import { ROOT } from "../../support/source-tree.ts"

test("the rules that docs/rules.md shows are rules", () => {
  const { blocks } = parseDocument("docs/rules.md", readFileSync(join(ROOT, "docs/rules.md"), "utf8"))
  const shown = blocks
    .filter(({ language }) => language === "json")
    .map(({ code }) => JSON.parse(code) as Json)
  expect(shown.flatMap(parseRules).map(({ id }) => id)).toEqual(["pool-bounds", "payments", "timeouts"])
})
