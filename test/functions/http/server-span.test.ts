import { afterAll, beforeAll, beforeEach, expect, test } from "vitest"
import type { TenantId } from "../../../core/ids.ts"
import { findTenant } from "../../../db/queries/tenants.ts"
import type { FunctionUrlEvent, FunctionUrlResult } from "../../../functions/http/events.ts"
import { withServerSpan } from "../../../functions/http/server-span.ts"
import { createBackground } from "../../../functions/platform/background.ts"
import { restSender } from "../../../functions/platform/redis-rest.ts"
import { traced, tracingOf } from "../../../functions/platform/tracing.ts"
import { type OpenTestDatabase, openTestDatabase } from "../../support/database.ts"
import { eventOf } from "../../support/function-events.ts"
import { type SpanReceiver, startSpanReceiver } from "../../support/span-receiver.ts"

let receiver: SpanReceiver
let database: OpenTestDatabase
beforeAll(async () => {
  receiver = await startSpanReceiver()
  database = await openTestDatabase()
})
afterAll(async () => {
  await database.close()
  await receiver.close()
})
beforeEach(() => {
  receiver.spans.length = 0
})

const TRACE = "0af7651916cd43dd8448eb211c80319c"
const OK: FunctionUrlResult = { statusCode: 200, headers: {}, body: "{}", isBase64Encoded: false }
const problem = (statusCode: number, code: string): FunctionUrlResult => ({
  ...OK,
  statusCode,
  headers: { "content-type": "application/problem+json; charset=utf-8" },
  body: JSON.stringify({ status: statusCode, detail: "hyacinth", code }),
})

/** A function of its own, as a process composes it, and what it has logged. */
const functionOf = (variables: Readonly<Record<string, string>> = {}) => {
  const lines: { message: string; fields: unknown }[] = []
  const note = (message: string, fields: unknown = {}) => void lines.push({ message, fields })
  const log = { info: note, warn: note, error: note }
  const background = createBackground(log)
  const endpoint = { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url }
  const tracing = tracingOf("read", { ...endpoint, ...variables }, { log, background })
  const door = (answer: (event: FunctionUrlEvent) => Promise<FunctionUrlResult>) =>
    withServerSpan({ tracing }, answer, () => import("../../../functions/read/address.ts"))
  return { tracing, background, lines, door }
}

const event = (path: string, flags = "01") =>
  eventOf("GET", path, { headers: { traceparent: `00-${TRACE}-b7ad6b7169203331-${flags}` } })

test("an answer is a span of its caller's trace, and what was asked for it are spans below", async () => {
  const { background, door } = functionOf()
  const redis = restSender({ url: "http://127.0.0.1:9", token: "none" })
  const answer = door(async () => {
    await findTenant(database.app, "acme" as TenantId)
    await redis([["GET", "hyacinth"]]).catch(() => {})
    return OK
  })
  expect(await answer(event("/api/v1/configs/tenant/acme?key=hyacinth"))).toBe(OK)
  await background.settled()
  const server = receiver.spans.find(({ kind }) => kind === 2)!
  expect(server).toMatchObject({
    service: "hotswap-read",
    traceId: TRACE,
    parentSpanId: "b7ad6b7169203331",
    name: "GET /api/v1/configs/tenant/{tenantId}",
    attributes: { "hotswap.tenant.id": "acme", "http.response.status_code": 200 },
  })
  const asked = receiver.spans.filter(({ parentSpanId }) => parentSpanId === server.spanId)
  expect(asked.map(({ name }) => name)).toEqual(["SELECT", "SELECT hotswap.external_ids", "GET"])
  expect(asked[2]).toMatchObject({ status: { code: 2 } })
  expect(receiver.bodies.join()).not.toContain("hyacinth")
})

test.each([
  ["/internal/pointer/acme/Production", "GET /internal/pointer/{tenantId}/{environment}"],
  ["/internal/view/acme/Production/0.ab", "GET /internal/view/{tenantId}/{environment}/{view}"],
  ["/ofrep/v1/evaluate/flags", "GET /ofrep/v1/evaluate/flags"],
  ["/ofrep/v1/evaluate/flags/hyacinth", "GET /ofrep/v1/evaluate/flags/{key}"],
  ["/api/v1/configs/tenant/crm:hyacinth", "GET /api/v1/configs/tenant/{tenantId}"],
  ["/ready", "GET /ready"],
  ["/hyacinth", "GET"],
])("of %s only %s is told", async (path, name) => {
  const { background, door } = functionOf()
  await door(async () => OK)(event(path))
  await background.settled()
  expect(receiver.spans.map((span) => span.name)).toEqual([name])
  expect(JSON.stringify(receiver.spans)).not.toContain("hyacinth")
})

test("a refusal is told by its code, and is an error where it is ours", async () => {
  const { background, door } = functionOf()
  await door(async () => problem(404, "TENANT_NOT_FOUND"))(event("/ready"))
  await door(async () => problem(503, "DATABASE_UNAVAILABLE"))(event("/ready"))
  const thrown = door(() => Promise.reject(new TypeError("hyacinth")))(event("/ready"))
  await expect(thrown).rejects.toThrow("hyacinth")
  await background.settled()
  expect(receiver.spans.map(({ attributes, status }) => [attributes["hotswap.problem"], status])).toEqual([
    ["TENANT_NOT_FOUND", undefined],
    ["DATABASE_UNAVAILABLE", { code: 2 }],
    [undefined, { code: 2 }],
  ])
  expect(receiver.spans[2]!.attributes["error.type"]).toBe("TypeError")
  expect(JSON.stringify(receiver.spans)).not.toContain("hyacinth")
})

test("what a clock began has a trace of its own, and what comes of it later is below it", async () => {
  const { tracing, background } = functionOf()
  await traced({ tracing }, "sweep", async () => {
    background.waitUntil(traced({ tracing }, "publish", () => Promise.resolve()))
  })
  await background.settled()
  const [sweep, publish] = ["sweep", "publish"].map((name) =>
    receiver.spans.find((span) => span.name === name),
  )
  expect(sweep?.parentSpanId).toBeUndefined()
  expect(publish).toMatchObject({ parentSpanId: sweep!.spanId, traceId: sweep!.traceId })
})

test("where its caller is not recorded, or nobody is named, or the settings are wrong, it answers all the same", async () => {
  const unsampled = functionOf()
  expect(await unsampled.door(async () => OK)(event("/ready", "00"))).toBe(OK)
  const wrong = functionOf({ OTEL_TRACES_SAMPLER: "sometimes" })
  expect(await wrong.door(async () => OK)(event("/ready"))).toBe(OK)
  expect(wrong.lines).toEqual([
    { message: "nothing is traced", fields: { why: expect.stringContaining("OTEL_TRACES_SAMPLER is not") } },
  ])
  const answer = async () => OK
  expect(functionOf({ OTEL_EXPORTER_OTLP_ENDPOINT: "" }).door(answer)).toBe(answer)
  await Promise.all([unsampled, wrong].map(({ background }) => background.settled()))
  expect(receiver.spans).toEqual([])
})

test("who collects spans and has gone is told of once in the log, and answers are what they were", async () => {
  const { background, door, lines } = functionOf({ OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:9" })
  for (let nth = 0; nth < 3; nth++) {
    expect(await door(async () => OK)(event("/ready"))).toBe(OK)
    await background.settled()
  }
  expect(lines.map(({ message }) => message)).toEqual(["spans are not taken"])
})
