import { execFile } from "node:child_process"
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { promisify } from "node:util"
import { sql } from "drizzle-orm"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { openNote, originOf } from "../../../core/audit/checkpoint.ts"
import type { TenantId } from "../../../core/ids.ts"
import { openCertificate } from "../../../core/report/certificate.ts"
import { recordAudit } from "../../../db/queries/audit.ts"
import { erasableTables } from "../../../db/queries/erasing.ts"
import { planErasure } from "../../../db/queries/erasure.ts"
import { readPointer } from "../../../db/queries/reading.ts"
import { withTenant } from "../../../db/tenant.ts"
import { noteKeys } from "../../../functions/platform/checkpoint-signer.ts"
import { eraseDue } from "../../../functions/platform/erasing.ts"
import { newKeySet } from "../../audit/world.ts"
import { killedAtEveryStep } from "./erasure-kills.ts"
import { type ErasureWorld, erasureWorld } from "./erasure-world.ts"
import { must } from "./world.ts"

const run = promisify(execFile)
const TENANTS = "/api/v1/tenants"
let world: ErasureWorld

beforeAll(async () => {
  world = await erasureWorld()
})
afterAll(() => world.close())

/** A tenant with something of its own in every table, in Redis and among the blobs. */
const populated = async (tenantId: string, sentinel: string) => {
  const { call } = world
  await must(
    call("POST", TENANTS, {
      body: { tenantId, name: sentinel, adminEmail: `${sentinel}@example.com`, displayName: sentinel },
      headers: { "idempotency-key": `make-${tenantId}` },
    }),
    201,
  )
  const environment = "Development"
  const edits = [{ key: "k", value: sentinel, owner: sentinel }]
  await must(
    call("POST", "/api/v1/changes", { body: { tenantId, environment, edits, comment: sentinel } }),
    202,
  )
  await must(
    call("POST", `${TENANTS}/${tenantId}/tokens`, { body: { subject: sentinel, roles: ["viewer"] } }),
    201,
  )
  await world.fill(tenantId, sentinel)
  await world.cached(tenantId, sentinel)
  return { tenantId, sentinel }
}

const deleted = async (tenantId: string) => {
  await must(world.call("DELETE", `${TENANTS}/${tenantId}`), 200)
  await world.letItBeDue(tenantId)
}

const blobText = async (): Promise<string> => {
  const names = await readdir(world.folder, { recursive: true, withFileTypes: true })
  const files = names.filter((entry) => entry.isFile())
  return (await Promise.all(files.map((file) => readFile(join(file.parentPath, file.name), "latin1")))).join()
}

const others = "tenant_id not in ('doomed', '~platform')"

describe("a tenant that is erased", () => {
  test("leaves no row, no cached key, no text anywhere, and nothing of anybody else's is touched", async () => {
    const { sentinel } = await populated("doomed", "sentinel-of-the-doomed")
    await populated("doomed-2", "sentinel-of-another")
    for (const table of await world.ownedTables()) {
      if (table === "erasures") continue
      const [row] = await world.admin.unsafe(
        `select count(*)::int as rows from hotswap.${table} where tenant_id = 'doomed'`,
      )
      expect({ table, empty: row!.rows === 0 }).toEqual({ table, empty: false })
    }
    expect(JSON.stringify(await world.dump())).toContain(sentinel)
    expect(await world.redisText("doomed")).toContain(sentinel)

    await deleted("doomed")
    await world.sign()
    const before = await world.dump(others)
    expect(await world.erase()).toBe(1)

    const after = await world.dump()
    expect(JSON.stringify(after)).not.toContain(sentinel)
    const left = Object.entries(after).filter(([, text]) => /[(,]doomed[,)]/.test(text))
    // The certificate, and in the platform's audit that there is one.
    expect(left.map(([table]) => table)).toEqual(["audit_entries", "erasures"])
    expect(await world.redisText("{doomed}")).not.toMatch(/\{doomed\}|sentinel-of-the-doomed/)
    expect(await blobText()).not.toContain(sentinel)
    expect(world.shredded).toContain("doomed")
    expect(await world.dump(others)).toEqual(before)
    expect(await world.redisText("doomed-2")).toContain("sentinel-of-another")
  })

  test("has a certificate that can be checked without asking anybody, and not be altered by a byte", async () => {
    const { certificate, state, rows, signed } = await world.erasure("doomed")
    expect({ state, signed }).toEqual({ state: "erased", signed: true })
    const text = certificate as string
    const statement = openCertificate(text, "doomed" as TenantId, world.keys)!
    expect(statement).toMatchObject({ tenantId: "doomed", requestedBy: "startup", rows })
    expect(statement.rows).toMatchObject({ tenants: 1, tokens: 1, changes: 1, audit_heads: 1 })
    expect(statement.outside).toEqual({ cachedKeys: 2, wrappingKeys: 1 })
    // What is kept of its audit is how long it was, and the last that was signed of it.
    const checkpoint = openNote(statement.checkpoint!, originOf("doomed" as TenantId), world.keys)
    expect(checkpoint).toMatchObject({ size: statement.audit!.entries, chain: statement.audit!.hash })
    expect(openCertificate(text, "doomed-2" as TenantId, world.keys)).toBeNull()
    expect(openCertificate(text, "doomed" as TenantId, noteKeys(newKeySet()))).toBeNull()
    for (let at = 0; at < text.length; at++) {
      const altered = text.slice(0, at) + (text[at] === "0" ? "1" : "0") + text.slice(at + 1)
      expect(openCertificate(altered, "doomed" as TenantId, world.keys), `byte ${at}`).toBeNull()
    }
  })

  test("has a certificate that whoever has the public key checks with a program of two files", async () => {
    const folder = await mkdtemp(join(tmpdir(), "hotswap-certificate-"))
    const erasure = JSON.stringify(await world.erasure("doomed"))
    const key = (await must(world.call("GET", "/api/v1/audit/key"), 200)).text
    await writeFile(join(folder, "key.json"), key)
    await writeFile(join(folder, "right.json"), erasure)
    await writeFile(join(folder, "wrong.json"), erasure.replace(/(tenants[^0-9]*)1/g, "$12"))
    const verify = (name: string, tenantId: string) =>
      run(
        process.execPath,
        ["local/verify-erasure.ts", join(folder, name), join(folder, "key.json"), "--tenant", tenantId],
        { env: {} },
      ).catch((error: { code: number; stdout: string }) => error)
    expect((await verify("right.json", "doomed")).stdout).toMatch(/^ok: doomed was erased at /)
    expect(await verify("wrong.json", "doomed")).toMatchObject({ code: 1 })
    expect(await verify("right.json", "doomed-2")).toMatchObject({ code: 1 })
    await rm(folder, { recursive: true })
  })

  test("stands in the platform's audit, when it was deleted and when it was destroyed", async () => {
    const listed = await must(world.call("GET", "/api/v1/audit?tenantId=~platform&target=doomed"), 200)
    const entries = listed.body.items as { action: string; detail: object }[]
    expect(entries.map(({ action }) => action)).toEqual(["tenant.erase", "tenant.delete"])
    const verdict = await must(
      world.call("POST", "/api/v1/audit/verify", { body: { tenantId: "~platform" } }),
      200,
    )
    expect(verdict.body.ok).toBe(true)
  })

  test("is there for nobody, and its id is never given out again, whatever key the request is repeated under", async () => {
    const { call } = world
    await must(call("GET", `${TENANTS}/doomed`), 404)
    // The edge takes this for absence, and forgets what it held.
    for (const environment of world.platform.settings.environments)
      expect(await readPointer(world.read, "doomed" as TenantId, environment, [])).toBeNull()
    await must(call("GET", "/api/v1/audit?tenantId=doomed"), 404)
    const again = { body: { tenantId: "doomed", name: "again" } }
    expect((await must(call("POST", TENANTS, again), 409)).body.code).toBe("TENANT_EXISTS")
    const repeated = {
      body: { tenantId: "doomed", name: "sentinel-of-the-doomed" },
      headers: { "idempotency-key": "make-doomed" },
    }
    expect((await must(call("POST", TENANTS, repeated), 409)).body.code).toBe("TENANT_EXISTS")
    await must(call("DELETE", `${TENANTS}/doomed?erase=now&confirm=doomed`), 404)
  })

  test("can be written to by nobody who had found it there before: the database has no place for it", async () => {
    const entry = { action: "a", actor: { subject: "s", tokenId: "t" }, target: "doomed" }
    await expect(recordAudit(world.app, "doomed" as TenantId, entry)).rejects.toThrow()
  })
})

describe("before the time of grace is over", () => {
  test("nothing is destroyed, and the auditor may still look", async () => {
    await populated("spared", "sentinel-of-the-spared")
    await must(world.call("DELETE", `${TENANTS}/spared`), 200)
    expect(await world.erase()).toBe(0)
    const { state, dueAt, requestedAt } = await world.erasure("spared")
    expect(state).toBe("planned")
    const days = (Date.parse(dueAt as string) - Date.parse(requestedAt as string)) / 86_400_000
    expect(days).toBeCloseTo(7, 4)
    await must(world.call("GET", "/api/v1/audit?tenantId=spared"), 200)
    expect(JSON.stringify(await world.dump("tenant_id = 'spared'"))).toContain("sentinel-of-the-spared")
  })

  test("it can be brought forward by whoever names the tenant twice, and by nobody else", async () => {
    const { call } = world
    for (const query of ["erase=now", "erase=now&confirm=spare"])
      expect((await must(call("DELETE", `${TENANTS}/spared?${query}`), 400)).body.code).toBe(
        "ERASURE_UNCONFIRMED",
      )
    const { tokens } = await world.tenant("keeper")
    await must(
      call("DELETE", `${TENANTS}/keeper?erase=now&confirm=keeper`, { token: tokens.tenant_admin }),
      403,
    )
    await must(call("GET", `${TENANTS}/spared/erasure`, { token: tokens.tenant_admin }), 404)
    const hastened = await must(call("DELETE", `${TENANTS}/spared?erase=now&confirm=spared`), 202)
    // Requests that found it there before it was deleted may still be under way.
    const { dueAt, requestedAt } = hastened.body as Record<string, string>
    expect(Date.parse(dueAt!) - Date.parse(requestedAt!)).toBe(30_000)
    await world.letItBeDue("spared")
    expect(await world.erase()).toBe(1)
    expect((await world.erasure("spared")).state).toBe("erased")
  })

  test("what was not deleted has no erasure, and what never was is not there", async () => {
    expect((await must(world.call("GET", `${TENANTS}/keeper/erasure`), 404)).body.code).toBe(
      "ERASURE_NOT_FOUND",
    )
    expect((await must(world.call("GET", `${TENANTS}/nobody/erasure`), 404)).body.code).toBe(
      "TENANT_NOT_FOUND",
    )
  })

  test("the system role can destroy nothing of it, nor of anybody who was not deleted", async () => {
    for (const tenantId of ["whole", "waiting"]) {
      await world.tenant(tenantId)
      await world.fill(tenantId, tenantId)
    }
    await must(world.call("DELETE", `${TENANTS}/waiting`), 200)
    // What is forgotten by its age, or when it was told, is under policies of its own.
    const forgotten = await world.admin`select tablename as name from pg_policies
      where schemaname = 'hotswap' and policyname = 'system_delete'`
    const names = (await erasableTables(world.system)).map(({ name }) => name)
    for (const name of names.filter((one) => !forgotten.some((row) => row.name === one)))
      for (const tenantId of ["whole", "waiting"]) {
        const gone = await world.system.transaction(
          async ({ db }) =>
            await db.execute(
              sql`delete from hotswap.${sql.identifier(name)} where tenant_id = ${tenantId} returning tenant_id`,
            ),
        )
        expect({ name, tenantId, gone: gone.length }).toEqual({ name, tenantId, gone: 0 })
      }
  })
})

test("the platform and the tiers cannot be planned to be destroyed, by whatever mistake", async () => {
  for (const scope of ["~platform", "~tier.Free"]) {
    const entry = { action: "a", actor: { subject: "s", tokenId: "t" }, target: scope }
    await must(world.call("DELETE", `${TENANTS}/${scope}?erase=now&confirm=${scope}`), 404)
    await expect(
      withTenant(world.app, scope as TenantId, (tx) => planErasure(tx, { by: "t", afterDays: 0 }, entry)),
    ).rejects.toMatchObject({ constraint_name: "erasures_of_tenants" })
  }
})

test("an erasure waits until the audit is signed to its end, but not for ever", async () => {
  await world.tenant("unsigned")
  await deleted("unsigned")
  expect(await eraseDue(world.erasing)).toBe(0)
  expect((await world.erasure("unsigned")).state).toBe("planned")
  await world.admin`update hotswap.erasures set due_at = now() - interval '2 days' where tenant_id = 'unsigned'`
  expect(await eraseDue(world.erasing)).toBe(1)
  const { certificate } = await world.erasure("unsigned")
  expect(openCertificate(certificate as string, "unsigned" as TenantId, world.keys)?.checkpoint).toBeNull()
})

describe("the tables", () => {
  test("that hold what is a tenant's can all be destroyed, but for the word that they were", async () => {
    const erasable = (await erasableTables(world.system)).map(({ name }) => name)
    expect([...erasable, "erasures"].sort(), "say hotswap.make_erasable in its migration").toEqual(
      await world.ownedTables(),
    )
    const granted = await world.admin`select tablename as name from pg_tables t where schemaname = 'hotswap'
      and has_table_privilege('hotswap_system', 'hotswap.' || tablename, 'DELETE')
      and exists (select from pg_policies p where p.schemaname = 'hotswap' and p.tablename = t.tablename
        and p.policyname = 'system_erase') order by 1`
    expect(granted.map(({ name }) => name)).toEqual(erasable.toSorted())
  })

  test("that hold what is a tenant's take no row of one whose own is gone", async () => {
    const free = await world.admin`
      with recursive held as (
        select 'hotswap.tenants'::regclass as id
        union
        select k.conrelid from pg_constraint k join held on held.id = k.confrelid where k.contype = 'f')
      select c.relname as name from pg_class c where c.relnamespace = 'hotswap'::regnamespace and c.relkind = 'r'
        and exists (select from pg_attribute a where a.attrelid = c.oid and a.attname = 'tenant_id')
        and c.oid not in (select id from held)`
    expect(free.map(({ name }) => name)).toEqual(["erasures"])
  })
})

describe("an erasure that is killed", () => {
  test("at whatever step, goes on where it was, and its certificate counts nothing twice", async () => {
    await killedAtEveryStep(world, 9)
  })
})
