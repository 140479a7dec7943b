import { afterEach, beforeEach, describe, expect, test, vi } from "vitest"
import type { Environment } from "../../../core/environment.ts"
import type { ConfigKey, TenantId } from "../../../core/ids.ts"
import { LAST_KNOWN_GOOD_MS, type PointerDocument } from "../../../core/release/pointer-document.ts"
import { parseRevision } from "../../../core/release/revision.ts"
import { compileView, type View } from "../../../core/release/view.ts"
import type { LastKnownGood } from "../../../functions/edge/last-known-good.ts"
import type { Origin } from "../../../functions/edge/origin.ts"
import { createPointers, type Pointers, type Reading } from "../../../functions/edge/pointers.ts"
import { scopeOf } from "../../../functions/edge/scope.ts"
import { NO_HOP } from "../../../functions/edge/tracing.ts"
import { createViews } from "../../../functions/edge/views.ts"

// The clock is the only thing here that is not as deployed, besides the stores: the bounds are stated in
// seconds, and no test waits for them.

const SCOPE = scopeOf("acme" as TenantId, "Production" as Environment)
const START_MS = Date.parse("2026-11-20T12:00:00Z")

const viewOf = (value: number): View =>
  compileView(SCOPE.tenantId, SCOPE.environment, new Map([["a" as ConfigKey, { value }]]))

interface World {
  pointers: Pointers
  /** Goes on in another isolate of the same data centre. */
  moveOn(): void
  /** The origin says that there is no such tenant. */
  isGone: boolean
  /** How often the origin was asked for the pointer. */
  asked(): number
  isUp: boolean
  says: Partial<PointerDocument> & { ageMs: number }
  /** Reads as the Worker does, and lets what goes on behind the answer end. */
  read(): Promise<{ how: "at once" | "after waiting"; answer: Reading | "absent" | "unreachable" }>
  /** Reads as a client does that says what it has. */
  readAtLeast(revision: string): Promise<string>
  pass(ms: number): void
}

const createWorld = (): World => {
  const behind: Promise<unknown>[] = []
  const stored = new Map<string, string>()
  vi.stubGlobal("caches", {
    open: async () => ({
      match: async (url: string) => (stored.has(url) ? new Response(stored.get(url)) : undefined),
      put: async (url: string, response: Response) => void stored.set(url, await response.text()),
      delete: async (url: string) => stored.delete(url),
    }),
  })
  let asked = 0
  const view = viewOf(1)
  const origin: Origin = {
    pointer: async () => {
      asked++
      if (!world.isUp) return "unreachable"
      if (world.isGone) return "absent"
      const { ageMs, ...told } = world.says
      const document = {
        ...{ tenantId: SCOPE.tenantId, environment: SCOPE.environment, tier: "Free", status: "active" },
        ...{ revision: "1.0.0.1", stable: view.id, candidate: null, moving: false, revoked: [] },
        ...told,
        readAtMs: Date.now() - ageMs,
      } as PointerDocument
      return { document, views: [] }
    },
    view: async () => (world.isUp ? view.chunks[0]! : "unreachable"),
  }
  const lastKnownGood: LastKnownGood = {
    keep: async () => {},
    recall: async () => null,
    forget: async () => {},
  }
  const caller = { waitUntil: (promise: Promise<unknown>) => void behind.push(promise), hop: () => NO_HOP }
  const isolate = () =>
    createPointers({ origin, views: createViews(origin, 1_000), lastKnownGood, deadlineMs: 1_000 })
  let pointers = isolate()
  const world: World = {
    get pointers() {
      return pointers
    },
    moveOn: () => {
      pointers = isolate()
    },
    isGone: false,
    asked: () => asked,
    isUp: true,
    says: { ageMs: 0 },
    read: async () => {
      const ready = pointers.ready(SCOPE, caller)
      const answer = ready ?? (await pointers.obtain(SCOPE, caller))
      while (behind.length > 0) await behind.shift()
      return { how: ready ? "at once" : "after waiting", answer }
    },
    readAtLeast: async (revision) => {
      const answer = await pointers.reach(SCOPE, parseRevision(revision)!, caller)
      while (behind.length > 0) await behind.shift()
      return typeof answer === "string" ? answer : answer.pointer.document.revision
    },
    pass: (ms) => vi.setSystemTime(Date.now() + ms),
  }
  return world
}

const staleMs = (answer: Reading | "absent" | "unreachable"): number | null | undefined =>
  typeof answer === "string" ? undefined : answer.staleMs

let world: World
beforeEach(() => {
  vi.useFakeTimers({ toFake: ["Date"], now: START_MS })
  vi.spyOn(console, "warn").mockImplementation(() => {})
  world = createWorld()
})
afterEach(() => {
  vi.useRealTimers()
  vi.unstubAllGlobals()
  vi.restoreAllMocks()
})

describe.each([
  { what: "at rest", moving: false, freshMs: 2_000, boundMs: 15_000 },
  { what: "while moving", moving: true, freshMs: 1_000, boundMs: 8_000 },
])("a pointer $what", ({ moving, freshMs, boundMs }) => {
  beforeEach(() => {
    world.says = { ageMs: 0, moving }
  })

  test("grows no older for whoever says what he has already", async () => {
    await world.read()
    world.says = { ageMs: 0, moving, revision: "1.0.0.2" }
    world.pass(freshMs + 1)
    expect(await world.readAtLeast("1.0.0.1")).toBe("1.0.0.1")
    expect(await world.readAtLeast("1.0.0.1")).toBe("1.0.0.2")
    world.says = { ageMs: 0, moving, revision: "1.0.0.3" }
    world.pass(boundMs + 1)
    expect(await world.readAtLeast("1.0.0.1")).toBe("1.0.0.3")
  })

  test(`is served without asking anyone until it is ${freshMs} ms old`, async () => {
    await world.read()
    world.pass(freshMs)
    expect(await world.read()).toMatchObject({ how: "at once", answer: { staleMs: null } })
    expect(world.asked()).toBe(1)
  })

  test(`is served at once and refreshed behind the answer until it is ${boundMs} ms old`, async () => {
    await world.read()
    for (const ms of [freshMs + 1, boundMs]) {
      world.pass(ms)
      const asked = world.asked()
      expect(await world.read()).toMatchObject({ how: "at once", answer: { staleMs: null } })
      expect(world.asked()).toBe(asked + 1)
    }
  })

  test(`makes the reader wait for a newer one once it is older than ${boundMs} ms`, async () => {
    await world.read()
    world.pass(boundMs + 1)
    world.says = { ageMs: 0, moving, revision: "1.0.0.2" }
    const { how, answer } = await world.read()
    expect(how).toBe("after waiting")
    expect(answer).toMatchObject({ staleMs: null, pointer: { document: { revision: "1.0.0.2" } } })
  })

  test("counts the age that the origin tells as its own", async () => {
    world.says = { ageMs: boundMs - 1, moving }
    await world.read()
    world.pass(1)
    expect((await world.read()).how).toBe("at once")
    world.says = { ageMs: boundMs - 1, moving }
    world.pass(freshMs)
    expect((await world.read()).how).toBe("after waiting")
  })

  test("says how old it is when the origin cannot be asked beyond the bound", async () => {
    await world.read()
    world.isUp = false
    world.pass(boundMs)
    expect(staleMs((await world.read()).answer)).toBeNull()
    world.pass(1)
    expect(staleMs((await world.read()).answer)).toBe(boundMs + 1)
  })
})

describe("the last known good", () => {
  test("is served for a day, and not a millisecond more", async () => {
    await world.read()
    world.isUp = false
    world.pass(LAST_KNOWN_GOOD_MS)
    expect(staleMs((await world.read()).answer)).toBe(LAST_KNOWN_GOOD_MS)
    world.pass(1)
    expect((await world.read()).answer).toBe("unreachable")
  })

  test("is served without waiting once the origin has failed, while that is asked behind the answer", async () => {
    await world.read()
    world.isUp = false
    world.pass(20_000)
    await world.read()
    const asked = world.asked()
    await world.read()
    expect(world.asked()).toBe(asked)
    world.pass(500)
    await world.read()
    expect(world.asked()).toBe(asked + 1)
  })

  test("ends with the first refresh that succeeds", async () => {
    await world.read()
    world.isUp = false
    world.pass(20_000)
    await world.read()
    world.isUp = true
    world.pass(500)
    expect(staleMs((await world.read()).answer)).toBe(20_500)
    expect(staleMs((await world.read()).answer)).toBeNull()
  })

  test("is not told to a reader who comes long after the failure: that one waits for the origin", async () => {
    await world.read()
    world.isUp = false
    world.pass(20_000)
    await world.read()
    world.isUp = true
    world.pass(10_000)
    expect(staleMs((await world.read()).answer)).toBeNull()
  })

  test("includes what an origin tells that has itself only something old", async () => {
    world.says = { ageMs: 200_000 }
    expect(staleMs((await world.read()).answer)).toBe(200_000)
    const asked = world.asked()
    for (let i = 0; i < 5; i++) await world.read()
    expect(world.asked()).toBe(asked)
  })
})

test("a tenant that is gone is forgotten by every isolate, also when one hears of it that knew nothing", async () => {
  await world.read()
  world.isGone = true
  world.moveOn()
  expect(await world.readAtLeast("1.0.0.9")).toBe("absent")
  world.isUp = false
  world.moveOn()
  expect((await world.read()).answer).toBe("unreachable")
})

test("after the clock was set back, what was read before it is not young: the origin is asked", async () => {
  await world.read()
  world.pass(-3_600_000)
  world.says = { ageMs: 0, revision: "1.0.0.2" }
  const { how, answer } = await world.read()
  expect([how, staleMs(answer)]).toEqual(["after waiting", null])
  expect(answer).toMatchObject({ pointer: { document: { revision: "1.0.0.2" } } })
  world.says = { ageMs: 0, revision: "1.0.0.2" }
  world.pass(2_001)
  await world.read()
  expect(await world.read()).toMatchObject({ how: "at once", answer: { staleMs: null } })
})
