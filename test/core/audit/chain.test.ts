import { createHash } from "node:crypto"
import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { type ChainHead, entryHash, entryText, GENESIS_HEAD, verifyChain } from "../../../core/audit/chain.ts"
import { type AuditBody, type AuditEntry, GENESIS } from "../../../core/audit/entry.ts"

const seed = 20261109

const body = (action: string): AuditBody => ({
  action,
  actor: { subject: "alice", tokenId: "startup" },
  target: "acme",
})

const chainOf = (actions: readonly string[], from: ChainHead = GENESIS_HEAD): AuditEntry[] => {
  let { seq, hash: prev } = from
  return actions.map((action) => {
    seq++
    const at = `2026-01-01T00:00:00.${String(seq).padStart(6, "0")}Z`
    const hash = entryHash(prev, entryText(at, body(action), seq))
    const entry = { seq, at, body: body(action), prev, hash }
    prev = hash
    return entry
  })
}
const headOf = (entries: readonly AuditEntry[]): ChainHead => {
  const last = entries.at(-1)
  return last ? { seq: last.seq, hash: last.hash } : GENESIS_HEAD
}

const actions = fc.array(fc.constantFrom("config.edit", "change.approve", "token.issue"), {
  minLength: 2,
  maxLength: 12,
})
const chainAndPlace = actions.chain((list) => fc.tuple(fc.constant(chainOf(list)), fc.nat(list.length - 1)))

/** The chain with every hash after `from` made anew, as somebody would who can write but not sign. */
const rehashed = (entries: readonly AuditEntry[], from: number): AuditEntry[] => {
  let prev = from === 0 ? GENESIS : entries[from - 1]!.hash
  return entries.map((entry, i) => {
    if (i < from) return entry
    const seq = i + 1
    const hash = entryHash(prev, entryText(entry.at, entry.body, seq))
    const next = { ...entry, seq, prev, hash }
    prev = hash
    return next
  })
}

describe("the hash of an entry", () => {
  test("is SHA-256 over a zero byte, the hash before it, and canonical JSON", () => {
    const text = entryText("2026-01-01T00:00:00.000001Z", body("config.edit"), 7)
    expect(text).toBe(
      '{"at":"2026-01-01T00:00:00.000001Z","body":{"action":"config.edit","actor":{"subject":"alice","tokenId":"startup"},"target":"acme"},"seq":7}',
    )
    const prev = "ab".repeat(32)
    const bytes = Buffer.concat([Buffer.from([0]), Buffer.from(prev, "hex"), Buffer.from(text, "utf8")])
    expect(entryHash(prev, text)).toBe(createHash("sha256").update(bytes).digest("hex"))
  })
})

describe("a chain", () => {
  test("that nobody touched is whole, with and without its head", () => {
    fc.assert(
      fc.property(actions, (list) => {
        const entries = chainOf(list)
        const expected = { ok: true, entries: entries.length, head: headOf(entries) }
        expect(verifyChain(entries)).toEqual(expected)
        expect(verifyChain(entries, headOf(entries))).toEqual(expected)
      }),
      { seed },
    )
  })

  test("of no entries is whole", () => {
    expect(verifyChain([])).toEqual({ ok: true, entries: 0, head: GENESIS_HEAD })
  })

  test("shows any edit, at the entry that was edited", () => {
    const edits: ((entry: AuditEntry) => AuditEntry)[] = [
      (entry) => ({ ...entry, at: "2020-01-01T00:00:00.000000Z" }),
      (entry) => ({ ...entry, body: { ...entry.body, actor: { ...entry.body.actor, subject: "mallory" } } }),
      (entry) => ({ ...entry, body: { ...entry.body, detail: {} } }),
      (entry) => ({ ...entry, seq: entry.seq + 1 }),
      (entry) => ({ ...entry, hash: "0".repeat(64) }),
      (entry) => ({ ...entry, prev: "f".repeat(64) }),
    ]
    fc.assert(
      fc.property(chainAndPlace, fc.constantFrom(...edits), ([entries, at], edit) => {
        const verdict = verifyChain(entries.with(at, edit(entries[at]!)))
        expect(verdict).toMatchObject({ ok: false, entries: at, firstBroken: at + 1 })
      }),
      { seed, numRuns: 300 },
    )
  })

  test("shows a deletion, and two entries that changed places", () => {
    fc.assert(
      fc.property(chainAndPlace, ([entries, at]) => {
        if (at < entries.length - 1) {
          expect(verifyChain(entries.toSpliced(at, 1))).toMatchObject({ ok: false, firstBroken: at + 1 })
          const swapped = entries.with(at, entries[at + 1]!).with(at + 1, entries[at]!)
          expect(verifyChain(swapped)).toMatchObject({ ok: false, firstBroken: at + 1 })
        }
      }),
      { seed, numRuns: 300 },
    )
  })

  test("that was cut short is shown by the head somebody kept", () => {
    fc.assert(
      fc.property(chainAndPlace, ([entries, at]) => {
        expect(verifyChain(entries.slice(0, at))).toMatchObject({ ok: true })
        expect(verifyChain(entries.slice(0, at), headOf(entries))).toEqual({
          ok: false,
          entries: at,
          head: headOf(entries.slice(0, at)),
          firstBroken: at + 1,
        })
      }),
      { seed, numRuns: 300 },
    )
  })

  test("that was written anew from some entry on is shown by the head somebody kept", () => {
    fc.assert(
      fc.property(chainAndPlace, ([entries, at]) => {
        const forged = entries.with(at, { ...entries[at]!, body: body("nothing.happened") })
        const rewritten = rehashed(forged, at)
        expect(verifyChain(rewritten)).toMatchObject({ ok: true })
        expect(verifyChain(rewritten, headOf(entries))).toMatchObject({ ok: false })
      }),
      { seed, numRuns: 300 },
    )
  })

  test("may have grown since the head was kept", () => {
    const entries = chainOf(["a", "b", "c"])
    expect(verifyChain(entries, headOf(entries.slice(0, 2)))).toMatchObject({ ok: true, entries: 3 })
  })

  test("is checked in parts, each from the head of the one before", () => {
    const entries = chainOf(["a", "b", "c", "d"])
    const first = verifyChain(entries.slice(0, 2))
    expect(verifyChain(entries.slice(2), headOf(entries), first.head)).toMatchObject({ ok: true, entries: 2 })
    expect(verifyChain(entries.slice(3), null, first.head)).toMatchObject({ ok: false, firstBroken: 3 })
    expect(verifyChain(entries.slice(2), null, { ...first.head, hash: GENESIS })).toMatchObject({ ok: false })
  })
})
