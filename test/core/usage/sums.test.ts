import fc from "fast-check"
import { expect, test } from "vitest"
import type { TenantId } from "../../../core/ids.ts"
import { isExcluded, type TenantEvent, templateOf } from "../../../core/usage/event.ts"
import { DURATION_BOUNDS, emptyHistogram, observe } from "../../../core/usage/histogram.ts"
import { Summing, userKeyOf } from "../../../core/usage/sums.ts"

const ACME = "acme" as TenantId
const BOLT = "bolt" as TenantId
const AT = "2026-11-21T08:09:59.999Z"

const eventOf = (event: object): TenantEvent =>
  ({ tenantId: ACME, id: "1", at: AT, userId: null, ...event }) as TenantEvent
const summed = (...events: object[]): Summing => {
  const sums = new Summing()
  for (const event of events) sums.addEvent(eventOf(event))
  return sums
}
const metricsOf = (sums: Summing) =>
  Object.fromEntries(
    [...sums.metrics.values()].map((sum) => [[sum.metric, ...sum.labels].join(" "), sum.value]),
  )

test("each event counts once in its ten minutes, its day and its metrics", () => {
  const sums = summed(
    { type: "order_created", data: { orderId: "1", amountCents: 1_250 }, userId: "ann" },
    {
      type: "order_created",
      data: { orderId: "2", amountCents: 50 },
      userId: "ann",
      at: "2026-11-21T08:10:00Z",
    },
    { type: "payment_processed", data: { method: "card", amountCents: 1_250 } },
    { type: "user_login", data: {}, userId: "bob" },
    { type: "error", data: { type: "db" } },
    { type: "security_alert", data: { kind: "odd" } },
  )
  expect(
    [...sums.slots.values()].map(({ slot, kind, count, amountCents }) => [slot, kind, count, amountCents]),
  ).toEqual([
    ["2026-11-21T08:00:00.000Z", "order_created", 1, 1_250],
    ["2026-11-21T08:10:00.000Z", "order_created", 1, 50],
    ["2026-11-21T08:00:00.000Z", "payment_processed", 1, 1_250],
    ["2026-11-21T08:00:00.000Z", "user_login", 1, 0],
    ["2026-11-21T08:00:00.000Z", "error", 1, 0],
    ["2026-11-21T08:00:00.000Z", "security_alert", 1, 0],
  ])
  expect([...sums.users.values()]).toEqual([
    { tenantId: ACME, day: "2026-11-21", userKey: userKeyOf(ACME, "ann") },
    { tenantId: ACME, day: "2026-11-21", userKey: userKeyOf(ACME, "bob") },
  ])
  expect(metricsOf(sums)).toEqual({
    orders_total: 2,
    order_amount_cents_total: 1_300,
    "payments_total card": 1,
    "payment_amount_cents_total card": 1_250,
    logins_total: 1,
    "errors_total db": 1,
    "security_alerts_total odd": 1,
  })
})

test("of the same name, users of two tenants are two", () => {
  expect(userKeyOf(ACME, "ann")).not.toBe(userKeyOf(BOLT, "ann"))
})

test("requests that applications tell of are counted by the template of their path; those to the process itself are not", () => {
  const request = { method: "GET", status: 500, durationMs: 3 }
  const sums = summed(
    ...["/orders/17", "/orders/18?full=1", "/health", "/metrics", "/assets/app.js", "/healthy"].map(
      (path) => ({
        type: "api_request",
        data: { ...request, path },
      }),
    ),
  )
  expect(
    [...sums.requests.values()].map(({ route, count, durationMs }) => [route, count, durationMs]),
  ).toEqual([
    ["/orders/{id}", 2, 6],
    ["/healthy", 1, 3],
  ])
  expect([...sums.slots.values()]).toMatchObject([
    { kind: "api_request", count: 3, failed: 3, durationMs: 9 },
  ])
})

test("a path's numbers, UUIDs, ULIDs and digests are one template, its words are not", () => {
  for (const id of [
    "17",
    "0190a1b2-7c3d-7e4f-8a9b-0c1d2e3f4a5b",
    "01JD3Z8Q4N6R9T2V5X7Y0A1B3C",
    "9f86d081884c7d65",
  ])
    expect(templateOf(`/a/${id}/b`)).toBe("/a/{id}/b")
  for (const path of ["/orders/new", "/v1/orders", "/a/{id}", "/"]) expect(templateOf(path)).toBe(path)
  expect(isExcluded("/assets")).toBe(true)
  expect(isExcluded("/v1/health")).toBe(false)
})

test("latencies told in pairs lie in the buckets that their bounds belong to", () => {
  const sums = summed({
    type: "metrics",
    data: {
      commands: [
        {
          command: "ban",
          status: "ok",
          count: 3,
          durationMs: 30,
          latency: [
            [10, 2],
            [25.5, 1],
          ],
        },
      ],
      eligibilityChecks: [{ type: "vip", result: "yes", count: 4 }],
      requests: [{ path: "/x", method: "GET", status: 200, count: 2, durationMs: 8 }],
    },
  })
  const histogram = [...sums.metrics.values()].find(({ metric }) => metric === "command_duration_seconds")!
  expect(histogram.value).toBe(0.03)
  expect(histogram.buckets!.indexOf(2)).toBe(DURATION_BOUNDS.indexOf(0.01))
  expect(histogram.buckets!.indexOf(1)).toBe(DURATION_BOUNDS.indexOf(0.05))
  expect(metricsOf(sums)).toMatchObject({
    "commands_total ban ok": 3,
    "eligibility_checks_total vip yes": 4,
    "requests_total application /x GET 200": 2,
  })
})

test("whatever takes a time lies in exactly one bucket, the first that is not below it", () => {
  fc.assert(
    fc.property(fc.double({ min: 0, max: 100, noNaN: true }), (seconds) => {
      const histogram = emptyHistogram()
      observe(histogram, seconds)
      const bucket = histogram.buckets.indexOf(1)
      expect(histogram.buckets.reduce((sum, many) => sum + many, 0)).toBe(1)
      expect(seconds <= (DURATION_BOUNDS[bucket] ?? Number.POSITIVE_INFINITY)).toBe(true)
      expect(bucket === 0 || seconds > DURATION_BOUNDS[bucket - 1]!).toBe(true)
    }),
    { seed: 7 },
  )
})
