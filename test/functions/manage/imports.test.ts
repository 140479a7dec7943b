import { afterAll, beforeAll, describe, expect, test } from "vitest"
import type { HandOver } from "../../../core/backup/hand-over.ts"
import { type DeploymentHere, startDeployment } from "../../support/deployment.ts"
import {
  asked,
  type Deployment,
  type Downloaded,
  done,
  doneBy,
  downloaded,
  furnished,
  handedOver,
  keysOfNobody,
  type Part,
  partOf,
  signedBy,
} from "./hand-over-world.ts"

let source: DeploymentHere
let target: DeploymentHere
beforeAll(async () => {
  const env = { HOTSWAP_OUTBOUND_ALLOW: "127.0.0.0/8", HOTSWAP_MANAGEMENT_LIMITS: "off" }
  ;[source, target] = await Promise.all([startDeployment(env), startDeployment(env)])
})
afterAll(() => Promise.all([source?.stop(), target?.stop()]))

const deployment = (of: DeploymentHere) => asked<Deployment>(of, "GET", "/api/v1/deployment")

describe("what is taken in", () => {
  let from: Deployment
  let to: Deployment
  let good: Downloaded
  const nobody = keysOfNobody("ed25519")
  beforeAll(async () => {
    for (const tenantId of ["victim", "another"]) await furnished(source, tenantId, "http://127.0.0.1:9/")
    ;[from, to] = await Promise.all([deployment(source), deployment(target)])
    good = await handedOver(source, "victim", to.receivingKey)
  }, 60_000)

  const offer = ({ manifest, handOver }: Partial<Downloaded>, trustedSigningKey?: string) =>
    target.call<{ code?: string; importId: string; missing: string[] }>("POST", "/api/v1/backups/imports", {
      body: {
        manifest,
        ...(handOver ? { handOver } : {}),
        ...(trustedSigningKey ? { trustedSigningKey } : {}),
      },
    })
  const listed = () => asked<{ items: unknown[] }>(target, "GET", "/api/v1/backups")
  const said = (changed: Partial<HandOver>): HandOver => ({ ...good.handOver!.statement, ...changed })
  /** What somebody says whom the caller takes at their word. */
  const saidByNobody = (changed: Partial<HandOver> = {}) =>
    signedBy(nobody.privateKey, said({ from: { name: "nobody", signingKey: nobody.publicKey }, ...changed }))
  const altered = (base64: string): string => {
    const bytes = Buffer.from(base64, "base64")
    bytes[bytes.length - 20]! ^= 1
    return bytes.toString("base64")
  }
  const inDays = (days: number): string => new Date(Date.now() + days * 86_400_000).toISOString()

  test("is only what a trusted deployment has signed, lately, for this one, about this very archive", async () => {
    const before = await listed()
    const elsewhere = await handedOver(source, "victim", keysOfNobody("x25519").publicKey)
    const { manifest, handOver } = good
    const own = nobody.publicKey
    const refusals: [string, Awaited<ReturnType<typeof offer>>, string][] = [
      ["nobody is trusted", await offer(good), "HAND_OVER_UNTRUSTED"],
      [
        "another signer",
        await offer({ manifest, handOver: saidByNobody() }, from.signingKey),
        "HAND_OVER_UNTRUSTED",
      ],
      [
        "another's name under it",
        await offer({ manifest, handOver: signedBy(nobody.privateKey, said({})) }, from.signingKey),
        "HAND_OVER_INVALID",
      ],
      [
        "an altered statement",
        await offer(
          { manifest, handOver: { ...handOver!, statement: said({ signedAt: inDays(0) }) } },
          from.signingKey,
        ),
        "HAND_OVER_INVALID",
      ],
      [
        "an altered manifest",
        await offer({ ...good, manifest: altered(manifest) }, from.signingKey),
        "HAND_OVER_INVALID",
      ],
      ["no statement", await offer({ manifest }, from.signingKey), "HAND_OVER_INVALID"],
      [
        "more in it",
        await offer({ manifest, handOver: { ...handOver!, more: 1 } as never }, from.signingKey),
        "HAND_OVER_INVALID",
      ],
      ["for another", await offer(elsewhere, from.signingKey), "HAND_OVER_MISADDRESSED"],
      [
        "for another, readdressed",
        await offer(
          {
            ...elsewhere,
            handOver: saidByNobody({
              manifestHash: elsewhere.hash,
              backupId: elsewhere.handOver!.statement.backupId,
            }),
          },
          own,
        ),
        "HAND_OVER_MISADDRESSED",
      ],
      [
        "too old",
        await offer({ manifest, handOver: saidByNobody({ signedAt: inDays(-8) }) }, own),
        "HAND_OVER_STALE",
      ],
      [
        "yet to come",
        await offer({ manifest, handOver: saidByNobody({ signedAt: inDays(1) }) }, own),
        "HAND_OVER_STALE",
      ],
      [
        "about another archive",
        await offer(
          { manifest, handOver: saidByNobody({ backupId: elsewhere.handOver!.statement.backupId }) },
          own,
        ),
        "HAND_OVER_INVALID",
      ],
      [
        "about another tenant",
        await offer({ manifest, handOver: saidByNobody({ source: "acme-corp" as never }) }, own),
        "HAND_OVER_INVALID",
      ],
      ["another deployment's own", await offer(await ownArchive(), from.signingKey), "ARCHIVE_KEY_UNKNOWN"],
    ]
    for (const [what, { body }, code] of refusals) expect([what, body.code]).toEqual([what, code])
    expect(await listed()).toEqual(before)
  })

  const ownArchive = async (): Promise<Downloaded> => {
    const { backupId } = await doneBy(source, "/api/v1/tenants/victim/backups")
    return await downloaded(source, String(backupId))
  }

  test("is each part as the manifest names it, and all of them, before anything can be made of it", async () => {
    const begun = await offer(good, from.signingKey)
    expect([begun.status, begun.body.missing.length]).toEqual([201, good.parts.length])
    const path = `/api/v1/backups/imports/${begun.body.importId}`
    const [first, second] = good.parts as [Part, Part, ...Part[]]
    const part = await partOf(source, good.backupId, first.id)
    const other = await handedOver(source, "victim", to.receivingKey)
    const send = async (id: string, bytes: string) =>
      (await target.call<{ code?: string }>("PUT", `${path}/parts/${id}`, { body: { bytes } })).body.code
    expect({
      altered: await send(first.id, altered(part)),
      cut: await send(first.id, Buffer.from(part, "base64").subarray(0, -1).toString("base64")),
      longer: await send(
        first.id,
        Buffer.concat([Buffer.from(part, "base64"), Buffer.alloc(9)]).toString("base64"),
      ),
      oversize: await send(first.id, "A".repeat(4_000_000)),
      none: await send(first.id, ""),
      "not base64": await send(first.id, "§"),
      "another part under its id": await send(second.id, part),
      "a part of another archive": await send(
        other.parts[0]!.id,
        await partOf(source, other.backupId, other.parts[0]!.id),
      ),
      "of another archive under its id": await send(
        first.id,
        await partOf(source, other.backupId, other.parts[0]!.id),
      ),
      "up the path": await send("..%2f..%2f..%2fsecrets.json", part),
      "a path": await send("%2fetc%2fpasswd", part),
      dots: await send("%2e%2e", part),
    }).toEqual({
      altered: "ARCHIVE_DAMAGED",
      cut: "ARCHIVE_DAMAGED",
      longer: "ARCHIVE_DAMAGED",
      oversize: "ARCHIVE_DAMAGED",
      none: "ARCHIVE_DAMAGED",
      "not base64": "BODY_INVALID",
      "another part under its id": "ARCHIVE_DAMAGED",
      "a part of another archive": "IMPORT_PART_UNKNOWN",
      "of another archive under its id": "ARCHIVE_DAMAGED",
      "up the path": "IMPORT_PART_UNKNOWN",
      "a path": "IMPORT_PART_UNKNOWN",
      dots: "ROUTE_UNKNOWN",
    })
    for (const { id } of good.parts.slice(1))
      expect(await send(id, await partOf(source, good.backupId, id))).toBeUndefined()
    const unfinished = await target.call<{ code: string; missing: string[] }>("POST", `${path}/complete`)
    expect([unfinished.body.code, unfinished.body.missing]).toEqual(["IMPORT_INCOMPLETE", [first.id]])
    const restored = await target.call<{ code?: string }>(
      "POST",
      `/api/v1/backups/${begun.body.importId}/restore`,
      { body: {} },
    )
    expect(restored.status).toBeGreaterThanOrEqual(400)
    expect((await target.call("GET", "/api/v1/tenants/victim")).status).toBe(404)
  }, 60_000)

  test("goes on where it broke off, and counts once it is whole; what was removed is not taken in again", async () => {
    const again = await offer(good, from.signingKey)
    expect([again.status, again.body.missing]).toEqual([200, [good.parts[0]!.id]])
    const path = `/api/v1/backups/imports/${again.body.importId}`
    const bytes = await partOf(source, good.backupId, good.parts[0]!.id)
    await asked(target, "PUT", `${path}/parts/${good.parts[0]!.id}`, { bytes })
    const { backupId } = await doneBy(target, `${path}/complete`)
    expect((await offer(good, from.signingKey)).body).toMatchObject({ state: "complete", missing: [] })
    expect((await target.call<{ code: string }>("POST", `${path}/complete`)).body.code).toBe(
      "IMPORT_NOT_FOUND",
    )
    const audited = "/api/v1/audit?tenantId=~platform&limit=100&action=backup.import"
    const { items } = await asked<{ items: { detail: object }[] }>(target, "GET", audited)
    expect(items[0]!.detail).toMatchObject({ from: from.signingKey })
    await doneBy(target, `/api/v1/backups/${backupId}/validate`)
    await asked(target, "DELETE", `/api/v1/backups/${backupId}`)
    expect((await offer(good, from.signingKey)).body.code).toBe("IMPORT_CONFLICT")
  }, 60_000)

  test("is downloaded with one entry in the audit, and only in parts of its own", async () => {
    const [one, other] = [await ownArchive(), await handedOver(source, "victim", to.receivingKey)]
    for (const { id } of one.parts) await partOf(source, one.backupId, id)
    const path = "/api/v1/audit?tenantId=victim&limit=100&action=backup.download"
    const { items } = await asked<{ items: { target: string }[] }>(source, "GET", path)
    expect(items.filter(({ target }) => target === one.backupId).length).toBe(1)
    const foreign = await source.call<{ code: string }>(
      "GET",
      `/api/v1/backups/${one.backupId}/parts/${other.parts[0]!.id}`,
    )
    expect(foreign.body.code).toBe("IMPORT_PART_UNKNOWN")
  })

  test("opens for nobody else: not where it was made, and not under another tenant's name", async () => {
    const { jobId } = await asked<{ jobId: string }>(
      source,
      "POST",
      `/api/v1/backups/${good.backupId}/restore`,
      { dryRun: true },
    ).catch((error: Error) => ({ jobId: error.message }))
    const outcome = jobId.includes(":job_") ? (await done(source, jobId)).problem?.code : jobId
    expect(outcome).toMatch(/ARCHIVE_NOT_FOUND|ARCHIVE_KEY_UNKNOWN|BACKUP_/)
    for (const path of ["manifest", `parts/${good.parts[0]!.id}`]) {
      const named = good.backupId.replace("victim:", "another:")
      expect((await source.call<{ code: string }>("GET", `/api/v1/backups/${named}/${path}`)).body.code).toBe(
        "BACKUP_NOT_FOUND",
      )
    }
  })

  test("is asked of platform admins", async () => {
    const { token } = await asked<{ token: string }>(source, "POST", "/api/v1/tenants/victim/tokens", {
      subject: "ada",
      roles: ["tenant_admin"],
    })
    const refused = await Promise.all([
      source.call("POST", "/api/v1/tenants/victim/migrate", {
        token,
        body: { target: { receivingKey: to.receivingKey } },
      }),
      source.call("POST", "/api/v1/backups/imports", { token, body: { manifest: good.manifest } }),
      source.call("GET", "/api/v1/deployment", { token }),
      source.call("POST", "/api/v1/backups/adopt", { token, body: {} }),
    ])
    expect(refused.map(({ status }) => [403, 404].includes(status))).toEqual([true, true, true, true])
  })
})
