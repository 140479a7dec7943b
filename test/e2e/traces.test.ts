import { afterAll, beforeAll, describe, expect, test, vi } from "vitest"
import type { ChangeId } from "../../core/ids.ts"
import { traceOfChange } from "../../core/trace/change-trace.ts"
import { EventsClient } from "../../sdk/src/events.ts"
import { LimitsClient } from "../../sdk/src/limits.ts"
import { type RunningHotswap, removeHome, startHotswap, temporaryHome } from "../support/hotswap.ts"
import { type SpanReceiver, startSpanReceiver, type ToldSpan } from "../support/span-receiver.ts"

const PATIENTLY = { timeout: 20_000, interval: 50 }
const SENTINEL = "hyacinth-that-nobody-is-told"
const HEADER_SENTINEL = "key-of-the-receiver"

let receiver: SpanReceiver
let hotswap: RunningHotswap
let token: string
let changeId: ChangeId
beforeAll(async () => {
  receiver = await startSpanReceiver()
  hotswap = await startHotswap({
    home: await temporaryHome(),
    env: {
      OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url,
      OTEL_EXPORTER_OTLP_HEADERS: `x-api-key=${HEADER_SENTINEL}`,
    },
  })
  await story()
}, 90_000)
afterAll(async () => {
  await hotswap?.stop()
  await receiver?.close()
  if (hotswap) await removeHome(hotswap.home)
})

const READ = "/api/v1/configs/tenant/acme"
const read = (query: string, headers = {}) =>
  hotswap.call<{ arm: string }>("GET", `${READ}?environment=QA${query}`, { token, headers })

/** The trace that an application gives its request, and what it is called in the header. */
const traceOf = (digit: string, flags = "01") => {
  const traceId = digit.repeat(32)
  return { traceId, headers: { traceparent: `00-${traceId}-${digit.repeat(16)}-${flags}` } }
}
const READING = traceOf("a")
const SUBMITTING = traceOf("b")
const APPROVING = traceOf("c")
const REPORTING = traceOf("d")
const UNSAMPLED = traceOf("e", "00")
const TELLING = traceOf("f")
const COUNTING = traceOf("9")
/** As an application says what it is doing. */
const traceparentOf = ({ headers }: ReturnType<typeof traceOf>) => ({
  traceparent: () => headers.traceparent,
})

/** A canary that a manager approves, that goes on by the clock, and that what its readers report takes back. */
const story = async (): Promise<void> => {
  const { call } = hotswap
  const post = async <Body>(path: string, body: unknown, options = {}) => {
    const answer = await call<Body>("POST", path, { body, ...options })
    expect(answer.status, JSON.stringify(answer.body)).toBeLessThan(300)
    return answer.body
  }
  const issue = async (subject: string, roles: string[], more = {}) =>
    (await post<{ token: string }>("/api/v1/tenants/acme/tokens", { subject, roles, ...more })).token
  await post("/api/v1/tenants", { tenantId: "acme", name: "Acme" })
  token = await issue("shop", ["reader"], { environment: "QA" })
  const engineer = await issue("erin", ["engineer"])
  const manager = await issue("max", ["manager"])
  const edit = { tenantId: "acme", environment: "QA", key: "greeting", value: `${SENTINEL}-1` }
  await post("/api/v1/configs", edit)
  await post("/api/v1/configs", { ...edit, key: "password", value: `${SENTINEL}-2`, secret: true })
  await call("PUT", "/api/v1/tenants/acme/environments/QA/policy", {
    body: { stages: [{ role: "manager", required: 1 }] },
  })
  const submitted = await post<{ changeId: ChangeId }>(
    "/api/v1/changes",
    {
      tenantId: "acme",
      environment: "QA",
      comment: SENTINEL,
      edits: [{ key: "greeting", value: `${SENTINEL}-3` }],
      strategy: {
        type: "canary",
        steps: [
          { weightBp: 1_000, holdMs: 1_000 },
          { weightBp: 5_000, holdMs: 600_000 },
        ],
      },
    },
    { token: engineer, ...SUBMITTING },
  )
  changeId = submitted.changeId
  await post(`/api/v1/approvals/${changeId}/approve`, { comment: SENTINEL }, { token: manager, ...APPROVING })
  await vi.waitFor(async () => {
    const { body } = await call<{ step: number | null }>("GET", `/api/v1/changes/${changeId}`)
    expect(body.step).toBe(1)
  }, PATIENTLY)
  const { revision } = (await call<{ revision: string }>("GET", `${READ}?environment=QA`)).body
  const reports = [
    { revision, arm: "stable", instance: "web-1", seq: 1, ok: 99, errors: 1 },
    { revision, arm: "candidate", instance: "web-1", seq: 1, ok: 2, errors: 18 },
  ]
  await post("/api/v1/outcomes", { reports }, { token, ...REPORTING })
  await read("&key=nowhere", UNSAMPLED.headers)
  // Asked for with a revision that is not held yet, the edge has to ask.
  const key = `&targetingKey=${SENTINEL}-4`
  expect((await read(key, { ...READING.headers, "hotswap-at-least": revision })).status).toBe(200)
}

const spansIn = (traceId: string): ToldSpan[] => receiver.spans.filter((span) => span.traceId === traceId)
const named = (traceId: string, name: string, service?: string) => async () =>
  spansIn(traceId).filter((span) => span.name === name && (service ?? span.service) === span.service)

/** Waits until it has been told, as nobody's answer waits for that. */
const told = async (traceId: string, name: string, service?: string): Promise<ToldSpan> => {
  await expect.poll(named(traceId, name, service), PATIENTLY).not.toEqual([])
  return (await named(traceId, name, service)())[0]!
}

const SERVER = 2
const CLIENT = 3

describe("a request's trace", () => {
  test("leads from the application through the edge and the function to the database and Redis", async () => {
    const { traceId } = SUBMITTING
    const edge = await told(traceId, "POST", "hotswap-edge")
    const asked = (await named(traceId, "POST", "hotswap-edge")()).find(({ kind }) => kind === CLIENT)!
    const manage = await told(traceId, "POST /api/v1/changes", "hotswap-manage")
    const change = await told(traceId, "change submit", "hotswap-manage")
    const loads = await told(traceId, "SELECT hotswap.load_scope")
    const commits = await told(traceId, "SELECT hotswap.commit_scope")
    const received = spansIn(traceId).find(
      ({ service, kind }) => service === edge.service && kind === SERVER,
    )!
    expect(received.parentSpanId).toBe("b".repeat(16))
    expect(asked).toMatchObject({ kind: CLIENT, parentSpanId: received.spanId })
    expect(manage).toMatchObject({
      kind: SERVER,
      parentSpanId: asked.spanId,
      attributes: {
        "http.request.method": "POST",
        "http.route": "/api/v1/changes",
        "http.response.status_code": 202,
        "hotswap.tenant.id": "acme",
      },
    })
    expect(change.parentSpanId).toBe(manage.spanId)
    for (const query of [loads, commits])
      expect(query).toMatchObject({
        kind: CLIENT,
        parentSpanId: change.spanId,
        attributes: { "db.system.name": "postgresql", "db.operation.name": "SELECT" },
      })
  })

  test("begins in the application that tells or asks by the SDK, and leads to where that is kept", async () => {
    const events = new EventsClient({ url: hotswap.url, token, tenantId: "acme", ...traceparentOf(TELLING) })
    events.track("user_login", { userId: SENTINEL })
    expect(await events.flush(20_000)).toBe(true)
    await events.close()
    const limits = new LimitsClient({
      url: hotswap.url,
      token,
      timeoutMs: 20_000,
      ...traceparentOf(COUNTING),
    })
    expect((await limits.consume("acme", "command")).kind).toBe("allowed")
    for (const [{ traceId }, digit, name, system] of [
      [TELLING, "f", "POST /api/v1/events", "postgresql"],
      [COUNTING, "9", "POST /api/v1/tenants/{tenantId}/limits/{action}/consume", "redis"],
    ] as const) {
      const served = await told(traceId, name)
      const received = () =>
        spansIn(traceId).filter(
          ({ kind, parentSpanId }) => kind === SERVER && parentSpanId === digit.repeat(16),
        )
      await expect.poll(received, PATIENTLY).toMatchObject([{ service: "hotswap-edge" }])
      const kept = () =>
        spansIn(traceId).filter(
          ({ service, attributes }) => service === served.service && attributes["db.system.name"] === system,
        )
      await expect.poll(kept, PATIENTLY).not.toEqual([])
    }
  })

  test("of a read names its template and tenant, at the edge and where that has to ask", async () => {
    const route = "GET /api/v1/configs/tenant/{tenantId}"
    const edge = await told(READING.traceId, route, "hotswap-edge")
    expect(edge).toMatchObject({
      kind: SERVER,
      parentSpanId: "a".repeat(16),
      attributes: { "hotswap.tenant.id": "acme", "http.response.status_code": 200 },
    })
  })

  test("of what takes a change back leads on to Redis, where readers hear of it", async () => {
    const { traceId } = REPORTING
    const outcomes = await told(traceId, "POST /api/v1/outcomes", "hotswap-outcomes")
    const change = await told(traceId, "change tick", "hotswap-outcomes")
    const publish = await told(traceId, "publish", "hotswap-outcomes")
    await expect
      .poll(
        async () => spansIn(traceId).filter(({ attributes }) => attributes["db.system.name"] === "redis"),
        PATIENTLY,
      )
      .toContainEqual(expect.objectContaining({ parentSpanId: publish.spanId, kind: CLIENT }))
    expect(change.parentSpanId).toBe(outcomes.spanId)
    expect(publish.parentSpanId).toBe(change.spanId)
  })

  test("has no parent that was not told, and no two spans of one id", async () => {
    await told(REPORTING.traceId, "publish", "hotswap-outcomes")
    for (const [digit, { traceId }] of Object.entries({ b: SUBMITTING, c: APPROVING, d: REPORTING })) {
      const unknown = async () => {
        const ids = new Set(spansIn(traceId).map(({ spanId }) => spanId))
        ids.add(digit.repeat(16))
        return spansIn(traceId).filter(({ parentSpanId }) => !ids.has(parentSpanId!))
      }
      await expect.poll(unknown, PATIENTLY).toEqual([])
    }
    expect(new Set(receiver.spans.map(({ spanId }) => spanId)).size).toBe(receiver.spans.length)
  })

  test("is not recorded where the caller has decided so", async () => {
    await told(READING.traceId, "GET /api/v1/configs/tenant/{tenantId}", "hotswap-edge")
    expect(spansIn(UNSAMPLED.traceId)).toEqual([])
  })
})

describe("a change's trace", () => {
  test("follows from its id, and has what became of it in order, whichever function did it", async () => {
    const { traceId, rootSpanId } = traceOfChange(changeId)
    const root = await told(traceId, "change", "hotswap-manage")
    expect(root).toMatchObject({
      spanId: rootSpanId,
      attributes: { "hotswap.tenant.id": "acme", "hotswap.change.strategy": "canary" },
    })
    expect(root.parentSpanId).toBeUndefined()
    await told(traceId, "change.rolled_back")
    await expect
      .poll(
        async () =>
          spansIn(traceId)
            .filter(({ spanId }) => spanId !== rootSpanId)
            .toSorted((a, b) => Number(BigInt(a.endTimeUnixNano) - BigInt(b.endTimeUnixNano)))
            .map(({ service, name, parentSpanId }) => [service, name, parentSpanId]),
        PATIENTLY,
      )
      .toEqual([
        ["hotswap-manage", "change.submit", rootSpanId],
        ["hotswap-manage", "change.approve", rootSpanId],
        ["hotswap-manage", "change.start", rootSpanId],
        ["hotswap-advance", "change.advance", rootSpanId],
        ["hotswap-outcomes", "change.rolled_back", rootSpanId],
      ])
  })

  test("leads from each of these to the request that did it", async () => {
    const { traceId } = traceOfChange(changeId)
    for (const [name, of, did] of [
      ["change.submit", SUBMITTING, "change submit"],
      ["change.approve", APPROVING, "change approve"],
      ["change.rolled_back", REPORTING, "change tick"],
    ] as const) {
      const { spanId } = await told(of.traceId, did)
      expect((await told(traceId, name)).links, name).toEqual([{ traceId: of.traceId, spanId }])
    }
  })

  test("says why it was taken back", async () => {
    const { attributes } = await told(traceOfChange(changeId).traceId, "change.rolled_back")
    expect(attributes).toMatchObject({ "hotswap.change.reason": "unhealthy", "hotswap.verdict": "unhealthy" })
  })
})

test("no token, secret, value or word of anybody's is told", async () => {
  await told(traceOfChange(changeId).traceId, "change.rolled_back")
  const all = receiver.bodies.join("\n")
  for (const secret of [SENTINEL, HEADER_SENTINEL, "hsr_", "hsa_", hotswap.adminToken, "targetingKey"])
    expect(all, secret).not.toContain(secret)
  expect(receiver.headers.every((headers) => headers["x-api-key"] === HEADER_SENTINEL)).toBe(true)
})

test("who collects spans and does not answer, or has gone, is waited for by nobody", async () => {
  receiver.hold()
  const before = receiver.bodies.length
  for (let nth = 0; nth < 20; nth++) {
    expect((await read(`&targetingKey=s-${nth}`)).status).toBe(200)
    expect((await hotswap.call("GET", "/api/v1/tenants/acme")).status).toBe(200)
  }
  expect(receiver.bodies.length).toBe(before)
  await receiver.close()
  for (let nth = 0; nth < 20; nth++) expect((await read(`&targetingKey=t-${nth}`)).status).toBe(200)
  const edit = { tenantId: "acme", environment: "Development", key: "still", value: true }
  expect((await hotswap.call("POST", "/api/v1/configs", { body: edit })).status).toBe(201)
})
