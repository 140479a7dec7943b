import { rename, rm } from "node:fs/promises"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { isNewer, parseRevision } from "../../core/release/revision.ts"
import {
  emptyHome,
  type RunningHotswap,
  removeHome,
  startHotswap,
  temporaryHome,
} from "../support/hotswap.ts"
import { commandsOf, must, type RunbookWorld, runbookWorld } from "./runbook-world.ts"

let world: RunbookWorld
beforeAll(async () => {
  world = await runbookWorld()
}, 60_000)
afterAll(() => rm(world.folder, { recursive: true, force: true }))

const shell = (hotswap: RunningHotswap, commands: string, more?: Record<string, string>) =>
  world.shell(hotswap, commands, more)

const make = async ({ call }: RunningHotswap, tenantId: string): Promise<void> => {
  await must(call("POST", "/api/v1/tenants", { body: { tenantId, name: tenantId, tier: "Enterprise" } }))
  for (const [environment, value] of [
    ["Development", "one"],
    ["Staging", "two"],
  ] as const)
    await must(call("POST", "/api/v1/configs", { body: { tenantId, environment, key: "greeting", value } }))
  const secret = { tenantId, environment: "Staging", key: "password", value: "correct horse", secret: true }
  await must(call("POST", "/api/v1/configs", { body: secret }))
}

const ENV = { HOTSWAP_MANAGEMENT_LIMITS: "off" }
const read = async ({ call }: RunningHotswap, id: string) =>
  (await call("GET", `/api/v1/configs/${id}`)).body.value

const revisionOf = async ({ call }: RunningHotswap, tenantId: string) => {
  const { revision } = await must(call("GET", `/api/v1/configs/tenant/${tenantId}?environment=Staging`))
  return parseRevision(String(revision))!
}

describe("after the database was lost", () => {
  test("its runbook brings every tenant back from the archives alone, secrets and audit with it, and the platform's part", async () => {
    const home = await emptyHome()
    let hotswap = await startHotswap({ home, env: ENV })
    try {
      for (const tenant of ["acme-corp", "beta"]) await make(hotswap, tenant)
      await must(
        hotswap.call("POST", "/api/v1/configs", {
          body: { tenantId: "~platform", environment: "Staging", key: "banner", value: "hello" },
        }),
      )
      await shell(
        hotswap,
        "for SCOPE in acme-corp beta '~platform'; do hotswap backup create $SCOPE --wait; done",
      )
      const seen = await revisionOf(hotswap, "acme-corp")
      await hotswap.stop()
      await rm(join(home, "postgres"), { recursive: true })
      hotswap = await startHotswap({ home, env: ENV })
      expect((await hotswap.call("GET", "/api/v1/tenants/acme-corp")).status).toBe(404)
      const startedMs = performance.now()
      await shell(hotswap, commandsOf("docs/runbooks/database-lost.md", "database-lost"))
      console.log(`database-lost: ${Math.round(performance.now() - startedMs)} ms`)
      for (const tenant of ["acme-corp", "beta"]) {
        expect(await read(hotswap, `${tenant}:Staging:greeting`)).toBe("two")
        const secret = await must(hotswap.call("GET", `/api/v1/configs/${tenant}:Staging:password/secret`))
        expect(secret.value).toBe("correct horse")
        expect(
          await must(hotswap.call("POST", "/api/v1/audit/verify", { body: { tenantId: tenant } })),
        ).toMatchObject({ ok: true })
      }
      expect(await read(hotswap, "~platform:Staging:banner")).toBe("hello")
      // Whoever had read before takes what is there now for newer.
      expect(isNewer(await revisionOf(hotswap, "acme-corp"), seen)).toBe(true)
    } finally {
      await hotswap.stop()
      await removeHome(home)
    }
  }, 180_000)
})

test("without its keys it says what is missing and does not start; put back, secrets and archives open, and a lost place is filled", async () => {
  const home = await temporaryHome()
  let hotswap = await startHotswap({ home, env: ENV })
  try {
    await make(hotswap, "acme-corp")
    const BACKUP = (await shell(hotswap, "hotswap backup create acme-corp --wait")).trim()
    await hotswap.stop()
    await rename(join(home, "keys"), join(home, "elsewhere"))
    await expect(startHotswap({ home, env: ENV })).rejects.toThrow(/master.key is missing/)
    await rename(join(home, "elsewhere"), join(home, "keys"))
    hotswap = await startHotswap({ home, env: ENV })
    const secret = await must(hotswap.call("GET", "/api/v1/configs/acme-corp:Staging:password/secret"))
    expect(secret.value).toBe("correct horse")
    await shell(hotswap, `hotswap backup validate ${BACKUP} --wait`)
    await rm(join(home, "backups"), { recursive: true })
    await shell(hotswap, commandsOf("docs/runbooks/blob-store-lost.md", "only-place"))
    const list = await must(hotswap.call("GET", "/api/v1/tenants/acme-corp/backups"))
    const [latest] = list.items as { backupId: string }[]
    expect(latest!.backupId).not.toBe(BACKUP)
    await shell(hotswap, `hotswap backup validate ${latest!.backupId} --wait`)
  } finally {
    await hotswap.stop()
    await removeHome(home)
  }
}, 180_000)

test("what docs/backup.md says to do works as written", async () => {
  const home = await temporaryHome()
  const hotswap = await startHotswap({ home, env: ENV })
  try {
    await make(hotswap, "acme-corp")
    await shell(hotswap, "hotswap backup create acme-corp --wait")
    const said = await shell(hotswap, commandsOf("docs/backup.md", "backup"))
    expect(said).toContain('"everyHours":12')
    expect(said).toContain('"kind":"backup.drill"')
    expect(said).toContain("hotswap_backup_scopes 5")
    const [jobId] = /~platform:job_[0-9a-f]{32}/.exec(said)!
    await shell(hotswap, `hotswap jobs wait ${jobId}`)
    const job = await must(hotswap.call("GET", `/api/v1/jobs/${jobId}`))
    expect(job).toMatchObject({
      state: "succeeded",
      result: { tenants: 1, failed: 0, results: [{ withLive: true }] },
    })
  } finally {
    await hotswap.stop()
    await removeHome(home)
  }
}, 120_000)

test("one tenant is brought back to an instant, to an archive, beside itself, and after it was deleted, as its runbook says", async () => {
  const home = await temporaryHome()
  const hotswap = await startHotswap({ home, env: ENV })
  try {
    await make(hotswap, "acme-corp")
    const BACKUP = (await shell(hotswap, "hotswap backup create acme-corp --wait")).trim()
    const { at } = await must(hotswap.call("GET", `/api/v1/backups/${BACKUP}`))
    await must(
      hotswap.call("PUT", "/api/v1/configs/acme-corp:Staging:greeting", { body: { value: "broken" } }),
    )
    await shell(hotswap, commandsOf("docs/runbooks/tenant-restore.md", "tenant-restore"), {
      BACKUP,
      INSTANT: String(at),
    })
    expect(await read(hotswap, "acme-corp:Staging:greeting")).toBe("two")
    expect(await read(hotswap, "acme-then:Staging:greeting")).toBe("two")
    await must(hotswap.call("DELETE", "/api/v1/tenants/acme-corp"))
    await shell(hotswap, commandsOf("docs/runbooks/tenant-restore.md", "tenant-deleted"), { BACKUP })
    expect(await read(hotswap, "acme-again:Staging:greeting")).toBe("two")
  } finally {
    await hotswap.stop()
    await removeHome(home)
  }
}, 120_000)
