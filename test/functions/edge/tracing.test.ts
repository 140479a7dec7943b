import { afterAll, beforeAll, beforeEach, expect, test, vi } from "vitest"
import type { Bindings, RequestLife } from "../../../functions/edge/runtime.ts"
import { createTracing, hopOf } from "../../../functions/edge/tracing.ts"
import { type SpanReceiver, startSpanReceiver } from "../../support/span-receiver.ts"

let receiver: SpanReceiver
beforeAll(async () => {
  receiver = await startSpanReceiver()
})
afterAll(() => receiver.close())
beforeEach(() => {
  receiver.spans.length = 0
})

const TRACE = "0af7651916cd43dd8448eb211c80319c"
const FROM = `00-${TRACE}-b7ad6b7169203331-01`
const request = (traceparent = FROM) => new Request("https://edge.example/any", { headers: { traceparent } })

const lifeOf = () => {
  const behind: Promise<unknown>[] = []
  const life: RequestLife = { waitUntil: (promise) => void behind.push(promise) }
  return { life, over: () => Promise.all(behind) }
}
const tracingWith = (bindings: Partial<Bindings> = {}) =>
  createTracing({ OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url, ...bindings } as Bindings)

test("where nobody is named, what the caller says of its trace is passed on as it is", () => {
  expect(tracingWith({ OTEL_EXPORTER_OTLP_ENDPOINT: "" })).toBeNull()
  const { life } = lifeOf()
  expect(hopOf(request("whatever"), life, "GET").traceparent).toBe("whatever")
})

test("settings that are wrong are told of, and nothing is traced", () => {
  const warned = vi.spyOn(console, "warn").mockImplementation(() => {})
  expect(tracingWith({ OTEL_TRACES_SAMPLER: "sometimes" })).toBeNull()
  expect(warned.mock.calls.join()).toContain("OTEL_TRACES_SAMPLER is not one of")
  warned.mockRestore()
})

test("spans go when the answer has, in the life of the request", async () => {
  const { life, over } = lifeOf()
  let said: string | null = null
  const response = await tracingWith()!(request(), life, async (own) => {
    const hop = hopOf(request(), own, "GET /internal/pointer/{tenantId}/{environment}")
    said = hop.traceparent
    hop.over(503)
    hopOf(request(), own, "lost").over(null)
    return new Response("late", { status: 502 })
  })
  expect(response.status).toBe(502)
  expect(receiver.spans).toEqual([])
  await over()
  const [asked, lost, server] = receiver.spans
  expect(server).toMatchObject({ traceId: TRACE, parentSpanId: "b7ad6b7169203331", status: { code: 2 } })
  expect(asked).toMatchObject({
    parentSpanId: server!.spanId,
    attributes: { "http.response.status_code": 503 },
  })
  expect(lost).toMatchObject({ attributes: { "error.type": "unreachable" } })
  expect(said).toBe(`00-${TRACE}-${asked!.spanId}-01`)
})

test("what it decides is said on: whoever is asked does not decide anew", async () => {
  const { life, over } = lifeOf()
  const tracing = tracingWith({ OTEL_TRACES_SAMPLER: "traceidratio", OTEL_TRACES_SAMPLER_ARG: "0" })!
  await tracing(request(), life, async (own) => {
    expect(hopOf(request(), own, "GET").traceparent).toMatch(new RegExp(`^00-${TRACE}-[0-9a-f]{16}-00$`))
    return new Response("")
  })
  await over()
  expect(receiver.spans).toEqual([])
})

test("what fails is told as failed, and fails as it did", async () => {
  const { life, over } = lifeOf()
  const failing = tracingWith()!(request(), life, () => Promise.reject(new Error("hyacinth")))
  await expect(failing).rejects.toThrow("hyacinth")
  await over()
  expect(receiver.spans).toMatchObject([{ status: { code: 2 }, attributes: { "error.type": "unforeseen" } }])
})
