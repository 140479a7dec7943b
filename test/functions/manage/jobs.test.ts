import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { jobIdOf } from "../../../core/ids.ts"
import { SCHEDULE_OWNER } from "../../../core/job/job.ts"
import { createRunner } from "../../../functions/backup/runner.ts"
import { createBackground } from "../../../functions/platform/background.ts"
import { createJob } from "../../../functions/platform/jobs.ts"
import { ALL_DUE, QUICK } from "../backup/job-world.ts"
import { createWorld, must, type World } from "./world.ts"

let world: World
const woken: string[] = []
beforeAll(async () => {
  world = await createWorld()
})
afterAll(() => world.close())

const newTenant = async () => await world.tenant(`jobs-${crypto.randomUUID().slice(0, 8)}`)
const backUp = async (tenantId: string, token?: string, headers = {}) =>
  await must(
    world.call<{ jobId: string; backupId: string }>("POST", `/api/v1/tenants/${tenantId}/backups`, {
      ...(token === undefined ? {} : { token }),
      headers,
      body: {},
    }),
    202,
  )
const read = (jobId: string, token?: string) =>
  world.call("GET", `/api/v1/jobs/${jobId}`, token === undefined ? {} : { token })
const list = async (query: string, token: string) =>
  (
    await must(
      world.call<{ items: { jobId: string }[]; nextCursor: string }>("GET", `/api/v1/jobs?${query}`, {
        token,
      }),
      200,
    )
  ).body
const cancel = (jobId: string, token: string, headers = {}) =>
  world.call("POST", `/api/v1/jobs/${jobId}/cancel`, { token, headers, body: {} })

describe("a job", () => {
  test("is shown from its beginning to its end, but for what its next attempt would go on from", async () => {
    const { tenantId, tokens } = await newTenant()
    const asked = await backUp(tenantId, tokens.tenant_admin)
    expect(asked.headers.get("location")).toBe(`/api/v1/jobs/${asked.body.jobId}`)
    const queued = (await must(read(asked.body.jobId, tokens.tenant_admin), 200)).body
    expect(queued).toMatchObject({
      jobId: asked.body.jobId,
      tenantId,
      kind: "backup.create",
      state: "queued",
      progress: {},
      result: null,
      problem: null,
      createdBy: `tenant_admin@${tenantId}`,
      startedAt: null,
      endedAt: null,
    })
    // A call here waits for what it left running, which is not what it was called by.
    const platform = { ...world.platform, background: createBackground(world.platform.log) }
    const shown: unknown[] = []
    const runner = createRunner(
      platform,
      {
        "backup.create": async ({ progress, checkpoint }) => {
          await progress({ step: "reading", rows: 3 })
          await checkpoint({ secret: "of the inside" })
          shown.push((await read(asked.body.jobId, tokens.tenant_admin)).body)
          return { kind: "done", result: { rows: 3 } }
        },
      },
      QUICK,
    )
    await runner.run(ALL_DUE())
    expect(shown).toMatchObject([{ state: "running", progress: { step: "reading", rows: 3 } }])
    expect(JSON.stringify(shown)).not.toContain("inside")
    const ended = (await must(read(asked.body.jobId, tokens.tenant_admin), 200)).body
    expect(ended).toMatchObject({ state: "succeeded", result: { rows: 3 }, endedAt: expect.any(String) })
  })

  test("asked for again under the same Idempotency-Key is the same one", async () => {
    const { tenantId, tokens } = await newTenant()
    const key = { "idempotency-key": "once" }
    const asked = await Promise.all([1, 2, 3].map(() => backUp(tenantId, tokens.tenant_admin, key)))
    expect(new Set(asked.map(({ text }) => text)).size).toBe(1)
    expect((await list(`tenantId=${tenantId}`, tokens.tenant_admin)).items).toHaveLength(1)
  })

  test("is cancelled by who may see it, once, and not after its end", async () => {
    const { tenantId, tokens } = await newTenant()
    const { jobId } = (await backUp(tenantId, tokens.tenant_admin)).body
    expect((await must(cancel(jobId, tokens.engineer), 404)).body.code).toBe("JOB_NOT_FOUND")
    const key = { "idempotency-key": "cancel" }
    const cancelled = await must(cancel(jobId, tokens.tenant_admin, key), 202)
    expect(cancelled.body).toMatchObject({ state: "cancelled", endedAt: expect.any(String) })
    expect((await must(cancel(jobId, tokens.tenant_admin, key), 202)).text).toBe(cancelled.text)
    expect((await must(cancel(jobId, tokens.tenant_admin), 409)).body.code).toBe("JOB_ENDED")
    const audit = await must(
      world.call<{ items: { action: string; target: string }[] }>(
        "GET",
        `/api/v1/audit?tenantId=${tenantId}&target=${jobId}`,
        { token: tokens.tenant_admin },
      ),
      200,
    )
    expect(audit.body.items.map(({ action }) => action)).toEqual(["job.end", "job.cancel", "job.create"])
  })

  test("of somebody else is seen by admins alone, and of another tenant by nobody", async () => {
    const { tenantId, tokens } = await newTenant()
    const other = await newTenant()
    const { subject, ...owner } = { ...SCHEDULE_OWNER, subject: `engineer@${tenantId}` }
    const theirs = await createJob(
      world.platform,
      { owner: { subject, ...owner } },
      { scope: tenantId as never, kind: "tenant.migrate", params: {} },
    )
    const id = jobIdOf(theirs!.scope, theirs!.jobId)
    const { jobId } = (await backUp(tenantId, tokens.tenant_admin)).body
    for (const token of [tokens.engineer, tokens.tenant_admin]) await must(read(id, token), 200)
    await must(read(id, tokens.viewer), 404)
    await must(read(jobId, tokens.engineer), 404)
    const missing = await must(read(id, other.tokens.tenant_admin), 404)
    expect(missing.body.code).toBe("TENANT_NOT_FOUND")
    const ids = async (token: string) =>
      (await list(`tenantId=${tenantId}`, token)).items.map((job) => job.jobId)
    expect(await ids(tokens.tenant_admin)).toEqual([jobId, id])
    expect(await ids(tokens.engineer)).toEqual([id])
    expect(await ids(tokens.viewer)).toEqual([])
    await must(read(`${tenantId}:job_${"0".repeat(32)}`, tokens.tenant_admin), 404)
    await must(read("no-job", tokens.tenant_admin), 404)
  })

  test("stands in pages, newest first, by kind and state", async () => {
    const { tenantId, tokens } = await newTenant()
    const asked: string[] = []
    for (let n = 0; n < 5; n++) asked.unshift((await backUp(tenantId, tokens.tenant_admin)).body.jobId)
    await must(cancel(asked[0]!, tokens.tenant_admin), 202)
    const pages: string[] = []
    for (let cursor = ""; ; ) {
      const query = `tenantId=${tenantId}&limit=2${cursor && `&cursor=${cursor}`}`
      const { items, nextCursor } = await list(query, tokens.tenant_admin)
      pages.push(...items.map(({ jobId }) => jobId))
      if (nextCursor === null) break
      cursor = nextCursor
    }
    expect(pages).toEqual(asked)
    const count = async (query: string) =>
      (await list(`tenantId=${tenantId}&${query}`, tokens.tenant_admin)).items.length
    expect(await count("state=cancelled")).toBe(1)
    expect(await count("kind=backup.create&state=queued")).toBe(4)
    expect(await count("kind=backup.drill")).toBe(0)
    const invalid = `/api/v1/jobs?tenantId=${tenantId}&cursor=nonsense`
    expect((await must(world.call("GET", invalid), 400)).body.code).toBe("CURSOR_INVALID")
  })

  test("wakes whoever does jobs; that nobody could be woken is no failure", async () => {
    const { tenantId } = await newTenant()
    let isThere = true
    const queue = {
      wake: async (jobId: string) => {
        if (!isThere) throw new Error("it is away")
        woken.push(jobId)
      },
    }
    const ask = () =>
      createJob(
        { ...world.platform, queue },
        { owner: SCHEDULE_OWNER },
        { scope: tenantId as never, kind: "backup.create", params: {} },
      )
    const first = (await ask())!
    isThere = false
    await ask()
    await world.platform.background.settled()
    expect(woken).toEqual([jobIdOf(first.scope, first.jobId)])
  })
})
