import { expect, test } from "vitest"
import type { Span } from "../../../core/trace/otlp.ts"
import { createTracer } from "../../../core/trace/tracer.ts"

const PARENT = { traceId: "a".repeat(32), spanId: "b".repeat(16), isSampled: true }

const world = (ratio = 1) => {
  const spans: Span[] = []
  const state = { nowMs: 1_000, rests: 0, nth: 0 }
  const tracer = createTracer({
    sampler: { asParent: true, ratio },
    newDigits: (count) => (++state.nth).toString(16).padStart(count, "0"),
    epochMs: () => state.nowMs,
    steadyMs: () => state.nowMs,
    record: (span) => void spans.push(span),
  })
  const root = (parent: typeof PARENT | null) =>
    tracer.root({ name: "root", kind: "server", parent, rest: () => void state.rests++ })
  return { root, spans, state }
}

test("a span goes on in its caller's trace, and those below it in its own", () => {
  const { root, spans } = world()
  const span = root(PARENT)
  const child = span.child("child", "internal")
  child.asks({ of: "redis", commands: ["GET", "HMGET", "GET"] }).end()
  child.end()
  span.rename("renamed")
  span.end()
  expect(spans.map(({ name, parentSpanId }) => [name, parentSpanId])).toEqual([
    ["GET HMGET", child.context.spanId],
    ["child", span.context.spanId],
    ["renamed", PARENT.spanId],
  ])
  expect(new Set(spans.map(({ context }) => context.traceId))).toEqual(new Set([PARENT.traceId]))
  expect(spans[0]!.attributes).toMatchObject({ "db.operation.batch.size": 3 })
})

test("whoever sends spans hears when the first is over, and of those below that come later", () => {
  const { root, state } = world()
  const span = root(null)
  const early = span.child("early", "internal")
  const late = span.child("late", "internal")
  early.end()
  expect(state.rests).toBe(0)
  span.end()
  expect(state.rests).toBe(1)
  late.end()
  late.end()
  expect(state.rests).toBe(2)
})

test("where a trace is not recorded nothing of it is, but what it did elsewhere is told there", () => {
  const { root, spans, state } = world()
  const span = root({ ...PARENT, isSampled: false })
  span.set("a", "b")
  span.fail("reason")
  span.child("child", "internal").end()
  span.end()
  expect(spans).toEqual([])
  expect(span.context).toMatchObject({ traceId: PARENT.traceId, isSampled: false })
  span.also({ traceId: "c".repeat(32), parentSpanId: null }, "change", { a: 1 })
  expect(spans).toMatchObject([{ name: "change", context: { traceId: "c".repeat(32) }, links: [] }])
  expect(state.rests).toBe(1)
})

test("with a share of 0 nothing at all is told", () => {
  const { root, spans } = world(0)
  const span = root(null)
  span.also({ traceId: "c".repeat(32), parentSpanId: null }, "change", {})
  span.end()
  expect(spans).toEqual([])
})

test("what was done elsewhere too begins with the span, and leads back to it", () => {
  const { root, spans, state } = world()
  const span = root(null)
  state.nowMs = 1_250
  span.also({ traceId: "c".repeat(32), spanId: "d".repeat(16), parentSpanId: null }, "change", { a: 1 })
  expect(spans).toMatchObject([
    { context: { spanId: "d".repeat(16) }, startMs: 1_000, endMs: 1_250, links: [span.context] },
  ])
})

test.each([
  ["select kind, id from hotswap.load_scope($1, $2)", "SELECT hotswap.load_scope"],
  ['select "tenant_id" from "hotswap"."outbox" where "outbox"."at" < $1', "SELECT hotswap.outbox"],
  ["  insert into hotswap.events values ('sentinel')", "INSERT hotswap.events"],
  ["select 'sentinel'", "SELECT"],
  ["select set_config('hotswap.tenant', $1, true)", "SELECT"],
  ["with kept as (delete from hotswap.jobs returning 1) select 1", "WITH hotswap.jobs"],
])("of %s only what it does and to what is told", (statement, name) => {
  const { root, spans } = world()
  root(null).asks({ of: "postgresql", statement }).end()
  expect(spans).toMatchObject([{ name, kind: "client", attributes: { "db.query.summary": name } }])
  expect(JSON.stringify(spans)).not.toContain("sentinel")
})

test("what is said of a span that is over is not heard", () => {
  const { root, spans } = world()
  const span = root(null)
  span.end()
  span.set("late", true)
  span.rename("late")
  expect(spans).toMatchObject([{ name: "root", attributes: {} }])
  expect(spans[0]!.attributes).toEqual({})
})

test("what an attribute says is cut off where it is long", () => {
  const { root, spans } = world()
  const span = root(null)
  span.set("word", "x".repeat(10_000))
  span.fail("y".repeat(10_000))
  span.end()
  expect(JSON.stringify(spans).length).toBeLessThan(1_000)
})
