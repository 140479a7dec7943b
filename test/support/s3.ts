import { createHash, randomBytes } from "node:crypto"
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { signatureFault } from "./aws-signature.ts"

// As much of S3 as is asked of it, after its API reference, and as strict: signatures and checksums, conditional writes,
// versions and marks of deletion, Object Lock in compliance mode, pages of a thousand.

interface Version {
  id: string
  /** `null`: a mark of deletion. */
  bytes: Buffer | null
  lockedUntilMs: number
}

export interface BucketRules {
  versioned?: boolean
  /** Object Lock: every version for so long. Only versioned buckets have it. */
  lockedMs?: number
  /** Not by Object Lock: a rule of the bucket's own, as R2 has it, which objects say nothing of. */
  ruled?: boolean
  /** It says that something is denied, and not why. */
  terse?: boolean
  /** What the caller's policy does not allow. */
  denied?: readonly ("PutObject" | "GetObject" | "DeleteObject" | "DeleteObjectVersion" | "ListBucket")[]
}

/** What goes wrong with a request: it is answered so instead, or carried out and never answered. */
type Fault =
  | "SlowDown"
  | "InternalError"
  | "OperationAborted"
  | "QuotaExceeded"
  | "answer lost"
  | "cut"
  | "damaged"
  | "silent"

const STATUS: Readonly<Record<string, number>> = {
  SlowDown: 503,
  InternalError: 500,
  OperationAborted: 409,
  QuotaExceeded: 400,
  NoSuchKey: 404,
  NoSuchBucket: 404,
  NoSuchVersion: 404,
  MethodNotAllowed: 405,
  PreconditionFailed: 412,
  InvalidRequest: 400,
  BadDigest: 400,
  NotImplemented: 501,
}

class S3Error extends Error {
  readonly code: string
  readonly headers: Record<string, string>
  constructor(code: string, message = code, headers = {}) {
    super(message)
    this.code = code
    this.headers = headers
  }
}

interface Answer {
  status: number
  headers?: Record<string, string>
  body?: Buffer | string
}

interface Asked {
  method: string
  bucket: string
  key: string
  query: URLSearchParams
  request: IncomingMessage
  body: Buffer
}

const CREDENTIALS = {
  accessKeyId: "AKIAIOSFODNN7EXAMPLE",
  secretAccessKey: randomBytes(30).toString("base64"),
  sessionToken: "a-session",
}
const PAGE_MAX = 1_000

const sha256 = (bytes: Buffer): string => createHash("sha256").update(bytes).digest("base64")
const urlEncoded = (text: string): string => encodeURIComponent(text).replaceAll("%2F", "/")
const byBytes = (one: string, other: string): number => Buffer.compare(Buffer.from(one), Buffer.from(other))

/** `nowMs` is what the server takes for the time. */
export const startS3 = async (rules: Record<string, BucketRules>, nowMs: () => number = Date.now) => {
  const buckets = new Map(Object.keys(rules).map((name) => [name, new Map<string, Version[]>()]))
  /** First come, first served. */
  const faults: Fault[] = []
  const asked: string[] = []
  /** What a page holds at the most, so that small listings have several. */
  const limits = { page: PAGE_MAX }

  const allow = ({ bucket }: Asked, action: NonNullable<BucketRules["denied"]>[number]): void => {
    if (rules[bucket]?.denied?.includes(action))
      throw new S3Error("AccessDenied", `no identity-based policy allows s3:${action}`)
  }
  const newest = ({ bucket, key }: Asked): Version | undefined => buckets.get(bucket)?.get(key)?.at(-1)
  const isVersioned = ({ bucket }: Asked): boolean => rules[bucket]?.versioned === true
  const idHeader = (call: Asked, version: Version): Record<string, string> =>
    isVersioned(call) ? { "x-amz-version-id": version.id } : {}

  const add = (call: Asked, bytes: Buffer | null): Version => {
    const objects = buckets.get(call.bucket)!
    const lockedUntilMs = bytes && rules[call.bucket]?.lockedMs ? nowMs() + rules[call.bucket]!.lockedMs! : 0
    const version = {
      id: isVersioned(call) ? randomBytes(12).toString("base64url") : "null",
      bytes,
      lockedUntilMs,
    }
    objects.set(call.key, [...(isVersioned(call) ? (objects.get(call.key) ?? []) : []), version])
    return version
  }

  const put = (call: Asked): Answer => {
    allow(call, "PutObject")
    const { headers } = call.request
    const claimed = headers["x-amz-checksum-sha256"]
    if (claimed !== undefined && claimed !== sha256(call.body)) throw new S3Error("BadDigest")
    if (rules[call.bucket]?.lockedMs && !(claimed && headers["x-amz-sdk-checksum-algorithm"]))
      throw new S3Error(
        "InvalidRequest",
        "Content-MD5 OR x-amz-checksum- HTTP header is required with Object Lock",
      )
    if (headers["if-none-match"] === "*" && newest(call)?.bytes) throw new S3Error("PreconditionFailed")
    return { status: 200, headers: idHeader(call, add(call, call.body)) }
  }

  const find = (call: Asked): Version => {
    const wanted = call.query.get("versionId")
    const all = buckets.get(call.bucket)?.get(call.key) ?? []
    const version = wanted === null ? all.at(-1) : all.find(({ id }) => id === wanted)
    if (version === undefined) throw new S3Error(wanted === null ? "NoSuchKey" : "NoSuchVersion")
    const marked = { "x-amz-delete-marker": "true", ...idHeader(call, version) }
    if (version.bytes === null)
      throw new S3Error(wanted === null ? "NoSuchKey" : "MethodNotAllowed", "", marked)
    return version
  }

  const get = (call: Asked): Answer => {
    allow(call, "GetObject")
    const version = find(call)
    const bytes = version.bytes!
    const until = version.lockedUntilMs
    return {
      status: 200,
      headers: {
        ...idHeader(call, version),
        "content-length": String(bytes.length),
        ...(call.request.headers["x-amz-checksum-mode"] === "ENABLED"
          ? { "x-amz-checksum-sha256": sha256(bytes) }
          : {}),
        ...(until ? { "x-amz-object-lock-mode": "COMPLIANCE" } : {}),
        ...(until ? { "x-amz-object-lock-retain-until-date": new Date(until).toISOString() } : {}),
      },
      body: call.method === "GET" ? bytes : "",
    }
  }

  const remove = (call: Asked): Answer => {
    const wanted = call.query.get("versionId")
    allow(call, wanted === null ? "DeleteObject" : "DeleteObjectVersion")
    const objects = buckets.get(call.bucket)!
    const all = objects.get(call.key) ?? []
    if (rules[call.bucket]?.ruled) throw new S3Error("ObjectLockedByBucketPolicy")
    if (wanted === null) {
      if (isVersioned(call))
        return { status: 204, headers: { "x-amz-delete-marker": "true", ...idHeader(call, add(call, null)) } }
      objects.delete(call.key)
      return { status: 204 }
    }
    const version = all.find(({ id }) => id === wanted)
    if (version && version.lockedUntilMs > nowMs())
      throw new S3Error(
        "AccessDenied",
        rules[call.bucket]?.terse ? "" : "Access Denied because object protected by object lock.",
      )
    const left = all.filter((one) => one !== version)
    if (left.length > 0) objects.set(call.key, left)
    else objects.delete(call.key)
    return { status: 204 }
  }

  const list = (call: Asked): Answer => {
    allow(call, "ListBucket")
    const { query } = call
    const token = query.get("continuation-token")
    const after = token === null ? (query.get("start-after") ?? "") : Buffer.from(token, "base64").toString()
    const prefix = query.get("prefix") ?? ""
    const most = Math.min(Number(query.get("max-keys") ?? PAGE_MAX), limits.page)
    const keys = [...buckets.get(call.bucket)!]
      .filter(
        ([key, versions]) => versions.at(-1)?.bytes && key.startsWith(prefix) && byBytes(key, after) > 0,
      )
      .map(([key]) => key)
      .sort(byBytes)
    const page = keys.slice(0, most)
    const next = keys.length > most ? Buffer.from(page.at(-1)!).toString("base64") : null
    const contents = page.map((key) => `<Contents><Key>${urlEncoded(key)}</Key></Contents>`).join("")
    return xml(
      "ListBucketResult",
      `<IsTruncated>${next !== null}</IsTruncated><KeyCount>${page.length}</KeyCount>${contents}` +
        (next === null ? "" : `<NextContinuationToken>${next}</NextContinuationToken>`),
    )
  }

  const listVersions = (call: Asked): Answer => {
    allow(call, "ListBucket")
    const prefix = call.query.get("prefix") ?? ""
    const found = [...buckets.get(call.bucket)!]
      .filter(([key]) => key.startsWith(prefix))
      .sort(([a], [b]) => byBytes(a, b))
    const elements = found.flatMap(([key, versions]) =>
      versions.toReversed().map(({ id, bytes }) => {
        const name = bytes ? "Version" : "DeleteMarker"
        return `<${name}><Key>${urlEncoded(key)}</Key><VersionId>${id}</VersionId></${name}>`
      }),
    )
    return xml("ListVersionsResult", `<IsTruncated>false</IsTruncated>${elements.join("")}`)
  }

  const act = (call: Asked): Answer => {
    if (!buckets.has(call.bucket)) throw new S3Error("NoSuchBucket")
    if (call.key !== "") {
      if (call.method === "PUT") return put(call)
      if (call.method === "GET" || call.method === "HEAD") return get(call)
      if (call.method === "DELETE") return remove(call)
    }
    if (call.method === "GET" && call.query.get("list-type") === "2") return list(call)
    if (call.method === "GET" && call.query.has("versions")) return listVersions(call)
    throw new S3Error("NotImplemented")
  }

  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const body = Buffer.concat(await request.toArray())
    const { method = "", url = "", headers } = request
    const [path = "", query = ""] = url.split("?")
    const [, bucket = "", ...words] = path.split("/").map(decodeURIComponent)
    asked.push(`${method} ${url}`)
    const send = ({ status, headers: sent, body: said = "" }: Answer): void =>
      void response.writeHead(status, sent).end(method === "HEAD" ? "" : said)
    try {
      const wrong = signatureFault({ method, target: url, headers, body }, CREDENTIALS, nowMs())
      if (wrong !== null) throw new S3Error(wrong)
      const fault = faults.shift()
      if (fault === "silent") return
      if (fault && STATUS[fault]) throw new S3Error(fault)
      const done = act({
        method,
        bucket,
        key: words.join("/"),
        query: new URLSearchParams(query),
        request,
        body,
      })
      if (fault === "answer lost") return void request.socket.destroy()
      if (fault === "cut") {
        response.writeHead(done.status, { ...done.headers, "content-length": "100" }).write("half")
        return void setImmediate(() => request.socket.destroy())
      }
      if (fault === "damaged") return send({ ...done, body: Buffer.from(done.body ?? "").fill("?") })
      send(done)
    } catch (error) {
      const known = error instanceof S3Error ? error : new S3Error("InternalError", String(error))
      const document = `<?xml version="1.0"?><Error><Code>${known.code}</Code><Message>${known.message}</Message></Error>`
      send({ status: STATUS[known.code] ?? 403, headers: known.headers, body: document })
    }
  }

  const server = createServer((request, response) => void answer(request, response))
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve))
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    buckets,
    faults,
    asked,
    limits,
    variables: {
      AWS_REGION: "us-east-1",
      AWS_ACCESS_KEY_ID: CREDENTIALS.accessKeyId,
      AWS_SECRET_ACCESS_KEY: CREDENTIALS.secretAccessKey,
      AWS_SESSION_TOKEN: CREDENTIALS.sessionToken,
    },
    stop: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

const xml = (root: string, inner: string): Answer => ({
  status: 200,
  body: `<?xml version="1.0" encoding="UTF-8"?>\n<${root} xmlns="http://s3.amazonaws.com/doc/2006-03-01/">${inner}</${root}>`,
})
