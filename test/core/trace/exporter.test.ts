import { expect, test } from "vitest"
import { createExporter } from "../../../core/trace/exporter.ts"
import type { Span } from "../../../core/trace/otlp.ts"

const spanOf = (nth: number): Span => ({
  context: {
    traceId: "0af7651916cd43dd8448eb211c80319c",
    spanId: nth.toString(16).padStart(16, "0"),
    isSampled: true,
  },
  parentSpanId: null,
  name: `span ${nth}`,
  kind: "internal",
  startMs: 1_700_000_000_000.25,
  endMs: 1_700_000_000_001.5,
  attributes: { word: "a", many: 3, part: 0.5, yes: true },
  links: [],
  isError: false,
})

const world = () => {
  const told: { message: string; fields: Readonly<Record<string, unknown>> }[] = []
  const sent: string[][] = []
  const state = { nowMs: 0, answer: () => Promise.resolve() }
  const exporter = createExporter({
    resource: { "service.name": "test" },
    post: async (body) => {
      await state.answer()
      const { resourceSpans } = JSON.parse(body)
      sent.push(resourceSpans[0].scopeSpans[0].spans.map(({ name }: { name: string }) => name))
    },
    turn: () => Promise.resolve(),
    nowMs: () => state.nowMs,
    tell: (message, fields) => void told.push({ message, fields }),
  })
  const record = (from: number, to: number) => {
    for (let nth = from; nth < to; nth++) exporter.record(spanOf(nth))
  }
  return { exporter, record, sent, told, state }
}

test("all that is kept is sent, in batches, once", async () => {
  const { exporter, record, sent } = world()
  record(0, 1_100)
  await exporter.drain()
  await exporter.drain()
  expect(sent.map(({ length }) => length)).toEqual([512, 512, 76])
  expect(new Set(sent.flat()).size).toBe(1_100)
})

test("one batch is under way at a time, and what comes meanwhile goes with the next", async () => {
  const { exporter, record, sent, state } = world()
  const answered = Promise.withResolvers<void>()
  state.answer = () => answered.promise
  record(0, 2)
  const first = exporter.drain()
  await Promise.resolve()
  record(2, 5)
  await exporter.drain()
  expect(sent).toEqual([])
  answered.resolve()
  await first
  expect(sent).toEqual([
    ["span 0", "span 1"],
    ["span 2", "span 3", "span 4"],
  ])
})

test("who does not take spans is left alone for a while; what is lost is bounded, counted and told once", async () => {
  const { exporter, record, sent, told, state } = world()
  state.answer = () => Promise.reject(new Error("away"))
  record(0, 10)
  await exporter.drain()
  record(10, 20)
  await exporter.drain()
  record(20, 3_000)
  await exporter.drain()
  expect(told).toEqual([{ message: "spans are not taken", fields: { error: expect.any(Error), lost: 10 } }])
  state.nowMs = 5_000
  state.answer = () => Promise.resolve()
  await exporter.drain()
  expect(sent.flat()).toHaveLength(2_048)
  expect(told[1]).toEqual({ message: "spans are taken again", fields: { lost: 10 + 2_990 - 2_048 } })
})

test("whoever was ended while it sent is not waited for, as an edge ends it with its request", async () => {
  const { exporter, record, sent, state } = world()
  state.answer = () => new Promise(() => {})
  record(0, 1)
  void exporter.drain()
  await Promise.resolve()
  state.answer = () => Promise.resolve()
  record(1, 2)
  state.nowMs = 29_999
  await exporter.drain()
  expect(sent).toEqual([])
  state.nowMs = 30_000
  await exporter.drain()
  expect(sent).toEqual([["span 1"]])
})

test("a span is told as OTLP's JSON has it: ids in hex, times and whole numbers as text", async () => {
  let body = ""
  const exporter = createExporter({
    resource: { "service.name": "test" },
    post: async (sent) => {
      body = sent
    },
    turn: () => Promise.resolve(),
    nowMs: () => 0,
    tell: () => {},
  })
  const link = { traceId: "f".repeat(32), spanId: "e".repeat(16), isSampled: true }
  exporter.record({
    ...spanOf(7),
    parentSpanId: "d".repeat(16),
    kind: "client",
    links: [link],
    isError: true,
  })
  await exporter.drain()
  expect(JSON.parse(body)).toEqual({
    resourceSpans: [
      {
        resource: { attributes: [{ key: "service.name", value: { stringValue: "test" } }] },
        scopeSpans: [
          {
            scope: { name: "hotswap" },
            spans: [
              {
                traceId: "0af7651916cd43dd8448eb211c80319c",
                spanId: "0000000000000007",
                parentSpanId: "d".repeat(16),
                name: "span 7",
                kind: 3,
                startTimeUnixNano: "1700000000000250000",
                endTimeUnixNano: "1700000000001500000",
                attributes: [
                  { key: "word", value: { stringValue: "a" } },
                  { key: "many", value: { intValue: "3" } },
                  { key: "part", value: { doubleValue: 0.5 } },
                  { key: "yes", value: { boolValue: true } },
                ],
                links: [{ traceId: "f".repeat(32), spanId: "e".repeat(16) }],
                status: { code: 2 },
              },
            ],
          },
        ],
      },
    ],
  })
})
