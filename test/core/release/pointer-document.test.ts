import { expect, test } from "vitest"
import type { ChangeId, ViewId } from "../../../core/ids.ts"
import { bothArmsTag } from "../../../core/release/pointer-document.ts"

test("the tag of both arms is that of stable alone without a candidate, and another at each step and weight", () => {
  const stable = `0.${"a".repeat(64)}` as ViewId
  const candidate = (step: number, weightBp: number) => ({
    view: `0.${"b".repeat(64)}` as ViewId,
    changeId: `acme:chg_${"1".repeat(32)}` as ChangeId,
    step,
    weightBp,
  })
  expect(bothArmsTag({ stable, candidate: null })).toBe(`W/"${stable}"`)
  const tags = [candidate(0, 1_000), candidate(0, 2_000), candidate(1, 2_000)].map((one) =>
    bothArmsTag({ stable, candidate: one }),
  )
  expect(new Set([...tags, `W/"${stable}"`]).size).toBe(4)
})
