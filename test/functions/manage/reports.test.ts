import { afterAll, beforeAll, describe, expect, test } from "vitest"
import type { Access } from "../../../core/report/access-record.ts"
import type { ChangeEvidence } from "../../../core/report/change-evidence.ts"
import type { ProcessingField } from "../../../core/report/processing-record.ts"
import { type AuditWorld, auditWorld, linesOf } from "../../audit/world.ts"
import { must } from "./world.ts"

const TENANT = "audited"
const PATH = `/api/v1/tenants/${TENANT}/reports`
const EVER = "from=2020-01-01T00:00:00Z&to=2999-01-01T00:00:00Z"

type Tenant = Awaited<ReturnType<AuditWorld["tenant"]>>
let world: AuditWorld
let tokens: Tenant["tokens"]
const ids: Record<string, string> = {}

interface Report<Item> {
  items: Item[]
  count: number
  missing: string[]
  reviews: Record<string, unknown>[]
  tokens: { tokenId: string; subject: string; actions: number; accesses: number }[]
  audit: { through: { seq: number } | null }
}

const report = async <Item>(name: string, query = EVER, token = tokens.compliance): Promise<Report<Item>> => {
  const { text } = await must(world.call("GET", `${PATH}/${name}?${query}`, { token }), 200)
  return JSON.parse(text) as Report<Item>
}

const act = (change: string, verb: string, token: string, body: object = {}) =>
  must(world.call("POST", `/api/v1/changes/${ids[change]}/${verb}`, { token, body }), 200)
const approve = (change: string, token: string) =>
  must(
    world.call("POST", `/api/v1/approvals/${ids[change]}/approve`, { token, body: { comment: "fine" } }),
    200,
  )

const submit = async (name: string, key: string, environment = "Production") => {
  const edits = [{ key, value: `the value of ${key}`, owner: "team" }]
  const body = { tenantId: TENANT, environment, edits, comment: `because of ${name}` }
  const made = await must(world.call("POST", "/api/v1/changes", { token: tokens.engineer, body }), 202)
  ids[name] = made.body.changeId as string
}

/** What an auditor would want to see: everything that can become of a change. */
const live = async () => {
  const tenant = await world.tenant(TENANT)
  tokens = tenant.tokens
  const other = await tenant.issue("second@audited", ["engineer"])
  await submit("approved", "a")
  for (const token of [other, tokens.manager, tokens.compliance]) await approve("approved", token)
  for (const step of [0, 1]) await act("approved", "advance", tokens.manager, { step })
  await submit("rejected", "b")
  await must(
    world.call("POST", `/api/v1/approvals/${ids.rejected}/reject`, { token: tokens.manager, body: {} }),
    200,
  )
  await submit("broken", "c")
  await act("broken", "break-glass", tokens.manager, { comment: "it burns" })
  await act("broken", "review", tokens.compliance, { comment: "it did" })
  await submit("direct", "d", "Development")
  await act("direct", "rollback", tokens.manager)
  await submit("waiting", "e")
}

beforeAll(async () => {
  world = await auditWorld()
  await live()
})
afterAll(() => world.close())

interface Exported {
  seq: number
  at: string
  body: { action: string; target: string; actor: { tokenId: string }; detail?: { role?: string } }
}

/** The audit's own word, read from its export by nothing that makes reports. */
const exported = async (): Promise<Exported[]> =>
  linesOf(await world.exported(TENANT))
    .map((line) => JSON.parse(line) as Exported)
    .filter(({ body }) => body !== undefined)

const tokenOf = async (): Promise<Map<string, string>> => {
  const { body } = await must(world.call("GET", `/api/v1/tenants/${TENANT}/tokens?limit=200`), 200)
  return new Map(
    (body.items as { tokenId: string; subject: string }[]).map((one) => [one.tokenId, one.subject]),
  )
}

describe("the evidence of changes", () => {
  test("agrees with what the export of the audit says, change by change and step by step", async () => {
    const { items, count } = await report<ChangeEvidence>("soc2")
    const subjects = await tokenOf()
    const who = (tokenId: string) => subjects.get(tokenId) ?? "platform"
    const entries = await exported()
    const byChange = Map.groupBy(
      entries.filter(({ body }) => body.action.startsWith("change.")),
      ({ body }) => body.target,
    )
    expect(items.map(({ changeId }) => changeId).toSorted()).toEqual([...byChange.keys()].toSorted())
    expect(count).toBe(5)
    for (const item of items) {
      const own = byChange.get(item.changeId)!
      const named = (action: string) => own.filter(({ body }) => body.action === action)
      expect(item.steps.map(({ seq, at, action, tokenId }) => ({ seq, at, action, tokenId }))).toEqual(
        own.map(({ seq, at, body }) => ({ seq, at, action: body.action, tokenId: body.actor.tokenId })),
      )
      expect(item.requester).toBe(who(named("change.submit")[0]!.body.actor.tokenId))
      expect(item.approvals.map(({ subject, role }) => `${subject} ${role}`)).toEqual(
        named("change.approve").map(({ body }) => `${who(body.actor.tokenId)} ${body.detail!.role}`),
      )
      expect(item.wentLiveAt).toBe(named("change.live")[0]?.at ?? null)
      expect(item.brokenGlass?.by).toBe(
        named("change.break_glass").map(({ body }) => who(body.actor.tokenId))[0],
      )
      expect(item.brokenGlass?.reviewedBy).toBe(
        named("change.review").map(({ body }) => who(body.actor.tokenId))[0],
      )
      expect(item.rolledBack === null).toBe(named("change.rolled_back").length === 0)
    }
  })

  test("tells of each who wanted it, who agreed in which role, what it was, and how it ended", async () => {
    const { items } = await report<ChangeEvidence>("soc2")
    const of = (name: string) => items.find(({ changeId }) => changeId === ids[name])!
    expect(of("approved")).toMatchObject({
      state: "live",
      requester: "engineer@audited",
      strategy: "canary",
      owed: [{ role: "engineer" }, { role: "manager" }, { role: "compliance" }],
      keys: [{ key: "a", does: "create", fromVersion: 0, toVersion: 1, before: null }],
    })
    expect(of("approved").verdicts.map(({ step }) => step)).toEqual([0, 1])
    expect(of("rejected").ended).toMatchObject({ reason: "rejected", by: "manager@audited" })
    expect(of("direct").rolledBack).toMatchObject({ reason: "rolled_back", by: "manager@audited" })
    expect(of("waiting")).toMatchObject({ state: "awaiting_approval", wentLiveAt: null })
    const versions = await must(world.call("GET", "/api/v1/configs/audited:Production:a/versions"), 200)
    const [version] = versions.body.items as { checksum: string }[]
    expect(of("approved").keys[0]!.after).toBe(version!.checksum)
  })

  test("holds no value, in any form", async () => {
    for (const format of ["json", "csv", "md"]) {
      const { text } = await must(
        world.call("GET", `${PATH}/soc2?${EVER}&format=${format}`, { token: tokens.compliance }),
        200,
      )
      expect(text).not.toContain("the value of")
      for (const id of Object.values(ids)) expect(text.replaceAll("&#95;", "_")).toContain(id)
    }
  })

  test("is of its period: what happened before it or after it is left out", async () => {
    const [first] = (await report<ChangeEvidence>("soc2")).items
    const live = first!.wentLiveAt!
    const after = await report<ChangeEvidence>("soc2", `from=${live}&to=2999-01-01T00:00:00Z`)
    const again = after.items.find(({ changeId }) => changeId === first!.changeId)!
    expect(again.steps.every(({ at }) => at >= live)).toBe(true)
    expect(again.steps.map(({ action }) => action)).toContain("change.live")
    const before = await report<ChangeEvidence>("soc2", `from=2020-01-01T00:00:00Z&to=${live}`)
    expect(before.items[0]!.steps.every(({ at }) => at < live)).toBe(true)
    expect((await report("soc2", "from=2020-01-01T00:00:00Z&to=2020-02-01T00:00:00Z")).items).toEqual([])
  })
})

describe("the record of access", () => {
  test("has every time that somebody had something shown, as the export of the audit has", async () => {
    await world.exported(TENANT)
    const { items, tokens: used } = await report<Access>("hipaa")
    const entries = await exported()
    const shown = entries.filter(({ body }) => /\.(read|export|reveal|preview|download)$/.test(body.action))
    const upTo = items.at(-1)!.seq
    expect(items.map(({ seq, action, tokenId }) => ({ seq, action, tokenId }))).toEqual(
      shown
        .filter(({ seq }) => seq <= upTo)
        .map(({ seq, body }) => ({ seq, action: body.action, tokenId: body.actor.tokenId })),
    )
    expect(items.map(({ action }) => action)).toEqual(expect.arrayContaining(["audit.export", "report.read"]))
    const byToken = Map.groupBy(
      entries.filter(({ seq }) => seq <= upTo),
      ({ body }) => body.actor.tokenId,
    )
    for (const { tokenId, actions } of used.filter((one) => one.subject !== "platform"))
      if (tokenId !== items.at(-1)!.tokenId) expect(actions).toBe(byToken.get(tokenId)!.length)
  })

  test("can be reviewed by compliance alone, and shows who did", async () => {
    const body = { from: "2020-01-01T00:00:00Z", to: "2999-01-01T00:00:00Z", comment: "looked through" }
    const path = `${PATH}/hipaa/reviews`
    for (const token of [tokens.tenant_admin, tokens.manager, tokens.viewer])
      await must(world.call("POST", path, { token, body }), 403)
    const { items } = await report<Access>("hipaa")
    const made = await must(world.call("POST", path, { token: tokens.compliance, body }), 201)
    // The report that was looked at is itself among them.
    expect(made.body).toMatchObject({ by: "compliance@audited", items: items.length })
    const { reviews } = await report<Access>("hipaa")
    expect(reviews).toEqual([made.body])
    expect(
      (await report<Access>("hipaa", "from=2019-01-01T00:00:00Z&to=2020-01-01T00:00:00Z")).reviews,
    ).toEqual([])
  })
})

describe("the record of processing", () => {
  test("names what only the operator can say, and where to say it", async () => {
    const { items, missing } = await report<ProcessingField>("gdpr")
    expect(missing).toContain("HOTSWAP_PROCESSING: processor")
    expect(missing).toContain("adminEmail of the tenant")
    const byName = new Map(items.map((item) => [item.field, item]))
    expect(byName.get("controller")?.value).toBe("audited (audited)")
    expect(byName.get("categories of data")?.value).toContainEqual(
      expect.stringMatching(/^names of 6 people/),
    )
    expect(byName.get("time limits")?.value).toMatchObject({ audit: "until the tenant is erased" })
  })

  test("has nothing missing once it is said", async () => {
    Object.assign(world.platform.settings, {
      processing: {
        processor: "Example AG",
        contact: "privacy@example.com",
        dataProtectionOfficer: "dpo@example.com",
        representative: "none needed",
        location: "eu-central-1",
        subprocessors: [{ name: "AWS", purpose: "hosting", country: "DE" }],
        transfers: [],
        securityMeasures: ["ISO 27001"],
      },
    })
    await must(
      world.call("PATCH", `/api/v1/tenants/${TENANT}`, { body: { adminEmail: "a@example.com" } }),
      200,
    )
    const { items, missing } = await report<ProcessingField>("gdpr")
    expect(missing).toEqual([])
    expect(items.every(({ value }) => value !== null)).toBe(true)
  })
})

describe("every report", () => {
  test.each(["soc2", "gdpr", "hipaa"])(
    "%s is for compliance and the tenant's admin, and asking for it is in the audit",
    async (name) => {
      for (const token of [tokens.viewer, tokens.engineer, tokens.manager])
        await must(world.call("GET", `${PATH}/${name}`, { token }), 403)
      const stranger = await world.tenant(`stranger-${name}`)
      const foreign = await must(
        world.call("GET", `${PATH}/${name}`, { token: stranger.tokens.compliance }),
        404,
      )
      expect(foreign.body.code).toBe("TENANT_NOT_FOUND")
      await must(world.call("GET", `/api/v1/tenants/nobody/reports/${name}`), 404)
      await report(name, EVER, tokens.tenant_admin)
      const { body } = await must(world.call("GET", `/api/v1/audit?tenantId=${TENANT}&limit=1`), 200)
      const [last] = body.items as {
        action: string
        actor: { subject: string }
        detail: { report: string }
      }[]
      expect(last).toMatchObject({
        action: "report.read",
        actor: { subject: "tenant_admin@audited" },
        detail: { report: name },
      })
    },
  )

  test("of a token that is bound to one environment, or of a period that is none, is refused", async () => {
    const bound = await must(
      world.call<{ token: string }>("POST", `/api/v1/tenants/${TENANT}/tokens`, {
        body: { subject: "bound", roles: ["compliance"], environment: "QA" },
      }),
      201,
    )
    await must(world.call("GET", `${PATH}/soc2`, { token: bound.body.token }), 403)
    const period = "from=2026-01-02T00:00:00Z&to=2026-01-02T00:00:00Z"
    for (const query of [period, "format=pdf", "from=yesterday", "also=this"])
      expect((await must(world.call("GET", `${PATH}/soc2?${query}`), 400)).body.code).toBe("QUERY_INVALID")
  })

  test("takes nothing that somebody named for a formula, or for Markdown", async () => {
    const odd = "=1+1|<b>"
    const issued = await must(
      world.call<{ token: string }>("POST", `/api/v1/tenants/${TENANT}/tokens`, {
        body: { subject: odd.replace("|", "/"), roles: ["engineer"] },
      }),
      201,
    )
    tokens = { ...tokens, engineer: issued.body.token }
    await submit("odd", "odd", "Development")
    const get = async (format: string) =>
      (await must(world.call("GET", `${PATH}/soc2?${EVER}&format=${format}`), 200)).text
    expect(await get("csv")).toContain(",'=1+1/<b>,")
    expect(await get("md")).not.toContain("<b>")
  })
})
