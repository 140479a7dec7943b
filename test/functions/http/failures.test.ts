import { beforeEach, describe, expect, test } from "vitest"
import type { Principal } from "../../../core/access.ts"
import { Refusal } from "../../../core/errors.ts"
import { createFailures, type Failures } from "../../../functions/http/failures.ts"
import { ATTEMPTS_MAX, createAttempts, FLOOD, WINDOW_MS } from "../../../functions/platform/attempts.ts"
import { createBackground } from "../../../functions/platform/background.ts"
import { eventOf } from "../../support/function-events.ts"
import { type HandClock, handClock, silentLog } from "../platform/fakes.ts"

const SOMEBODY = { subject: "somebody" } as Principal
const HERE = "198.51.100.1"

let clock: HandClock
let asked: number
let failures: Failures
beforeEach(() => {
  const log = silentLog()
  clock = handClock()
  asked = 0
  const attempts = createAttempts({ clock, log, background: createBackground(log), send: null })
  failures = createFailures({ attempts, edgeSecret: null })
})

const from = (sourceIp: string) => {
  const event = eventOf("GET", "/")
  const http = { ...event.requestContext.http, sourceIp }
  return { ...event, requestContext: { ...event.requestContext, http } }
}
/** What becomes of this token, which is good if it says so. */
const send = async (token: string | undefined, address = HERE): Promise<string> => {
  const work = async () => {
    asked++
    if (!token?.startsWith("good")) throw new Refusal("UNAUTHENTICATED", "No.")
    return SOMEBODY
  }
  return await failures.watch(from(address), token, work).then(
    () => "in",
    (error: Refusal) => error.code,
  )
}
const fail = async (times: number): Promise<void> => {
  for (let at = 0; at < times; at++) await send(`guess ${at}`)
}

describe("whoever fails to say who they are", () => {
  test("is told so after a hundred times, and a good token from the same address still gets in", async () => {
    await fail(ATTEMPTS_MAX.address - 1)
    expect(await send("guess")).toBe("UNAUTHENTICATED")
    expect(await send("guess")).toBe("AUTHENTICATION_LIMITED")
    expect(await send("good")).toBe("in")
  })

  test("and sends a flood is not listened to: only a token that was good before gets in from there", async () => {
    expect(await send("good before")).toBe("in")
    await fail(FLOOD)
    const before = asked
    expect(await send("good, but never seen")).toBe("AUTHENTICATION_LIMITED")
    await fail(100)
    expect(asked).toBe(before)
    expect(await send("good before")).toBe("in")
    expect(await send("good, but never seen", "198.51.100.2")).toBe("in")
  })

  test("is listened to again when the flood is over", async () => {
    await fail(FLOOD)
    clock.advance(2 * WINDOW_MS)
    expect(await send("good, but never seen")).toBe("in")
  })

  test("and shows no token at all is no guesser", async () => {
    for (let at = 0; at < 2 * FLOOD; at++) await send(undefined)
    expect(await send(undefined)).toBe("UNAUTHENTICATED")
    expect(await send("guess")).toBe("UNAUTHENTICATED")
  })

  test("a token that was good and is so no longer is refused like any other", async () => {
    let isGood = true
    const work = async () => {
      if (!isGood) throw new Refusal("UNAUTHENTICATED", "No.")
      return SOMEBODY
    }
    const ask = () => failures.watch(from(HERE), "Bearer once", work)
    expect(await ask()).toBe(SOMEBODY)
    isGood = false
    await fail(FLOOD)
    await expect(ask()).rejects.toMatchObject({ code: "AUTHENTICATION_LIMITED" })
  })
})
