import { execFile } from "node:child_process"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { promisify } from "node:util"
import { afterAll, beforeAll, expect, test } from "vitest"
import type { TenantId } from "../../core/ids.ts"
import { SCHEDULE_OWNER } from "../../core/job/job.ts"
import { findJob } from "../../db/queries/jobs.ts"
import { composeBasics } from "../../functions/platform/compose.ts"
import { systemIds } from "../../functions/platform/ids.ts"
import { createJob } from "../../functions/platform/jobs.ts"
import { makeMasterKey } from "../../functions/platform/keys/master-key.ts"
import { bundle } from "../../infra/constructs/bundling.ts"
import { makeTenant } from "../db/fixtures.ts"
import { openTestDatabase } from "../support/database.ts"
import { keyFolder } from "../support/keys.ts"
import { startS3 } from "../support/s3.ts"

// What is deployed, over what it meets there: events of SQS and EventBridge, PostgreSQL, and a locked bucket in each region.

const run = promisify(execFile)
const DAY_MS = 86_400_000
const LOCKED = { versioned: true, lockedMs: 7 * DAY_MS }
const ACME = "acme" as TenantId

const keys = keyFolder()
let directory: string
let file: string
let database: Awaited<ReturnType<typeof openTestDatabase>>
let s3: Awaited<ReturnType<typeof startS3>>
beforeAll(async () => {
  makeMasterKey(keys)
  directory = await mkdtemp(join(tmpdir(), "hotswap-bundle-"))
  file = bundle("backup", directory).file
  database = await openTestDatabase()
  s3 = await startS3({ archives: LOCKED, copies: { ...LOCKED, denied: ["DeleteObjectVersion"] } })
  await makeTenant(database.app, ACME)
}, 60_000)
afterAll(async () => {
  await s3?.stop()
  await database?.close()
  await rm(directory, { recursive: true, force: true })
})

const CALLS = `
  const { handler } = await import(process.argv[1])
  const context = { awsRequestId: "1", getRemainingTimeInMillis: () => 60_000 }
  for (const event of JSON.parse(process.argv[2])) {
    const answer = await handler(event, context).catch((error) => ({ threw: String(error) }))
    console.log("answer " + JSON.stringify(answer))
  }
  process.exit(0)`

/** What the function answers to each of the events, in a process of its own. */
const answersTo = async (events: readonly object[]): Promise<Record<string, unknown>[]> => {
  const env = {
    ...s3.variables,
    DATABASE_URL: database.url("hotswap_app"),
    DATABASE_SYSTEM_URL: database.url("hotswap_system"),
    UPSTASH_REDIS_REST_URL: "http://127.0.0.1:1",
    UPSTASH_REDIS_REST_TOKEN: "unused",
    HOTSWAP_KEY_DIRECTORY: keys,
    HOTSWAP_BLOB_ENDPOINT: s3.endpoint,
    HOTSWAP_BACKUP_BUCKET: "archives",
    HOTSWAP_BACKUP_COPY_BUCKET: "copies",
    HOTSWAP_BACKUP_COPY_REGION: "eu-west-1",
  }
  const args = ["--input-type=module", "-e", CALLS, file, JSON.stringify(events)]
  const { stdout } = await run(process.execPath, args, { cwd: directory, env })
  const lines = stdout.split("\n").filter((line) => line.startsWith("answer "))
  return lines.map((line) => JSON.parse(line.slice("answer ".length)))
}

const message = (jobId: string) => ({
  Records: [{ messageId: "1", body: JSON.stringify({ jobId }), eventSource: "aws:sqs" }],
})

test("a message of the queue has a backup made, in both locked buckets, and the message taken", async () => {
  const platform = { ...composeBasics("test", {}), db: database.app, ids: systemIds, queue: undefined }
  const params = { backupId: systemIds.uuid(), origin: "requested", includeEmptyTables: true }
  const job = await createJob(
    platform,
    { owner: SCHEDULE_OWNER },
    { scope: ACME, kind: "backup.create", params },
  )
  const [answer] = await answersTo([message(`${ACME}:job_1`)])
  expect(answer).toEqual({ begun: 1, batchItemFailures: [] })
  expect(await findJob(database.app, ACME, job!.jobId)).toMatchObject({ state: "succeeded", problem: null })
  const [archives, copies] = ["archives", "copies"].map((bucket) =>
    [...s3.buckets.get(bucket)!.keys()].sort(),
  )
  expect(archives!.filter((key) => key.startsWith(`backups/${ACME}/archives/`))).toHaveLength(1)
  expect(copies).toEqual(archives)
})

test("each task is known by the name that the schedule calls it, and another is refused", async () => {
  const tasks = ["plan", "work", "retain", "imports", "drill", "nothing"]
  const answers = await answersTo(tasks.map((task) => ({ task })))
  expect(answers).toHaveLength(tasks.length)
  for (const [nth, task] of tasks.slice(0, -1).entries())
    expect(answers[nth], task).not.toHaveProperty("threw")
  expect(answers.at(-1)).toEqual({ threw: 'Error: there is no task "nothing"' })
})
