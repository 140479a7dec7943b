import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { describe, expect, test } from "vitest"
import { severalLocations } from "../../functions/platform/blob-locations.ts"
import { diskBlobStore } from "../../functions/platform/blob-store-disk.ts"
import { s3BlobStore } from "../../functions/platform/blob-store-s3.ts"
import { systemClock } from "../../functions/platform/clock.ts"
import { hasMoto, startMoto } from "../support/moto.ts"
import { startS3 } from "../support/s3.ts"
import { blobStoreContract, utf8 } from "./blob-store.contract.ts"

const folder = async () => {
  const directory = await mkdtemp(join(tmpdir(), "hotswap-blobs-"))
  return { directory, stop: () => rm(directory, { recursive: true, force: true }) }
}

blobStoreContract("a folder", async () => {
  const { directory, stop } = await folder()
  return { open: () => diskBlobStore(join(directory, "blobs")), stop }
})

for (const [what, rules] of [
  ["a bucket", {}],
  ["a bucket that keeps versions", { versioned: true }],
  [
    "a bucket whose versions only its lifecycle removes",
    { versioned: true, denied: ["DeleteObjectVersion"] },
  ],
] as const)
  blobStoreContract(what, async () => {
    const s3 = await startS3({ kept: rules })
    s3.limits.page = 4
    const { endpoint, variables, stop } = s3
    return { open: () => s3BlobStore({ bucket: "kept", variables, endpoint, clock: systemClock }), stop }
  })

blobStoreContract("two folders", async () => {
  const [one, other] = [await folder(), await folder()]
  const locations = [one, other].map(({ directory }, nth) => ({
    name: `${nth}`,
    store: diskBlobStore(directory),
  }))
  return { open: () => severalLocations(locations), stop: () => Promise.all([one.stop(), other.stop()]) }
})

blobStoreContract("a bucket and a folder", async () => {
  const { directory, stop } = await folder()
  const s3 = await startS3({ kept: { versioned: true } })
  s3.limits.page = 3
  const bucket = s3BlobStore({ bucket: "kept", ...s3, clock: systemClock })
  const locations = [
    { name: "bucket", store: bucket },
    { name: "folder", store: diskBlobStore(directory) },
  ]
  return { open: () => severalLocations(locations), stop: () => Promise.all([s3.stop(), stop()]) }
})

describe.skipIf(!hasMoto())("somebody else's S3", () => {
  for (const bucket of ["plain", "versioned"])
    blobStoreContract(`moto, ${bucket}`, async () => {
      const { endpoint, variables, stop } = await startMoto()
      return { open: () => s3BlobStore({ bucket, variables, endpoint, clock: systemClock }), stop }
    })

  test("keeps what is locked", async () => {
    const { endpoint, variables, stop } = await startMoto()
    try {
      const store = s3BlobStore({ bucket: "locked", variables, endpoint, clock: systemClock })
      expect(await store.putOnce("a/1", utf8("x"))).toBe("written")
      expect(await store.remove("a/1")).toBe("kept")
      expect(await store.size("a/1")).toBe(1)
    } finally {
      await stop()
    }
  }, 30_000)
})
