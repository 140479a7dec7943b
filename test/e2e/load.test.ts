import { execFile } from "node:child_process"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { KINDS, kindAt } from "../../bench/load-test/calls.ts"
import { putLoad } from "../../bench/load-test/load.ts"
import { tierOf, WRITTEN } from "../../bench/load-test/people.ts"
import { type Counted, type Figures, linesOf, reportOf } from "../../bench/load-test/tally.ts"
import { usersAt } from "../../bench/load-test/users.ts"
import { TIERS } from "../../core/ids.ts"
import { type RunningHotswap, removeHome, startHotswap } from "../support/hotswap.ts"

const TENANTS = 10
const LOAD = { seconds: 3, tenants: TENANTS, seed: 1, name: "load", tidy: false }

let hotswap: RunningHotswap
beforeAll(async () => {
  hotswap = await startHotswap()
})
afterAll(async () => {
  await hotswap.stop()
  await removeHome(hotswap.home)
})

/** Asks each of the tenants, and adds up what they answer. */
const added = async (path: (tenantId: string) => string, member: string): Promise<number> => {
  let sum = 0
  for (let index = 0; index < TENANTS; index++) {
    const { status, body } = await hotswap.call("GET", path(`load-${index}`))
    expect(status).toBe(200)
    sum += body[member] as number
  }
  return sum
}

/** Each call that went well took effect once; of one that failed, on a machine that is busy, nobody knows. */
const expectAllOf = (
  taken: number,
  { requests, limited, failed }: Pick<Figures, "requests" | "limited" | "failed">,
): void => {
  expect(taken).toBeGreaterThanOrEqual(requests - limited - failed)
  expect(taken).toBeLessThanOrEqual(requests - limited)
}

describe("the load test", () => {
  test("accounts for every request, as the service does", async () => {
    const { all, tiers, kinds } = await putLoad(hotswap, LOAD, () => undefined, new AbortController().signal)
    expect(all.requests - all.failed).toBeGreaterThan(100)
    for (const parts of [tiers, kinds])
      expect(Object.values(parts).every(({ requests }) => requests > 0)).toBe(true)
    const summed = (parts: Record<string, Figures>, name: "requests" | "limited" | "failed") =>
      Object.values(parts).reduce((sum, figures) => sum + figures[name], 0)
    for (const name of ["requests", "limited", "failed"] as const)
      expect([summed(tiers, name), summed(kinds, name)]).toEqual([all[name], all[name]])

    const versions = await added((id) => `/api/v1/configs/${id}:Development:${WRITTEN}`, "version")
    expectAllOf(versions - TENANTS, kinds.write)
    const used = await added((id) => `/api/v1/tenants/${id}/limits/command?environment=Development`, "used")
    // What is unlimited is not counted.
    const { Free, Pro, Enterprise } = tiers
    expect(Enterprise.kinds.limit.limited).toBe(0)
    const { requests, limited, failed } = Free.kinds.limit
    const { limit: ofPro } = Pro.kinds
    expectAllOf(used, {
      requests: requests + ofPro.requests,
      limited: limited + ofPro.limited,
      failed: failed + ofPro.failed,
    })
  })

  test("ends with 1 and a line where there is nobody to put it on, and with 2 where it is asked for wrongly", async () => {
    const run = (...words: string[]) =>
      new Promise<{ code: unknown; said: string }>((resolve) => {
        const node = join(process.cwd(), "node_modules/.bin/node")
        const env = { ...process.env, HOTSWAP_TOKEN: "none" }
        execFile(node, ["bench/load-test/main.ts", ...words], { env }, (error, _out, said) =>
          resolve({ code: error?.code ?? 0, said }),
        )
      })
    expect(await run("--url", "http://127.0.0.1:1")).toMatchObject({ code: 1 })
    const wrong = await run("--seconds", "soon")
    expect([wrong.code, wrong.said]).toEqual([2, expect.stringContaining("--seconds is a whole number")])
  })
})

describe("what it puts on", () => {
  test("is a tenth Enterprise, two tenths Pro and the rest Free, at every ten users", () => {
    for (const from of [0, 40, 90]) {
      const tiers = Array.from({ length: 10 }, (_, index) => tierOf(from + index))
      expect(TIERS.map((tier) => tiers.filter((one) => one === tier).length)).toEqual([7, 2, 1])
    }
  })

  test("grows from 10 users to 50 and to 100, and stays there", () => {
    expect([0, 0.25, 0.5, 0.75, 0.9, 1].map(usersAt)).toEqual([10, 30, 50, 100, 100, 100])
    const kinds = Array.from({ length: 100 }, (_, index) => kindAt((index + 0.5) / 100))
    expect(KINDS.map((kind) => kinds.filter((one) => one === kind).length)).toEqual([60, 25, 10, 5])
  })

  test("misses its goals where it is slow, fails or is limited, and says which", () => {
    const calls = (ending: Counted["ending"], ms: number, many: number) =>
      Array.from({ length: many }, (): Counted => ({ kind: "read", tier: "Pro", ending, ms }))
    const missed = (...all: Counted[][]) =>
      reportOf(all.flat()).goals.flatMap(({ text, met }) => (met ? [] : [text]))
    expect(missed(calls("well", 499, 100))).toEqual([])
    expect(missed(calls("well", 499, 94), calls("well", 501, 6))).toEqual(["p95 < 500 ms"])
    expect(missed(calls("well", 1, 99), calls("failed", 1, 1))).toEqual(["failed < 1 %"])
    expect(missed(calls("well", 1, 95), calls("limited", 1, 5))).toEqual(["limited < 5 %"])
    expect(missed([])).toEqual(["requests were sent"])
    const [head] = linesOf(reportOf(calls("well", 1, 1)))
    expect(head).toContain("p95 ms")
  })
})
