import { mkdtemp, readdir, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, beforeEach, expect, test } from "vitest"
import { backupBlobsOf, neededBackupBlobs } from "../../../functions/platform/backup-blobs.ts"
import { systemClock } from "../../../functions/platform/clock.ts"
import { readSettings } from "../../../functions/platform/settings.ts"
import { startS3 } from "../../support/s3.ts"

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "hotswap-blobs-"))
})
afterEach(() => rm(folder, { recursive: true, force: true }))

const bytes = new TextEncoder().encode("x")
const blobsOf = (variables: Record<string, string>, warn = (_message: string, _fields?: object) => {}) =>
  backupBlobsOf(variables, readSettings(variables, []), systemClock, { warn })

test("archives are kept where the settings say, at one place or two, a folder or a bucket each", async () => {
  const s3 = await startS3({ archives: {}, copies: {} })
  try {
    const buckets = { ...s3.variables, HOTSWAP_BLOB_ENDPOINT: s3.endpoint }
    const [one, other] = [join(folder, "one"), join(folder, "other")]
    await blobsOf({ HOTSWAP_BACKUP_DIRECTORY: one })!.putOnce("a/1", bytes)
    expect(await readdir(one)).toEqual(["a"])
    await blobsOf({ HOTSWAP_BACKUP_DIRECTORY: one, HOTSWAP_BACKUP_COPY_DIRECTORY: other })!.putOnce(
      "a/2",
      bytes,
    )
    expect(await readdir(join(other, "a"))).toEqual(["2"])
    // A bucket goes before the folder that a laptop has anyway.
    const bucket = { ...buckets, HOTSWAP_BACKUP_DIRECTORY: one, HOTSWAP_BACKUP_BUCKET: "archives" }
    const both = blobsOf({
      ...bucket,
      HOTSWAP_BACKUP_COPY_BUCKET: "copies",
      HOTSWAP_BACKUP_COPY_REGION: "eu-west-1",
    })!
    await both.putOnce("a/3", bytes)
    expect(both.locations.map(({ name }) => name)).toEqual(["primary", "copy"])
    expect([...s3.buckets].map(([name, objects]) => [name, [...objects.keys()]])).toEqual([
      ["archives", ["a/3"]],
      ["copies", ["a/3"]],
    ])
    expect(await readdir(join(one, "a"))).toEqual(["1", "2"])
  } finally {
    await s3.stop()
  }
})

test("without a setting they are kept nowhere, and who can do nothing else does not start", () => {
  expect(blobsOf({})).toBeUndefined()
  const wrong = "HOTSWAP_BACKUP_BUCKET is not set, nor HOTSWAP_BACKUP_DIRECTORY"
  expect(() => neededBackupBlobs({}, readSettings({}, []), systemClock)).toThrow(wrong)
  expect(() => blobsOf({ HOTSWAP_BACKUP_COPY_DIRECTORY: folder })).toThrow(wrong)
})

test("a second location that is away is written to the log, by its name", async () => {
  const s3 = await startS3({ copies: { denied: ["ListBucket"] } })
  const told: unknown[] = []
  const blobs = blobsOf(
    {
      ...{ ...s3.variables, HOTSWAP_BLOB_ENDPOINT: s3.endpoint },
      ...{ HOTSWAP_BACKUP_DIRECTORY: folder, HOTSWAP_BACKUP_COPY_BUCKET: "copies" },
    },
    (message, fields) => told.push([message, fields]),
  )!
  await blobs.putOnce("a/1", bytes)
  expect(await blobs.list("a")).toEqual({ names: ["a/1"], after: null })
  expect(told).toEqual([
    [
      "a place for archives did not do its part",
      { location: "copy", doing: "list", error: expect.objectContaining({ code: "BLOB_STORE_FORBIDDEN" }) },
    ],
  ])
  await s3.stop()
})

test.each([
  ["HOTSWAP_BLOB_ENDPOINT", "minio", "is not a URL"],
  ["HOTSWAP_BLOB_ENDPOINT", "ftp://minio", "is not a URL"],
  ["HOTSWAP_BLOB_ENDPOINT", "https://minio/bucket", "is not a URL like https://host:9000"],
  ["HOTSWAP_BLOB_ENDPOINT", "https://minio?x", "is not a URL like https://host:9000"],
  ["HOTSWAP_BLOB_ENDPOINT", "https://key@minio", "is not a URL like https://host:9000"],
  ["HOTSWAP_BACKUP_BUCKET", "Bucket", "is not the name of a bucket"],
  ["HOTSWAP_BACKUP_BUCKET", "a/b", "is not the name of a bucket"],
  ["HOTSWAP_BACKUP_COPY_REGION", "eu west", "is not the name of a region"],
  ["HOTSWAP_BACKUP_REGION", "evil.example.com/", "is not the name of a region"],
  ["HOTSWAP_BACKUP_DIRECTORY", "backups", "is not the whole path of a folder"],
  ["HOTSWAP_BACKUP_QUEUE_URL", "https://example.com", "is not the URL of a queue"],
])("%s as %j is refused at the start", (name, value, why) => {
  expect(() => readSettings({ [name]: value }, [])).toThrow(`${name} ${why}`)
})

test("where it is deployed nothing is sent to a bucket in the clear", () => {
  const variables = { HOTSWAP_STAGE: "prod", HOTSWAP_BLOB_ENDPOINT: "http://minio:9000" }
  expect(() => readSettings(variables, [])).toThrow("HOTSWAP_BLOB_ENDPOINT is not https")
  expect(readSettings({ HOTSWAP_BLOB_ENDPOINT: "http://minio:9000/" }, []).blobEndpoint).toBe(
    "http://minio:9000",
  )
})
