import { readFileSync } from "node:fs"
import { expect, test } from "vitest"
import { CHANGE_STATES } from "../../../core/change/change.ts"
import { PROBLEMS } from "../../../core/errors.ts"
import { changesPage } from "../../support/changes-page.ts"

const text = readFileSync(new URL("../../../docs/changes.md", import.meta.url), "utf8")

test("docs/changes.md names every state and only codes and actions there are", () => {
  for (const state of CHANGE_STATES) expect(text).toContain(`\`${state}\``)
  const codes = [...text.matchAll(/`([A-Z]+_[A-Z_]+)`/g)].map(([, code]) => code)
  expect(codes.filter((code) => !Object.hasOwn(PROBLEMS, code!))).toEqual([])
  const sources = ["record", "submit", "decide"]
    .map((name) => readFileSync(new URL(`../../../core/change/${name}.ts`, import.meta.url), "utf8"))
    .join()
  const written = [...sources.matchAll(/"((?:change|tenant)\.[a-z_]+)"/g)].map(([, action]) => action!)
  expect(written.length).toBeGreaterThan(8)
  for (const action of written) expect(text).toContain(`\`${action}\``)
})

test("the table in docs/changes.md is the one the change machine is tested by: npm run docs:changes", () => {
  expect(text).toBe(changesPage(text))
})
