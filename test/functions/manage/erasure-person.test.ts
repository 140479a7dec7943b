import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { type ErasureWorld, erasureWorld } from "./erasure-world.ts"
import { must } from "./world.ts"

const NAME = "Sentinel-Person"
const MAIL = "sentinel.person@example.com"
const TENANT = "staff"
const EVER = "from=2020-01-01T00:00:00Z&to=2999-01-01T00:00:00Z"
const PERSONS = `/api/v1/tenants/${TENANT}/persons`

type Tenant = Awaited<ReturnType<ErasureWorld["tenant"]>>
let world: ErasureWorld
let tenant: Tenant
let theirs: string
const changes: string[] = []

const submit = async (token: string, environment: string, key: string, extra: object = {}) => {
  const edits = [{ key, value: `kept: ${key}`, owner: NAME, ...extra }]
  const body = { tenantId: TENANT, environment, edits, comment: `wanted by ${NAME}, not by X${NAME}` }
  const made = await must(world.call("POST", "/api/v1/changes", { token, body }), 202)
  changes.push(made.body.changeId as string)
  return made.body.changeId as string
}
const act = (change: string, verb: string, token: string, body: object) =>
  must(world.call("POST", `/api/v1/changes/${change}/${verb}`, { token, body }), 200)

/** Somebody who has had a part in everything there is to have a part in. */
const work = async () => {
  tenant = await world.tenant(TENANT)
  await world.tenant("elsewhere")
  theirs = await tenant.issue(NAME, ["engineer", "manager", "tenant_admin"])
  await submit(theirs, "Development", "a")
  const comment = { comment: "my words" }
  await act(changes[0]!, "comments", theirs, { text: "my very own words" })
  await act(changes[0]!, "comments", tenant.tokens.manager, { text: `ask ${NAME} or ${MAIL} about it` })
  const other = await submit(tenant.tokens.engineer, "Production", "b")
  await must(world.call("POST", `/api/v1/approvals/${other}/approve`, { token: theirs, body: comment }), 200)
  await act(other, "cancel", theirs, comment)
  const broken = await submit(tenant.tokens.engineer, "Production", "c")
  await act(broken, "break-glass", theirs, comment)
  await act(broken, "review", tenant.tokens.compliance, { comment: `told by ${NAME}` })
  await must(
    world.call("POST", `/api/v1/tenants/${TENANT}/tokens`, {
      token: theirs,
      body: { subject: "friend", roles: ["viewer"] },
      headers: { "idempotency-key": "friend" },
    }),
    201,
  )
  await must(world.call("PATCH", `/api/v1/tenants/${TENANT}`, { body: { adminEmail: MAIL } }), 200)
  await world.admin`insert into hotswap.channels (tenant_id, channel_id, type, config, created_by)
    values (${TENANT}, gen_random_uuid(), 'email', ${world.admin.json({ to: [MAIL, "else@example.com"] })}, ${NAME})`
  await world.admin`insert into hotswap.backups (tenant_id, backup_id, source, origin, state, created_by)
    values (${TENANT}, gen_random_uuid(), ${TENANT}, 'requested', 'complete', ${NAME})`
  const owner = { subject: NAME, tokenId: `jwt:${NAME}`, ancestors: ["else", NAME], roles: ["tenant_admin"] }
  await world.admin`insert into hotswap.jobs (tenant_id, kind, params, state, ended_at, created_by)
    values (${TENANT}, 'backup.create', '{}', 'succeeded', now(), ${world.admin.json(owner)})`
  const detail = { who: NAME, author: NAME, comment: "my words", state: "live", keys: ["a"] }
  await world.admin`insert into hotswap.deliveries (tenant_id, channel_id, environment, type, change_id, detail, at)
    values (${TENANT}, gen_random_uuid(), 'QA', 'change.live', ${changes[0]!}, ${world.admin.json(detail)}, now())`
}

beforeAll(async () => {
  world = await erasureWorld()
  await work()
})
afterAll(() => world.close())

const everything = async (): Promise<string> => JSON.stringify(await world.dump())
const verify = async () =>
  (await must(world.call("POST", "/api/v1/audit/verify", { body: { tenantId: TENANT } }), 200)).body

describe("what is known of a person", () => {
  test("is handed out to compliance and the tenant's admin, from wherever it is kept", async () => {
    const body = { subject: NAME, alsoKnownAs: [MAIL] }
    await must(world.call("POST", `${PERSONS}/export`, { token: tenant.tokens.manager, body }), 403)
    const { text } = await must(
      world.call("POST", `${PERSONS}/export`, { token: tenant.tokens.compliance, body }),
      200,
    )
    const { items, count } = JSON.parse(text) as { items: { in: string }[]; count: number }
    expect(items.length).toBe(count)
    expect([...new Set(items.map((item) => item.in))].toSorted()).toEqual([
      "audit_entries",
      "backups",
      "changes",
      "channels",
      "config_versions",
      "deliveries",
      "jobs",
      "tokens",
    ])
    expect(text).not.toContain("secret_hash")
    const nobody = { subject: "nobody-at-all" }
    const none = await must(world.call("POST", `${PERSONS}/export`, { body: nobody }), 200)
    // That it was asked is itself something known of them.
    expect(JSON.parse(none.text).items.map((item: { in: string }) => item.in)).toEqual(["audit_entries"])
  })
})

describe("a person who is erased", () => {
  const body = { subject: NAME, alsoKnownAs: [MAIL, "friend"] }
  const erase = (token: string, named: object = body) =>
    world.call("POST", `${PERSONS}/erase`, { token, body: named })

  test("is still there as long as a change that names them is not over, and erases nobody's tracks but others'", async () => {
    const open = await submit(theirs, "Production", "d")
    expect((await must(erase(tenant.tokens.tenant_admin), 409)).body.code).toBe("PERSON_ENGAGED")
    expect((await must(erase(theirs, { subject: NAME }), 409)).body.code).toBe("PERSON_ENGAGED")
    await act(open, "cancel", tenant.tokens.manager, {})
    const backup = { token: theirs, body: {} }
    const asked = await must(world.call("POST", `/api/v1/tenants/${TENANT}/backups`, backup), 202)
    expect((await must(erase(tenant.tokens.tenant_admin), 409)).body.detail).toContain(asked.body.jobId)
    await must(world.call("POST", `/api/v1/jobs/${asked.body.jobId}/cancel`, backup), 202)
    await must(erase(tenant.tokens.compliance), 403)
    expect(await everything()).toContain(NAME)
  })

  test("stands nowhere any more, in no form, and the audit can still be verified", async () => {
    await world.sign()
    const others = await world.dump(`tenant_id not in ('${TENANT}')`)
    const before = await verify()
    const { pseudonym, tokensRevoked } = (await must(erase(tenant.tokens.tenant_admin), 200)).body
    expect(pseudonym).toMatch(/^person:[0-9a-f]{64}$/)
    expect(tokensRevoked).toBe(2)
    const left = await everything()
    // A longer name is somebody else's.
    expect(left.replaceAll(`X${NAME}`, "")).not.toContain(NAME)
    expect(left).toContain(`X${NAME}`)
    for (const gone of [MAIL, "my words", "my very own words", "friend"]) expect(left).not.toContain(gone)
    for (const kept of ["kept: a", "kept: b", "else@example.com"]) expect(left).toContain(kept)
    const after = await verify()
    expect(after).toMatchObject({ ok: true, entries: (before.entries as number) + 1 })
    await world.sign()
    expect((await verify()).ok).toBe(true)
    expect(await world.dump(`tenant_id not in ('${TENANT}')`)).toEqual(others)
    const exported = await world.exported(TENANT)
    expect(exported).not.toContain(NAME)
  })

  test("is the same nobody everywhere: what they did is still to be seen, by whom is not", async () => {
    const listed = await must(world.call("GET", `/api/v1/audit?tenantId=${TENANT}&action=person.erase`), 200)
    const [entry] = listed.body.items as { target: string; actor: { subject: string } }[]
    expect(entry!.actor.subject).toBe("tenant_admin@staff")
    const of = async (change: string) =>
      (await must(world.call("GET", `/api/v1/changes/${change}`), 200)).body
    expect(await of(changes[0]!)).toMatchObject({
      state: "live",
      author: entry!.target,
      comment: "[erased]",
      comments: [
        { subject: entry!.target, text: "[erased]" },
        { subject: "manager@staff", text: `ask ${entry!.target} or ${entry!.target} about it` },
      ],
    })
    expect(await of(changes[1]!)).toMatchObject({ state: "cancelled", author: "engineer@staff" })
    const report = await must(world.call("GET", `/api/v1/tenants/${TENANT}/reports/soc2?${EVER}`), 200)
    expect(JSON.parse(report.text).items.length).toBe(4)
    expect(report.text).toContain(entry!.target)
    expect(report.text).not.toContain(NAME)
    const versions = await must(world.call("GET", `/api/v1/configs/${TENANT}:Development:a/versions`), 200)
    expect(versions.body.items).toMatchObject([{ value: "kept: a" }])
  })

  test("has no token that is taken any more, and is nobody when erased again", async () => {
    await must(world.call("GET", `/api/v1/tenants/${TENANT}`, { token: theirs }), 401)
    const again = (await must(erase(tenant.tokens.tenant_admin), 200)).body
    expect(Object.values(again.rows as Record<string, number>).every((count) => count === 0)).toBe(true)
  })
})

test("what a change or a version holds cannot be altered, but for the names in it", async () => {
  const { app } = world
  const { sql } = await import("drizzle-orm")
  const { withTenant } = await import("../../../db/tenant.ts")
  const attempt = (statement: string) =>
    withTenant(app, TENANT as never, async (tx) => {
      await tx.db.execute(sql.raw(statement))
    })
  const alter = (table: string, column: string, path: string) =>
    attempt(`update hotswap.${table} set ${column} = jsonb_set(${column}, '${path}', '"other"')`)
  for (const path of [
    "{contentHash}",
    "{edits,0,value}",
    "{edits,0,key}",
    "{stages}",
    "{plan}",
    "{strategy}",
    "{base}",
  ])
    await expect(alter("changes", "content", path), path).rejects.toThrow()
  for (const path of ["{value}", "{key}"])
    await expect(alter("config_versions", "edit", path)).rejects.toThrow()
  // Nor is a name replaced by another: somebody else's, or one where there was none.
  for (const path of ["{author,subject}", "{author,tokenId}", "{author,ancestors}", "{author,roles}"])
    await expect(alter("changes", "content", path), path).rejects.toThrow()
  await expect(alter("config_versions", "edit", "{owner}")).rejects.toThrow()
  for (const [table, column] of [
    ["config_versions", "author"],
    ["tokens", "subject"],
  ])
    await expect(attempt(`update hotswap.${table} set ${column} = 'other'`), table).rejects.toThrow()
  for (const path of ["{subject}", "{tokenId}", "{ancestors}"])
    await expect(alter("tokens", "issuer", path), path).rejects.toThrow()
  const nobody = `"person:${"0".repeat(64)}"`
  const forget = (table: string, column: string, path: string) =>
    attempt(`update hotswap.${table} set ${column} = jsonb_set(${column}, '${path}', '${nobody}', false)`)
  await forget("changes", "content", "{author,subject}")
  await forget("config_versions", "edit", "{owner}")
})

test("who wants a change that is not over is not forgotten, whoever is faster", async () => {
  const changeId = await submit(tenant.tokens.engineer, "Production", "raced")
  const author = async () =>
    (await must(world.call("GET", `/api/v1/changes/${changeId}`), 200)).body.author as string
  const { erasePerson } = await import("../../../db/queries/erasure-person.ts")
  const { environments } = world.platform.settings
  const person = { names: ["engineer@staff"], pseudonym: `person:${"1".repeat(64)}` }
  const audit = () => {
    throw new Error("it went on")
  }
  await expect(
    erasePerson(world.app, TENANT as never, { person, environments }, audit),
  ).rejects.toMatchObject({ code: "PERSON_ENGAGED" })
  expect(await author()).toBe("engineer@staff")
  await expect(
    world.admin`update hotswap.changes set content = jsonb_set(content, '{author,subject}', ${world.admin.json(person.pseudonym)})
      where change_id = ${changeId}`,
  ).rejects.toThrow("is not altered")
})

test("compliance learns where a webhook leads no more closely than its host, as what follows may let anybody post", async () => {
  const url = "https://hooks.example.com/services/T0/guess-me?token=guess-me"
  const by = "somebody@staff"
  await world.admin`insert into hotswap.channels (tenant_id, channel_id, type, config, created_by)
    values (${TENANT}, gen_random_uuid(), 'webhook', ${world.admin.json({ url })}, ${by})`
  const token = tenant.tokens.compliance
  const report = await must(world.call("GET", `/api/v1/tenants/${TENANT}/reports/gdpr`, { token }), 200)
  const body = { subject: by }
  const person = await must(world.call("POST", `${PERSONS}/export`, { token, body }), 200)
  for (const { text } of [report, person]) {
    expect(text).toContain("https://hooks.example.com/…")
    expect(text).not.toContain("guess-me")
  }
})

test("a report names nobody whom the audit does not: a row that somebody else was written into is nobody's", async () => {
  const reports = async () => {
    const read = (name: string) =>
      must(world.call("GET", `/api/v1/tenants/${TENANT}/reports/${name}?${EVER}`), 200)
    return `${(await read("soc2")).text} ${(await read("hipaa")).text}`
  }
  expect(await reports()).toContain("compliance@staff")
  await world.admin`update hotswap.audit_people set subject = 'framed-' || subject where tenant_id = ${TENANT}`
  expect(await reports()).not.toContain("framed")
})
