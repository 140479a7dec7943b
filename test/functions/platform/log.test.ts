import { expect, test } from "vitest"
import { createBackground } from "../../../functions/platform/background.ts"
import { jsonLog } from "../../../functions/platform/log.ts"
import { handClock, silentLog } from "./fakes.ts"

const logged = (write: (log: ReturnType<typeof jsonLog>) => void) => {
  const lines: string[] = []
  write(jsonLog({ clock: handClock(0), functionName: "read", write: (line) => lines.push(line) }))
  return lines.map((line) => JSON.parse(line))
}

test("an event is one line of JSON with its time, level and function", () => {
  expect(logged((log) => log.warn("slow\nthing", { tenantId: "acme" }))).toEqual([
    {
      at: "1970-01-01T00:00:00.000Z",
      level: "warn",
      function: "read",
      message: "slow\nthing",
      tenantId: "acme",
    },
  ])
})

test("an error is told by name, message, code and cause, and by no other member of it", () => {
  const cause = Object.assign(new Error("cause"), { parameters: ["secret value"] })
  const error = Object.assign(new Error("outer", { cause }), { code: "42P01", query: "secret query" })
  const [line] = logged((log) => log.error("failed", { error }))
  expect(line.error).toMatchObject({
    name: "Error",
    message: "outer",
    code: "42P01",
    cause: { message: "cause" },
  })
  expect(JSON.stringify(line)).not.toContain("secret")
})

test("background work that fails is logged, and what was started meanwhile is waited for too", async () => {
  const log = silentLog()
  const background = createBackground(log)
  let done = false
  background.waitUntil(
    Promise.reject(new Error("failed")).finally(() => {
      background.waitUntil(
        Promise.resolve().then(() => {
          done = true
        }),
      )
    }),
  )
  await background.settled()
  expect(done).toBe(true)
  expect(log.lines.map(({ message }) => message)).toEqual(["background work failed"])
})
