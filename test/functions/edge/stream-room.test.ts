import { afterEach, beforeEach, describe, expect, test, vi } from "vitest"
import type { Environment } from "../../../core/environment.ts"
import type { TenantId, TokenId } from "../../../core/ids.ts"
import { stalenessOf } from "../../../core/release/pointer-document.ts"
import { isBehind, parseRevision, type Revision } from "../../../core/release/revision.ts"
import { createOutlet } from "../../../functions/edge/event-stream.ts"
import type { HeldPointer } from "../../../functions/edge/pointer.ts"
import type { Reading } from "../../../functions/edge/pointers.ts"
import { scopeOf } from "../../../functions/edge/scope.ts"
import { WORDS, type Words } from "../../../functions/edge/stream-events.ts"
import { type Hint, openRoom, type Room } from "../../../functions/edge/stream-room.ts"
import { NO_HOP } from "../../../functions/edge/tracing.ts"

// Only the clock, the origin and the hub are not as deployed: what is stated in seconds is not waited for.

const SCOPE = scopeOf("acme" as TenantId, "Production" as Environment)
const READER = "acme:tok_1" as TokenId
const START_MS = Date.parse("2026-11-21T12:00:00Z")
const HOUR_MS = 3_600_000

const revisionOf = (text: string): Revision => parseRevision(text)!

/** What the origin says, and what is asked of it. */
const createOrigin = () => {
  const origin = {
    revision: "1.0.0.1",
    /** As far as it tells somebody who names no revision. */
    remembered: null as string | null,
    moving: false,
    revoked: [] as TokenId[],
    status: "active" as "active" | "suspended",
    answer: null as "absent" | "unreachable" | null,
    flags: undefined as string | undefined,
    asked: 0,
    /** From when on what PostgreSQL says was wanted. */
    since: [] as number[],
    wanted: [] as Revision[],
  }
  const reading = (text: string): Reading | "absent" | "unreachable" => {
    origin.asked++
    if (origin.answer) return origin.answer
    const pointer = {
      revision: revisionOf(text),
      staleness: stalenessOf(origin),
      revoked: new Set(origin.revoked),
      document: { revision: text, status: origin.status, tier: "Pro", flags: origin.flags },
    }
    return { pointer: pointer as unknown as HeldPointer, staleMs: null }
  }
  const plain = async () => reading(origin.remembered ?? origin.revision)
  const reach = async (_scope: unknown, wanted: Revision) => {
    origin.wanted.push(wanted)
    return reading(origin.revision)
  }
  const reread = async (_scope: unknown, sinceMs: number) => {
    origin.since.push(sinceMs)
    return reading(origin.revision)
  }
  return { origin, pointers: { obtain: plain, renew: plain, reach, reread } }
}

interface Listener {
  told?: string
  flags?: string
  expiresAtMs?: number
  reads?: boolean
  words?: Words
}

/** A room, and what its origin says. */
const open = () => {
  const { origin, pointers } = createOrigin()
  const caller = { waitUntil: () => {}, hop: () => NO_HOP }
  const stepOf = (before: HeldPointer, next: HeldPointer) =>
    `"step":"${before.document.revision} to ${next.document.revision}"`
  return { origin, room: openRoom({ pointers, scope: SCOPE, caller, stepOf }) }
}

const enter = (room: Room, listener: Listener = {}) => {
  const outlet = createOutlet()
  let text = ""
  const read = async (): Promise<void> => {
    for await (const piece of outlet.body) text += Buffer.from(piece).toString()
  }
  const reading = listener.reads === false ? Promise.resolve() : read().catch(() => undefined)
  room.enter({
    tokenId: READER,
    outlet,
    told: { revision: revisionOf(listener.told ?? "1.0.0.1"), flags: listener.flags },
    textOf: WORDS[listener.words ?? "moves"],
    endsAtMs: listener.expiresAtMs ?? START_MS + HOUR_MS,
  })
  return {
    isOpen: () => !outlet.gone.aborted,
    leave: () => outlet.close(),
    text: () => text,
    /** Each revision once, however many events told of it. */
    ids: () => [...new Set([...text.matchAll(/^id: (.*)$/gm)].map(([, id]) => id))],
    types: () => [...text.matchAll(/^event: (.*)$/gm)].map(([, type]) => type),
    data: () => [...text.matchAll(/^data: (.*)$/gm)].map(([, data]) => JSON.parse(data!) as unknown),
    reading,
  }
}

/** One that is alone in its room. */
const start = (listener: Listener = {}) => {
  const { origin, room } = open()
  const stream = enter(room, listener)
  return {
    ...stream,
    origin,
    push: (heard: Hint, tier?: string) => room.hear(heard, tier),
    over: Promise.all([room.over, stream.reading]),
  }
}

const pass = async (ms: number) => void (await vi.advanceTimersByTimeAsync(ms))

beforeEach(() => void vi.useFakeTimers({ now: START_MS }))
afterEach(() => void vi.useRealTimers())

describe("a stream", () => {
  test("has a comment every 15 seconds in which there was no event", async () => {
    const stream = start({ flags: "" })
    stream.origin.flags = ""
    await pass(15_000)
    expect(stream.text()).toBe(":\n\n")
    await pass(7_000)
    stream.origin.revision = "1.0.0.2"
    stream.push(revisionOf("1.0.0.2"))
    await pass(14_000)
    expect(stream.text()).toMatch(/^:\n\nevent: tenant_config\nid: 1\.0\.0\.2\n.*\n\n$/)
    await pass(15_000)
    expect(stream.text().match(/^:$/gm)).toHaveLength(2)
  })

  test("is over after its time, and when its token expires", async () => {
    const [long, short] = [start(), start({ expiresAtMs: START_MS + 60_000 })]
    await pass(60_000)
    await short.over
    expect(long.isOpen()).toBe(true)
    await pass(HOUR_MS - 60_001)
    expect(long.isOpen()).toBe(true)
    await pass(1)
    await long.over
  })

  test("stays up and silent while there is no origin, and goes on where it is back", async () => {
    const stream = start()
    stream.origin.answer = "unreachable"
    await pass(60_000)
    expect(stream.isOpen()).toBe(true)
    stream.origin.answer = null
    stream.origin.revision = "1.0.0.2"
    await pass(1_000)
    expect(stream.ids()).toEqual(["1.0.0.2"])
  })

  test("that nobody reads is dropped when 64 KiB wait for its reader", async () => {
    const stream = start({ reads: false, flags: "" })
    stream.origin.flags = ""
    const tell = async (i: number) => {
      stream.origin.revision = `1.0.0.${i}`
      stream.push(revisionOf(stream.origin.revision))
      await pass(0)
    }
    const eventBytes = 'event: tenant_config\nid: 1.0.0.1000\ndata: {"revision":"1.0.0.1000"}\n\n'.length
    const most = Math.floor(65_536 / eventBytes)
    for (let i = 1_000; i < 1_000 + most; i++) await tell(i)
    expect(stream.isOpen()).toBe(true)
    await tell(1_000 + most)
    expect(stream.isOpen()).toBe(false)
    await stream.over
  })

  test("never tells anything older, nor the same again", async () => {
    const stream = start({ told: "1.0.0.5" })
    const tell = () => [...stream.text().matchAll(/^id: (.*)$/gm)].map(([, id]) => id)
    stream.origin.flags = "same"
    for (const revision of ["1.0.0.4", "1.0.0.5", "1.0.0.6", "1.0.0.5", "1.0.0.6", "1.0.0.7"]) {
      stream.origin.revision = revision
      stream.push("look")
      await pass(1)
    }
    expect(tell()).toEqual(["1.0.0.6", "1.0.0.7"])
  })

  test("says which of the layers moved", async () => {
    const stream = start({ flags: "" })
    stream.origin.flags = ""
    for (const revision of ["1.1.0.1", "1.1.2.1", "1.1.2.2", "2.0.0.1"]) {
      stream.origin.revision = revision
      stream.push("look")
      await pass(1)
    }
    expect(stream.types()).toEqual(["global_config", "global_config", "tenant_config", "tenant_config"])
  })
})

describe("a room", () => {
  test("looks once for all who are in it, and tells each what is new to him", async () => {
    const { origin, room } = open()
    const [one, other, behind] = [enter(room), enter(room), enter(room, { told: "1.0.0.0" })]
    await pass(1)
    expect([one.ids(), behind.ids()]).toEqual([[], ["1.0.0.1"]])
    const { asked } = origin
    origin.revision = "1.0.0.2"
    room.hear(revisionOf("1.0.0.2"))
    await pass(1)
    expect(origin.asked - asked).toBe(1)
    expect([one.ids(), other.ids(), behind.ids()]).toEqual([["1.0.0.2"], ["1.0.0.2"], ["1.0.0.1", "1.0.0.2"]])
  })

  test("who comes in while it looks is told as well, and one who leaves takes nobody along", async () => {
    const { origin, room } = open()
    const first = enter(room)
    await pass(1)
    origin.revision = "1.0.0.2"
    room.hear("look")
    const second = enter(room)
    await pass(1)
    expect(second.ids()).toEqual(["1.0.0.2"])
    first.leave()
    origin.revision = "1.0.0.3"
    room.hear("look")
    await pass(1)
    expect(second.ids()).toEqual(["1.0.0.2", "1.0.0.3"])
    expect([room.isEmpty(), second.isOpen()]).toEqual([false, true])
    second.leave()
    await room.over
    expect(room.isEmpty()).toBe(true)
  })

  test("tells what changed to whoever asked for that and was told the same before, once for each move", async () => {
    const { origin, room } = open()
    const plain = enter(room)
    const changes = enter(room, { words: "changes" })
    const behind = enter(room, { words: "changes", told: "1.0.0.0" })
    await pass(1)
    origin.revision = "1.0.0.2"
    room.hear("look")
    await pass(1)
    const step = { revision: "1.0.0.2", step: "1.0.0.1 to 1.0.0.2" }
    expect(plain.data()).toEqual([{ revision: "1.0.0.2" }, { revision: "1.0.0.2" }])
    expect(changes.data()).toEqual([step, { revision: "1.0.0.2" }])
    expect(behind.data()).toEqual([
      { revision: "1.0.0.1" },
      { revision: "1.0.0.1" },
      step,
      { revision: "1.0.0.2" },
    ])
    expect(changes.types()).toEqual(["tenant_config", "feature_flag"])
  })
})

describe("flags", () => {
  const move = async (stream: ReturnType<typeof start>, revision: string, flags: string | undefined) => {
    Object.assign(stream.origin, { revision, flags })
    stream.push(revisionOf(revision))
    await pass(1)
  }

  test("are told of as well where there are others, or they say something else, and else not", async () => {
    const stream = start({ flags: "a" })
    await move(stream, "1.0.0.2", "b")
    await move(stream, "1.0.0.3", "b")
    await move(stream, "1.1.0.3", "b+c/change/1000")
    expect(stream.types()).toEqual([
      "tenant_config",
      "feature_flag",
      "tenant_config",
      "global_config",
      "feature_flag",
    ])
    expect(stream.ids()).toEqual(["1.0.0.2", "1.0.0.3", "1.1.0.3"])
  })

  test("may have changed where nobody can tell", async () => {
    const stream = start()
    await move(stream, "1.0.0.2", "a")
    await move(stream, "1.0.0.3", undefined)
    await move(stream, "1.0.0.4", "a")
    expect(stream.types().filter((type) => type === "feature_flag")).toHaveLength(3)
  })

  test("of what was told already may become known later", async () => {
    const stream = start()
    await move(stream, "1.0.0.1", "a")
    await move(stream, "1.0.0.2", "a")
    expect(stream.types()).toEqual(["tenant_config"])
  })
})

describe("a reload", () => {
  test("is told with the revision there is, though nothing moved, and only once it is sure that nothing did", async () => {
    const stream = start({ flags: "" })
    await pass(5)
    stream.push({ reload: "feature_flag" })
    await pass(1)
    expect(stream.origin.since).toEqual([START_MS + 5])
    expect(stream.text()).toBe(
      'event: feature_flag\nid: 1.0.0.1\ndata: {"revision":"1.0.0.1","reload":true}\n\n',
    )
    await pass(14_000)
    expect(stream.types()).toHaveLength(1)
  })

  test("that finds something newer tells that it moved, too", async () => {
    const stream = start({ flags: "" })
    stream.origin.flags = ""
    await pass(5)
    stream.origin.revision = "1.0.0.2"
    stream.push({ reload: "global_config" })
    await pass(1)
    expect(stream.types()).toEqual(["tenant_config", "global_config"])
    expect(stream.ids()).toEqual(["1.0.0.2"])
  })

  test("never tells of anything older than was told", async () => {
    const stream = start({ told: "1.0.0.5" })
    stream.origin.revision = "1.0.0.4"
    stream.push({ reload: "tenant_config" })
    await pass(1)
    expect(stream.ids()).toEqual(["1.0.0.5"])
  })

  test("while there is no origin is told when it is back, and of another tier not at all", async () => {
    const stream = start()
    await pass(1)
    stream.push({ reload: "tenant_config" }, "~tier.Free")
    await pass(1)
    stream.origin.answer = "unreachable"
    stream.push({ reload: "global_config" }, "~tier.Pro")
    await pass(10_000)
    expect(stream.types()).toEqual([])
    stream.origin.answer = null
    await pass(1_000)
    expect(stream.types()).toEqual(["global_config"])
  })
})

describe.each([
  { what: "at rest", moving: false, everyMs: 5_000 },
  { what: "while moving", moving: true, everyMs: 4_000 },
])("$what, without messages", ({ moving, everyMs }) => {
  test("a move is told as soon as the stream looks for itself", async () => {
    const stream = start()
    stream.origin.moving = moving
    await pass(1)
    stream.origin.revision = "1.0.0.2"
    await pass(everyMs - 2)
    expect(stream.ids()).toEqual([])
    await pass(2)
    expect(stream.ids()).toEqual(["1.0.0.2"])
  })

  test.each(["revoked", "suspended", "absent"] as const)("it ends just as soon when %s", async (how) => {
    const stream = start()
    stream.origin.moving = moving
    await pass(1)
    if (how === "revoked") stream.origin.revoked = [READER]
    else if (how === "suspended") stream.origin.status = how
    else stream.origin.answer = how
    await pass(everyMs)
    await stream.over
  })
})

describe("a message", () => {
  test("that the origin's memory has not caught up with is told at once all the same", async () => {
    const stream = start()
    await pass(1)
    stream.origin.remembered = "1.0.0.1"
    stream.origin.revision = "1.0.0.2"
    stream.push(revisionOf("1.0.0.2"))
    await pass(0)
    expect(stream.ids()).toEqual(["1.0.0.2"])
  })

  test("of something that is nowhere yet is asked after each second, but not for ever", async () => {
    const stream = start()
    await pass(1)
    stream.push(revisionOf("1.0.0.2"))
    await pass(2_500)
    stream.origin.revision = "1.0.0.2"
    await pass(500)
    expect(stream.ids()).toEqual(["1.0.0.2"])
    stream.push(revisionOf("1.0.0.99"))
    await pass(10_000)
    const { asked } = stream.origin
    await pass(10_000)
    expect(stream.origin.asked - asked).toBeLessThanOrEqual(3)
  })

  test("of another tier is nothing to ask for", async () => {
    const stream = start()
    await pass(1)
    stream.push(revisionOf("1.0.9.0"), "~tier.Free")
    await pass(100)
    expect(stream.origin.wanted).toEqual([])
    stream.push(revisionOf("1.0.9.0"), "~tier.Pro")
    await pass(0)
    expect(stream.origin.wanted).toEqual([revisionOf("1.0.9.0")])
  })

  test("of each of two layers at once asks for both", async () => {
    const stream = start()
    await pass(1)
    stream.push(revisionOf("1.7.0.0"))
    stream.push(revisionOf("1.0.0.3"))
    await pass(0)
    expect(stream.origin.wanted).toEqual([revisionOf("1.7.0.3")])
  })
})

describe("whoever has a revision is behind another", () => {
  test.each([
    ["1.2.3.4", "1.2.3.4", false],
    ["1.2.3.4", "1.2.3.5", true],
    ["1.2.3.4", "1.3.0.0", true],
    ["1.2.3.4", "1.2.0.0", false],
    ["1.2.3.4", "1.0.4.0", true],
    ["1.2.3.4", "1.0.0.4", false],
    ["1.2.3.4", "2.0.0.0", true],
    ["2.0.0.1", "1.9.9.9", false],
    // Since then the tenant has changed tiers.
    ["1.2.3.5", "1.2.9.4", false],
  ])("%s, %s: %s", (held, wanted, expected) => {
    expect(isBehind(revisionOf(held), revisionOf(wanted))).toBe(expected)
  })
})
