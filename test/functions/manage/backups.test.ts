import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { parseJobId, type ScopeId } from "../../../core/ids.ts"
import { findJob } from "../../../db/queries/jobs.ts"
import { createWork } from "../../../functions/backup/create.ts"
import { type ArchiveWorld, archiveWorld } from "../backup/archive-world.ts"
import { createWorld, must, type World } from "./world.ts"

let world: World
let archiving: ArchiveWorld
let admin: string
let viewer: string
beforeAll(async () => {
  world = await createWorld()
  archiving = archiveWorld(world, { ...world.platform, keyRing: world.platform.keyRing! })
  const { tokens } = await world.tenant("acme")
  admin = tokens.tenant_admin
  viewer = tokens.viewer
  await world.tenant("other")
})
afterAll(async () => {
  await archiving.close()
  await world.close()
})

interface Started {
  jobId: string
  backupId: string
}
interface Page {
  items: { backupId: string; tenantId: string; state: string }[]
  nextCursor: string | null
}

const ask = (tenantId: string, token = admin, headers = {}) =>
  world.call<Started>("POST", `/api/v1/tenants/${tenantId}/backups`, { token, body: {}, headers })

/** Does what was asked for. */
const run = async ({ jobId }: Started) => {
  const { scope, uuid } = parseJobId(jobId)!
  const job = await findJob(world.app, scope, uuid)
  const nothing = async () => {}
  const signal = new AbortController().signal
  return await createWork(archiving)({
    job: job!,
    progress: nothing,
    checkpoint: nothing,
    hold: nothing,
    signal,
  })
}

const made = async (tenantId = "acme", token = admin): Promise<string> => {
  const { body } = await must(ask(tenantId, token), 202)
  await run(body)
  return body.backupId
}

const path = (backupId: string) => `/api/v1/backups/${backupId}`
const actions = async (tenantId = "acme") => {
  const { body } = await must(
    world.call<{ items: { action: string; target: string }[] }>("GET", `/api/v1/audit?tenantId=${tenantId}`),
    200,
  )
  return body.items.map(({ action, target }) => `${action} ${target}`)
}

describe("a tenant's backups", () => {
  test("are asked for, made by a job, listed newest first and told of in the audit", async () => {
    const answer = await must(ask("acme"), 202)
    const { jobId, backupId } = answer.body
    expect(answer.headers.get("location")).toBe(`/api/v1/jobs/${jobId}`)
    expect((await world.call("GET", path(backupId), { token: admin })).body.code).toBe("BACKUP_NOT_FOUND")
    expect(await run(answer.body)).toMatchObject({ kind: "done", result: { backupId } })
    const { body } = await must(world.call("GET", path(backupId), { token: admin }), 200)
    expect(body).toMatchObject({
      backupId,
      tenantId: "acme",
      source: "acme",
      origin: "requested",
      state: "complete",
      createdBy: "tenant_admin@acme",
      jobId,
      revisions: { Development: 1, Production: 1, QA: 1, Staging: 1 },
      held: false,
      verifiedAt: null,
      removedAt: null,
    })
    expect(await actions()).toEqual(
      expect.arrayContaining([`backup.create ${backupId}`, `job.create ${jobId}`]),
    )
    const second = await made()
    const list = async (query: string) =>
      (await must(world.call<Page>("GET", `/api/v1/tenants/acme/backups${query}`, { token: admin }), 200))
        .body
    const first = await list("?limit=1")
    expect(first.items.map((item) => item.backupId)).toEqual([second])
    const next = await list(`?limit=1&cursor=${first.nextCursor}`)
    expect(next.items.map((item) => item.backupId)).toEqual([backupId])
  })

  test("are asked for once, however often the same request is repeated", async () => {
    const headers = { "idempotency-key": "nightly-1" }
    const first = await must(ask("acme", admin, headers), 202)
    const again = await must(ask("acme", admin, headers), 202)
    expect(again.body).toEqual(first.body)
  })

  test("are for its admins, and nobody else's", async () => {
    const backupId = await made()
    for (const [method, where, body] of [
      ["POST", "/api/v1/tenants/acme/backups", {}],
      ["GET", "/api/v1/tenants/acme/backups", undefined],
      ["GET", path(backupId), undefined],
      ["POST", `${path(backupId)}/validate`, {}],
      ["PATCH", path(backupId), { held: true }],
      ["DELETE", path(backupId), undefined],
    ] as const) {
      const send = body === undefined ? {} : { body }
      expect((await world.call(method, where, { token: viewer, ...send })).body.code).toBe("FORBIDDEN")
      const foreign = await world.call(method, where.replaceAll("acme", "other"), { token: admin, ...send })
      expect(foreign.body.code).toBe("TENANT_NOT_FOUND")
    }
    expect((await world.call("GET", "/api/v1/backups", { token: admin })).body.code).toBe("FORBIDDEN")
  })

  test("that are held stay until they are let go; the last good one stays whatever is asked", async () => {
    const { tokens } = await world.tenant("keeper")
    const token = tokens.tenant_admin
    const [one, two] = [await made("keeper", token), await made("keeper", token)]
    const hold = (held: boolean) => world.call("PATCH", path(one), { token, body: { held } })
    const remove = (id: string) => world.call("DELETE", path(id), { token })
    expect((await must(hold(true), 200)).body.held).toBe(true)
    expect((await remove(one)).body.code).toBe("BACKUP_HELD")
    await must(hold(true), 200)
    await must(hold(false), 200)
    await must(remove(one), 204)
    await must(remove(one), 204)
    expect((await remove(two)).body.code).toBe("BACKUP_LAST")
    expect((await hold(true)).body.code).toBe("BACKUP_NOT_FOUND")
    expect((await actions("keeper")).filter((line) => line.endsWith(one))).toEqual([
      `backup.delete ${one}`,
      `backup.release ${one}`,
      `backup.hold ${one}`,
      `backup.create ${one}`,
    ])
    const removed = await must(
      world.call<Page>("GET", "/api/v1/tenants/keeper/backups?state=removed", { token }),
      200,
    )
    expect(removed.body.items.map(({ backupId }) => backupId)).toEqual([one])
  })

  test("of two that delete one each of the last two, one is refused", async () => {
    const { tokens } = await world.tenant("racer")
    const token = tokens.tenant_admin
    const ids = [await made("racer", token), await made("racer", token)]
    const answers = await Promise.all(ids.map((id) => world.call("DELETE", path(id), { token })))
    expect(answers.map(({ status }) => status).sort()).toEqual([204, 409])
  })

  test("can be validated once they are written", async () => {
    const { body } = await must(ask("acme"), 202)
    const validate = (id: string) => world.call("POST", `${path(id)}/validate`, { token: admin, body: {} })
    expect((await validate(body.backupId)).body.code).toBe("BACKUP_NOT_FOUND")
    await run(body)
    const started = await must(validate(body.backupId), 202)
    expect(started.body).toMatchObject({ kind: "backup.validate", state: "queued", tenantId: "acme" })
  })

  test("that are not there, or named badly, are told as such", async () => {
    for (const id of ["acme:bkp_00000000000000000000000000000000", "acme", "acme:job_x"])
      expect((await world.call("GET", path(id), { token: admin })).body.code).toBe("BACKUP_NOT_FOUND")
    const cursor = Buffer.from('["backups","x"]').toString("base64url")
    const bad = await world.call("GET", `/api/v1/tenants/acme/backups?cursor=${cursor}`, { token: admin })
    expect(bad.body.code).toBe("CURSOR_INVALID")
  })
})

test("the platform's operators see all of them, page by page, of whom and from where they ask", async () => {
  const { backupId } = await archiving
    .backUp("other")
    .then((row) => ({ backupId: (row as { backupId: string }).backupId }))
  await archiving.backUp("~platform")
  const seen: Page["items"] = []
  for (let cursor: string | null = null; ; ) {
    const more: string = cursor === null ? "" : `&cursor=${cursor}`
    const { body }: { body: Page } = await must(
      world.call<Page>("GET", `/api/v1/backups?limit=2${more}`),
      200,
    )
    seen.push(...body.items)
    cursor = body.nextCursor
    if (cursor === null) break
  }
  expect(new Set(seen.map((item) => item.backupId)).size).toBe(seen.length)
  expect(new Set(seen.map(({ tenantId }) => tenantId))).toEqual(
    new Set(["acme", "keeper", "racer", "other", "~platform"] as ScopeId[]),
  )
  const of = async (query: string) =>
    (await must(world.call<Page>("GET", `/api/v1/backups?${query}`), 200)).body.items
  expect((await of("tenantId=other")).map((item) => item.backupId)).toEqual([
    `other:bkp_${backupId.replaceAll("-", "")}`,
  ])
  expect(await of("origin=imported")).toEqual([])
  expect((await of("state=removed")).map(({ tenantId }) => tenantId).sort()).toEqual(["keeper", "racer"])
  for (const position of [
    ["2026", "acme", "x"],
    ["x", "acme", "x"],
    ["2026-01-01T00:00:00Z", "?", "x"],
  ]) {
    const cursor = Buffer.from(JSON.stringify(["all_backups", ...position])).toString("base64url")
    expect((await world.call("GET", `/api/v1/backups?cursor=${cursor}`)).body.code).toBe("CURSOR_INVALID")
  }
})
