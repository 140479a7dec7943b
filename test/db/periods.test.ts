import { expect, test } from "vitest"
import type { ReleaseId } from "../../core/ids.ts"
import { type Move, periodsOf } from "../../db/queries/periods.ts"

const move = (seq: number, stable: string, cause: string): Move => [
  seq,
  stable as ReleaseId,
  `2026-11-21T08:00:0${seq}+00:00`,
  cause,
]
const at = (seq: number) => `2026-11-21T08:00:0${seq}.000000Z`

test("a release is stable until another one is, whatever its candidate does meanwhile", () => {
  const moves = [
    move(1, "a", "created"),
    move(2, "a", "start"),
    move(3, "a", "advance"),
    move(4, "b", "live"),
  ]
  expect(periodsOf(moves)).toEqual([
    { seq: 4, stable: "b", at: at(4), until: null, rolledBack: false },
    { seq: 1, stable: "a", at: at(1), until: at(4), rolledBack: false },
  ])
})

test("a release that was rolled back is marked, and the one returned to begins anew", () => {
  const moves = [move(1, "a", "live"), move(2, "b", "live"), move(3, "a", "rolled_back")]
  expect(periodsOf(moves).map(({ stable, rolledBack }) => [stable, rolledBack])).toEqual([
    ["a", false],
    ["b", true],
    ["a", false],
  ])
})

test("a rollout that is given up ends nothing that was stable", () => {
  const moves = [
    move(1, "a", "live"),
    move(2, "a", "start"),
    move(3, "a", "rolled_back"),
    move(4, "b", "live"),
  ]
  expect(periodsOf(moves).map(({ stable, rolledBack }) => [stable, rolledBack])).toEqual([
    ["b", false],
    ["a", false],
  ])
})

test("a scope that never moved has no history", () => {
  expect(periodsOf([])).toEqual([])
})
