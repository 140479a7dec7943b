import { afterEach, beforeEach, describe, expect, test, vi } from "vitest"
import { openDatabase } from "../../../db/client.ts"
import { unhurried, within } from "../../../db/deadline.ts"
import { answeredWithin, inTime, LIMITS_MS, startTime } from "../../../functions/http/deadline.ts"

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "setImmediate", "performance"] })
})
afterEach(() => {
  vi.useRealTimers()
})

const never = () => new Promise<never>(() => {})
const later = <T>(ms: number, value: T): Promise<T> => new Promise((give) => setTimeout(give, ms, value))

describe("the time of a request", () => {
  test("whatever a request waits for, it is answered when its time is up: it may or may not have happened", async () => {
    const answer = answeredWithin(LIMITS_MS.read, never)
    const told = expect(answer).rejects.toMatchObject({ code: "DEADLINE_EXCEEDED" })
    await vi.advanceTimersByTimeAsync(LIMITS_MS.read + 1)
    await told
  })

  test("what comes in time is the answer, and what fails in time is the failure", async () => {
    const answer = answeredWithin(LIMITS_MS.write, () => later(LIMITS_MS.write - 1, "done"))
    await vi.advanceTimersByTimeAsync(LIMITS_MS.write)
    expect(await answer).toBe("done")
    const failing = answeredWithin(LIMITS_MS.write, async () => {
      throw new Error("not so")
    })
    await expect(failing).rejects.toThrow("not so")
  })

  test("several waits, one after the other, share it", async () => {
    const answer = startTime(LIMITS_MS.read, async () => {
      await inTime(later(500, 1))
      return await inTime(later(500, 2))
    })
    const told = expect(answer).rejects.toMatchObject({ code: "DEADLINE_EXCEEDED" })
    await vi.advanceTimersByTimeAsync(LIMITS_MS.read + 1)
    await told
  })

  test("when it is up the database is asked no more, except by what outlives the request", async () => {
    const nowhere = openDatabase({ url: "postgres://nobody:x@127.0.0.1:1/none", applicationName: "late" })
    const ask = () => nowhere.transaction(async () => 1).catch((error: Error) => error.message)
    expect(await within(0, ask)).toContain("time for asking the database is up")
    expect(await within(0, () => unhurried(() => "asked"))).toBe("asked")
    await nowhere.close()
  })

  test("reads promise a second and writes three, less what the way takes", () => {
    expect(LIMITS_MS.read).toBeLessThan(1_000)
    expect(LIMITS_MS.write).toBeLessThan(3_000)
  })
})
