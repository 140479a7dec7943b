import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { must } from "../manage/world.ts"
import { forge } from "./forged.ts"
import { createRestoreWorld, type RestoreWorld } from "./into-world.ts"

let world: RestoreWorld
beforeAll(async () => {
  world = await createRestoreWorld()
})
afterAll(() => world.close())

const STAGING = { environments: ["Staging"] }
const WORDS = ["correct horse", "battery staple", "tr0ub4dor"]
const plain = async (tenantId: string, key = "password") =>
  (await must(world.call("GET", `/api/v1/configs/${tenantId}:Staging:${key}/secret`), 200)).body.value
const set = (tenantId: string, value: string, more: object = { secret: true }) =>
  world.put(tenantId, "Staging", "password", value, more)

/** Nothing that anybody is shown, and nothing that is written down, says what it was. */
const expectUntold = async (tenantId: string) => {
  const jobs = (await must(world.call("GET", `/api/v1/jobs?tenantId=${tenantId}`), 200)).text
  const audit = (await must(world.call("GET", `/api/v1/audit?tenantId=${tenantId}&limit=200`), 200)).text
  const changes = (await must(world.call("GET", `/api/v1/changes?tenantId=${tenantId}`), 200)).text
  for (const word of WORDS) expect([jobs, audit, changes, world.logged.join()].join()).not.toContain(word)
}

describe("a secret", () => {
  test("comes back as the sealed value that it was, without being sealed again", async () => {
    await world.tenant("own")
    await set("own", WORDS[0]!)
    const backup = await world.backUp("own")
    await set("own", WORDS[1]!)
    const { Staging } = await world.restore(backup, STAGING)
    expect(Staging).toMatchObject({ state: "live", set: 1 })
    expect(await plain("own")).toBe(WORDS[0])
    expect((await world.configs("own", "Staging")).password).toMatchObject({
      value: { $secret: true, version: 1 },
      version: 3,
    })
    expect((await world.restore(backup, STAGING)).Staging).toMatchObject({ state: "unchanged" })
    await expectUntold("own")
  })

  test("comes back after its keys were rotated, and where it was made plain since", async () => {
    await world.tenant("rotated")
    await set("rotated", WORDS[0]!)
    const backup = await world.backUp("rotated")
    await must(world.call("POST", "/api/v1/tenants/rotated/keys/rotate"), 200)
    await set("rotated", "plain", { secret: false })
    expect((await world.restore(backup, STAGING)).Staging).toMatchObject({ state: "live", set: 1 })
    expect(await plain("rotated")).toBe(WORDS[0])
    await world.remove("rotated", "Staging", "password")
    expect((await world.restore(backup, STAGING)).Staging).toMatchObject({ state: "live", set: 1 })
    expect(await plain("rotated")).toBe(WORDS[0])
    await expectUntold("rotated")
  })

  test("is plain again where it was plain then", async () => {
    await world.tenant("bare")
    await world.put("bare", "Staging", "password", "plain")
    const backup = await world.backUp("bare")
    await set("bare", WORDS[0]!)
    expect((await world.restore(backup, STAGING)).Staging).toMatchObject({ state: "live", set: 1 })
    expect((await world.configs("bare", "Staging")).password).toMatchObject({ value: "plain", secret: false })
  })

  test("with the schema it had then is judged by it again", async () => {
    await world.tenant("judged")
    await set("judged", WORDS[0]!, { secret: true, schema: { type: "string", minLength: 3 } })
    const backup = await world.backUp("judged")
    await must(world.call("PUT", "/api/v1/configs/judged:Staging:password", { body: { schema: null } }), 200)
    expect((await world.restore(backup, STAGING)).Staging).toMatchObject({ state: "live", set: 1 })
    expect((await world.configs("judged", "Staging")).password).toMatchObject({ schema: { minLength: 3 } })
    expect(await plain("judged")).toBe(WORDS[0])
    expect((await world.restore(backup, STAGING)).Staging).toMatchObject({ state: "unchanged" })
  })

  test("of another history is opened where it was and sealed anew, once", async () => {
    await world.tenant("other")
    await set("other", WORDS[0]!)
    const backup = await world.backUp("other")
    // As if the tenant had been deleted meanwhile and begun again.
    const foreign = await forge(world, backup, (table, row) =>
      table === "config_versions" ? { ...row, checksum: "0".repeat(64) } : row,
    )
    await set("other", WORDS[2]!)
    expect((await world.restore(foreign, STAGING)).Staging).toMatchObject({ state: "live", set: 1 })
    expect(await plain("other")).toBe(WORDS[0])
    expect((await world.configs("other", "Staging")).password!.value).toMatchObject({ version: 3 })
    expect((await world.restore(foreign, STAGING)).Staging).toMatchObject({ state: "unchanged" })
    await expectUntold("other")
  })

  test("of another tenant is opened there and sealed here, by the platform alone", async () => {
    const { tokens } = await world.tenant("from")
    await world.tenant("into")
    await set("from", WORDS[1]!)
    const backup = await world.backUp("from")
    const path = `/api/v1/backups/${backup}/restore`
    const body = { ...STAGING, targetTenantId: "into" }
    const asked = await world.call("POST", path, { body, token: tokens.tenant_admin })
    expect([asked.status, asked.body.code]).toEqual([404, "TENANT_NOT_FOUND"])
    expect((await world.restore(backup, body)).Staging).toMatchObject({ state: "live", set: 1 })
    expect(await plain("into")).toBe(WORDS[1])
    expect((await world.restore(backup, body)).Staging).toMatchObject({ state: "unchanged" })
    await expectUntold("into")
    await expectUntold("from")
  })

  test("what another tenant's backup did to a tenant is told to nobody who sees only the one it was of", async () => {
    const { tokens } = await world.tenant("giver")
    await world.tenant("taker")
    await set("giver", WORDS[1]!)
    await world.put("taker", "Staging", "theirs", "hidden from the giver")
    const backup = await world.backUp("giver")
    const body = { ...STAGING, targetTenantId: "taker" }
    const { jobId } = await world.done(world.call("POST", `/api/v1/backups/${backup}/restore`, { body }))
    const token = tokens.tenant_admin
    const seen = await world.call("GET", `/api/v1/jobs/${jobId}`, { token })
    expect([seen.status, seen.body.code]).toEqual([404, "JOB_NOT_FOUND"])
    const cancelled = await world.call("POST", `/api/v1/jobs/${jobId}/cancel`, { token, body: {} })
    expect(cancelled.status).toBe(404)
    const listed = await must(world.call("GET", "/api/v1/jobs?tenantId=giver", { token }), 200)
    expect(JSON.stringify(listed.body)).not.toMatch(/taker|hidden/)
    const change = await must(world.call("GET", "/api/v1/changes?tenantId=taker&environment=Staging"), 200)
    expect(JSON.stringify(change.body)).not.toContain("giver")
  })
})
