import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { PERMISSIONS } from "../../../core/access.ts"
import type { Route } from "../../../functions/http/route.ts"
import { createManage } from "../../../functions/manage/manage.ts"
import { ELSEWHERE, ROUTES_OF_A_TENANT, SAMPLE } from "./door-routes.ts"
import { CONTEXT, createWorld, eventOf, must, type World } from "./world.ts"

let world: World
let acme: Awaited<ReturnType<World["tenant"]>>
let globex: Awaited<ReturnType<World["tenant"]>>
beforeAll(async () => {
  world = await createWorld()
  acme = await world.tenant("acme", "Pro")
  globex = await world.tenant("globex")
  const config = { environment: "Staging", key: "secret.plan", value: "globex only" }
  await must(world.call("POST", "/api/v1/configs", { body: { tenantId: "globex", ...config } }), 201)
  await must(
    world.call("POST", "/api/v1/configs", { body: { tenantId: "acme", ...config, value: "acme only" } }),
    201,
  )
})
afterAll(() => world.close())

const throughHandler = async (method: string, path: string, token: string, body?: unknown) => {
  const headers = { authorization: `Bearer ${token}` }
  const sent = body === undefined ? {} : { body: JSON.stringify(body) }
  return await world.manage.handler(eventOf(method, path, { headers, ...sent }), CONTEXT)
}

describe("a tenant that a token may not see is answered byte for byte as one that never was", () => {
  test.each(ROUTES_OF_A_TENANT)("%s %s", async (method, path, body) => {
    const [seen, absent] = [globex.tenantId, "glob3x"]
    for (const role of ["viewer", "tenant_admin"] as const) {
      const token = acme.tokens[role]
      const there = await throughHandler(method, path(seen), token, body?.(seen))
      const nowhere = await throughHandler(method, path(absent), token, body?.(absent))
      expect(there.statusCode).toBe(404)
      expect(there.body.replaceAll(seen, absent)).toBe(nowhere.body)
      expect(there.headers).toEqual(nowhere.headers)
      expect(there.body).toContain("TENANT_NOT_FOUND")
    }
  })

  test("every route that is about one tenant is among these", async () => {
    const sent = ROUTES_OF_A_TENANT.map(([method, path]) => `${method} ${path("acme").split("?")[0]}`)
    const isSent = ({ method, path }: Route): boolean => {
      const form = new RegExp(`^${method.toUpperCase()} ${path.replaceAll(/\{\w+\}/g, "[^/]+")}$`)
      return sent.some((one) => form.test(one))
    }
    const about = (await world.manage.routes()).filter(
      ({ action, reference }) => action !== null && !ELSEWHERE.has(reference.operationId ?? ""),
    )
    expect(about.filter((route) => !isSent(route)).map(({ method, path }) => `${method} ${path}`)).toEqual([])
  })
})

describe("each role may do what the table of permissions says, and nothing else", () => {
  const ROLES = ["viewer", "engineer", "manager", "compliance", "tenant_admin"] as const
  test.each(SAMPLE)("%s: %s %s", async (action, method, path, body) => {
    for (const role of ROLES) {
      const answer = await world.call(method, path, {
        token: acme.tokens[role],
        ...(body === undefined ? {} : { body }),
      })
      const allowed = (PERMISSIONS[action] as readonly string[]).includes(role)
      expect(answer.status === 403, `${role}: ${answer.text}`).toBe(!allowed)
    }
  })

  test("and every action that a route takes is among these", async () => {
    const taken = new Set((await world.manage.routes()).flatMap(({ action }) => action ?? []))
    const sent = new Set(SAMPLE.map(([action]) => action))
    expect([...taken].filter((action) => !sent.has(action))).toEqual([])
  })

  test("no action stands in the table that nothing takes", async () => {
    const taken = new Set<string>((await world.manage.routes()).flatMap(({ action }) => action ?? []))
    // Of the functions that read, hear clients and route, and of what the platform alone may set or ask for.
    for (const action of [
      "view.read",
      "view.preview",
      "outcome.report",
      "event.record",
      "tenant.tier",
      "backup.schedule_all",
      "backup.hand_over",
      "backend.vouch",
      "backend.query",
      "backend.write",
    ])
      taken.add(action)
    expect(Object.keys(PERMISSIONS).filter((action) => !taken.has(action))).toEqual([])
  })

  test("what the tenant bought is the platform's to set", async () => {
    for (const body of [
      { tier: "Enterprise" },
      { quotas: { keys: 1 } },
      { features: { customBranding: true } },
    ]) {
      const answer = await world.call("PATCH", "/api/v1/tenants/acme", {
        token: acme.tokens.tenant_admin,
        body,
      })
      expect(answer.body.code).toBe("FORBIDDEN")
    }
  })

  test("a token bound to one environment alters nothing about its tenant as a whole", async () => {
    const bound = await acme.issue("bound-admin@acme", ["tenant_admin"], "Staging")
    const whole: [string, string, unknown][] = [
      ["PATCH", "/api/v1/tenants/acme", { displayName: "Mine" }],
      ["PUT", "/api/v1/tenants/acme/audit-retention", { days: 90 }],
    ]
    for (const [method, path, body] of whole) {
      const refused = await must(world.call(method, path, { token: bound, body }), 403)
      expect(refused.body.code).toBe("FORBIDDEN")
      await must(world.call(method, path, { token: acme.tokens.tenant_admin, body }), 200)
    }
    await must(world.call("GET", "/api/v1/tenants/acme", { token: bound }), 200)
  })

  test("a token bound to one environment changes, approves and issues nothing for another", async () => {
    const { call } = world
    const bound = await acme.issue("bound@acme", ["engineer", "manager", "tenant_admin"], "Staging")
    const change = (environment: string) => ({
      tenantId: "acme",
      environment,
      edits: [{ key: "bound", value: environment }],
    })
    await must(call("POST", "/api/v1/changes", { token: bound, body: change("Staging") }), 202)
    await must(call("POST", "/api/v1/changes", { token: bound, body: change("Production") }), 403)
    const filed = await must(call("POST", "/api/v1/changes", { body: change("Production") }), 202)
    await must(call("POST", `/api/v1/approvals/${filed.body.changeId}/approve`, { token: bound }), 403)
    await must(call("GET", `/api/v1/changes/${filed.body.changeId}`, { token: bound }), 403)
    for (const environment of [undefined, "Production"]) {
      const body = { subject: "more", roles: ["engineer"], environment }
      await must(call("POST", "/api/v1/tenants/acme/tokens", { token: bound, body }), 403)
    }
  })
})

describe("a suspended tenant", () => {
  test("is closed to its own tokens and open to the platform, until it is resumed", async () => {
    const { call } = world
    const initech = await world.tenant("initech")
    const path = "/api/v1/configs?tenantId=initech&environment=QA"
    const config = { tenantId: "initech", environment: "QA", key: "k", value: 1 }
    await must(call("POST", "/api/v1/tenants/initech/suspend"), 200)
    const refused = await must(call("GET", path, { token: initech.tokens.tenant_admin }), 403)
    expect(refused.body.code).toBe("TENANT_SUSPENDED")
    await must(call("GET", path), 200)
    await must(call("POST", "/api/v1/configs", { body: config }), 201)
    await must(call("POST", "/api/v1/tenants/initech/resume"), 200)
    await must(call("GET", path, { token: initech.tokens.tenant_admin }), 200)
  })
})

describe("the door", () => {
  test("answers before what the call set off is done", async () => {
    const { publisher } = world.platform
    const publish = publisher.publish
    const held = Promise.withResolvers<boolean>()
    publisher.publish = () => held.promise
    const body = JSON.stringify({ tenantId: "acme", environment: "QA", key: "not.awaited", value: 1 })
    const headers = { authorization: `Bearer ${acme.tokens.engineer}` }
    const event = eventOf("POST", "/api/v1/configs", { headers, body })
    expect(await createManage(world.platform).handler(event, CONTEXT)).toMatchObject({ statusCode: 201 })
    publisher.publish = publish
    held.resolve(true)
    await world.platform.background.settled()
  })

  test("takes an empty Idempotency-Key for a mistake, also where the adapter drops empty headers", async () => {
    const headers = { authorization: `Bearer ${acme.tokens.engineer}`, "idempotency-key": "" }
    const body = JSON.stringify({ tenantId: "acme", environment: "QA", key: "not.kept", value: 1 })
    const { body: told } = await world.manage.handler(
      eventOf("POST", "/api/v1/configs", { headers, body }),
      CONTEXT,
    )
    expect(told).toContain("IDEMPOTENCY_KEY_INVALID")
  })

  test("takes a body on a GET for nothing", async () => {
    const event = eventOf("GET", "/health", { body: "x" })
    expect(await world.manage.handler(event, CONTEXT)).toMatchObject({
      statusCode: 200,
      body: '{"status":"ok"}',
    })
  })

  test("says who it is without a token, and that the database answers", async () => {
    for (const path of [
      "/",
      "/docs",
      "/docs/errors",
      "/health",
      "/ready",
      "/openapi.json",
      "/docs/assets/swagger-ui.css",
    ])
      await must(world.call("GET", path, { token: null }), 200)
  })

  test("tells on its first page of parts of the reference that are there", async () => {
    const { text } = await world.call("GET", "/", { token: null })
    const { paths } = JSON.parse((await world.call("GET", "/openapi.json", { token: null })).text) as {
      paths: Record<string, Record<string, { tags: string[]; operationId: string }>>
    }
    const there = Object.values(paths)
      .flatMap((methods) => Object.values(methods))
      .flatMap(({ tags, operationId }) => tags.flatMap((tag) => [tag, `${tag}/${operationId}`]))
    const named = [...text.matchAll(/href="\/docs#\/([^"]+)"/g)].map(([, part]) => part!)
    expect(named.length).toBeGreaterThan(5)
    expect(there).toEqual(expect.arrayContaining(named))
  })

  test("tells a page of every refusal there is", async () => {
    const { text } = await world.call("GET", "/docs/errors", { token: null })
    expect(text).toContain('id="VERSION_STALE"')
    expect(text).toContain("Each entry of <code>errors</code> names a field")
    expect(text).not.toContain("`")
  })

  test("sends nothing that a browser would run from elsewhere, or keep", async () => {
    const { headers } = await world.call("GET", "/api/v1/tenants")
    expect(headers.get("content-security-policy")).toContain("default-src 'none'")
    expect(headers.get("x-content-type-options")).toBe("nosniff")
    expect(headers.get("cache-control")).toBe("no-store")
  })

  test("takes X-Tenant-ID where it names the same tenant, by its id or by an external one", async () => {
    const { call } = world
    await must(call("PATCH", "/api/v1/tenants/acme", { body: { externalIds: { discord: "42" } } }), 200)
    const path = "/api/v1/changes?tenantId=acme"
    for (const tenant of ["acme", "discord:42"])
      await must(call("GET", path, { token: acme.tokens.viewer, headers: { "x-tenant-id": tenant } }), 200)
    for (const tenant of ["globex", "nobody", "discord:43"]) {
      const answer = await call("GET", path, {
        token: acme.tokens.viewer,
        headers: { "x-tenant-id": tenant },
      })
      expect(answer.body.code).toBe("TENANT_MISMATCH")
    }
    const byExternal = await must(
      call("GET", "/api/v1/tenants/discord:42", { token: acme.tokens.viewer }),
      200,
    )
    expect(byExternal.body.tenantId).toBe("acme")
    const unseen = await call("GET", "/api/v1/tenants/discord:42", { token: globex.tokens.viewer })
    const absent = await call("GET", "/api/v1/tenants/discord:43", { token: globex.tokens.viewer })
    expect(unseen.body.detail).toBe('There is no tenant "discord:42".')
    expect(absent.body.detail).toBe('There is no tenant "discord:43".')
  })
})
