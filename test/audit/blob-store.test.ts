import { createHash } from "node:crypto"
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises"
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { type BlobStore, diskBlobStore } from "../../functions/platform/blob-store.ts"
import { s3BlobStore } from "../../functions/platform/blob-store-s3.ts"
import { signedHeaders } from "../../functions/platform/keys/aws-request.ts"

const credentials = {
  accessKeyId: "AKIAIOSFODNN7EXAMPLE",
  secretAccessKey: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
}
const VARIABLES = {
  AWS_REGION: "us-east-1",
  AWS_ACCESS_KEY_ID: credentials.accessKeyId,
  AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
}
const clock = { nowMs: () => Date.UTC(2013, 4, 24), now: () => new Date(Date.UTC(2013, 4, 24)) }
const bytes = (text: string) => new TextEncoder().encode(text)
const textOf = (blob: Uint8Array | null) => blob && Buffer.from(blob).toString()

/** As much of S3 as is asked of it. `conflicts`: how often it says first that another write is under way. */
const smallS3 = async () => {
  const objects = new Map<string, Buffer>()
  const state = { conflicts: 0, isDown: false, asked: [] as IncomingMessage[] }
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    state.asked.push(request)
    const body = Buffer.concat(await request.toArray())
    const say = (status: number, sent?: Buffer) => void response.writeHead(status).end(sent)
    const { headers, method, url = "" } = request
    if (state.isDown) return say(503)
    if (headers["x-amz-content-sha256"] !== createHash("sha256").update(body).digest("hex")) return say(400)
    if (method === "GET") return objects.has(url) ? say(200, objects.get(url)) : say(404)
    if (headers["x-amz-checksum-sha256"] !== createHash("sha256").update(body).digest("base64"))
      return say(400)
    if (state.conflicts-- > 0) return say(409)
    if (headers["if-none-match"] === "*" && objects.has(url)) return say(412)
    objects.set(url, body)
    return say(200)
  }
  const server = createServer((request, response) => void answer(request, response))
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return { state, endpoint, close: () => new Promise((resolve) => server.close(resolve)) }
}

let folder: string
let s3: Awaited<ReturnType<typeof smallS3>>
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "hotswap-blobs-"))
  s3 = await smallS3()
})
afterAll(async () => {
  await s3.close()
  await rm(folder, { recursive: true, force: true })
})

const bucket = () => s3BlobStore({ bucket: "b", variables: VARIABLES, clock, endpoint: s3.endpoint })
const STORES: [string, () => BlobStore][] = [
  ["a folder", () => diskBlobStore(folder)],
  ["a bucket", bucket],
]

describe.each(STORES)("%s", (_, open) => {
  test("keeps what was written first, whole, whoever comes later", async () => {
    const store = open()
    expect(await store.get("audit/acme/1")).toBeNull()
    expect(await store.putOnce("audit/acme/1", bytes("first"))).toBe("written")
    expect(await store.putOnce("audit/acme/1", bytes("first"))).toBe("there")
    expect(await open().putOnce("audit/acme/1", bytes("another"))).toBe("there")
    expect(textOf(await open().get("audit/acme/1"))).toBe("first")
    expect(await store.putOnce("audit/~platform/1", bytes(""))).toBe("written")
    expect(textOf(await store.get("audit/~platform/1"))).toBe("")
  })

  test("takes one of many who write a name at once", async () => {
    const stores = Array.from({ length: 16 }, () => open())
    const told = await Promise.all(
      stores.map((store, nth) => store.putOnce("audit/acme/race", bytes(`${nth}`))),
    )
    expect(told.filter((one) => one === "written")).toHaveLength(1)
    expect(textOf(await open().get("audit/acme/race"))).toBe(String(told.indexOf("written")))
  })

  test("takes no name that leads elsewhere", async () => {
    for (const name of [
      "",
      "/a",
      "a//b",
      "../a",
      "a/../../b",
      "a/./b",
      "a\0b",
      "a?b",
      "a%2fb",
      ".a",
      "a/.b",
      "ä",
    ]) {
      await expect(open().putOnce(name, bytes("x")), name).rejects.toThrow("does not name a blob")
      await expect(open().get(name), name).rejects.toThrow("does not name a blob")
    }
  })
})

test("a folder holds nothing that is half written, and nobody's leftovers", async () => {
  const store = diskBlobStore(folder)
  await store.putOnce("audit/globex/1", bytes("x"))
  await store.putOnce("audit/globex/1", bytes("y"))
  expect(await readdir(join(folder, "audit/globex"))).toEqual(["1"])
  await expect(writeFile(join(folder, "audit/globex/1"), "z", { flag: "wx" })).rejects.toThrow("EEXIST")
  expect(await readFile(join(folder, "audit/globex/1"), "utf8")).toBe("x")
})

describe("a bucket", () => {
  test("is asked again where two wrote at the same moment, and what else it says is no success", async () => {
    s3.state.conflicts = 2
    expect(await bucket().putOnce("audit/acme/conflict", bytes("x"))).toBe("written")
    s3.state.conflicts = 3
    await expect(bucket().putOnce("audit/acme/conflicts", bytes("x"))).rejects.toThrow("S3 answered 409")
    s3.state.conflicts = 0
    s3.state.isDown = true
    await expect(bucket().putOnce("audit/acme/down", bytes("x"))).rejects.toThrow("S3 answered 503")
    await expect(bucket().get("audit/acme/1")).rejects.toThrow("S3 answered 503")
    s3.state.isDown = false
  })

  test("is asked with requests that are signed as AWS's own example is", async () => {
    const body = new Uint8Array()
    const headers = signedHeaders(
      {
        ...{ method: "GET", url: "https://examplebucket.s3.amazonaws.com/test.txt" },
        ...{ service: "s3", region: "us-east-1", body },
        headers: {
          range: "bytes=0-9",
          "x-amz-content-sha256": createHash("sha256").update(body).digest("hex"),
        },
      },
      credentials,
      clock.now(),
    )
    expect(headers.authorization).toBe(
      "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, " +
        "SignedHeaders=host;range;x-amz-content-sha256;x-amz-date, " +
        "Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
    )
    await bucket().putOnce("audit/acme/signed", bytes("x"))
    expect(s3.state.asked.at(-1)!.headers.authorization).toMatch(
      /SignedHeaders=host;if-none-match;x-amz-checksum-sha256;x-amz-content-sha256;x-amz-date,/,
    )
  })
})
