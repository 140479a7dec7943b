import { createHash } from "node:crypto"
import { setTimeout as wait } from "node:timers/promises"
import { BLOB_BYTES_MAX, storeForbids, storeFull } from "./blob-store.ts"
import type { Clock } from "./clock.ts"
import { signedHeaders, strictlyEncoded } from "./keys/aws-request.ts"

export interface S3Options {
  bucket: string
  /** The function's own: region and credentials. */
  variables: Readonly<Record<string, string | undefined>>
  clock: Clock
  /** In the place of AWS's own; the bucket then stands in the path. */
  endpoint?: string | undefined
  /** Of the bucket, where it is not the function's. */
  region?: string | undefined
  /** Between tries. */
  pause?: ((durationMs: number) => Promise<unknown>) | undefined
  random?: (() => number) | undefined
  /** How long one try may take. */
  tryMs?: number | undefined
}

export interface S3Request {
  query?: Readonly<Record<string, string>>
  headers?: Readonly<Record<string, string>>
  body?: Uint8Array
  /** Statuses besides 2xx that are an answer and not a failure. */
  expected?: readonly number[]
  /** What a refusal says is forbidden. */
  verb: "written" | "read" | "removed"
}

export interface S3Answer {
  status: number
  headers: Headers
  bytes: Uint8Array
  /** An earlier try may have come to something although nobody was told. */
  afterDoubt: boolean
}

const TRIES = 5
const TRY_MS = 10_000
/** For all tries together. */
const DEADLINE_MS = 25_000
const PAUSE_MS = 100
/** An answer with an error, and a page of a listing, are far smaller. */
const ANSWER_BYTES_MAX = BLOB_BYTES_MAX

/** Two who wrote the name at the same moment: one of them has to ask again. */
const CONFLICT = 409
const BUSY = [CONFLICT, 408, 429, 500, 502, 503, 504]
const FORBIDDEN = [401, 403]
const FULL = /StorageFull|QuotaExceeded|InsufficientCapacity/
const CODE = /<Code>([^<]*)<\/Code>/

/** What the other end says, when that is not an answer to what was asked. */
class S3Failure extends Error {
  readonly status: number
  constructor(what: string, { status, headers, bytes }: Omit<S3Answer, "afterDoubt">) {
    const region = headers.get("x-amz-bucket-region")
    const hint = status >= 300 && status < 400 && region ? ` (the bucket is in ${region})` : ""
    super(`S3 answered ${status} for ${what}${hint}: ${Buffer.from(bytes.subarray(0, 500)).toString()}`)
    this.name = "S3Failure"
    this.status = status
  }
}

/** How a bucket is asked: signed, each try and all together within their time, and again when it was busy. */
export const s3Requests = ({ bucket, variables, clock, endpoint, ...options }: S3Options) => {
  const region = options.region ?? variables.AWS_REGION ?? "us-east-1"
  const { pause = wait, random = Math.random, tryMs = TRY_MS } = options
  const credentials = {
    accessKeyId: variables.AWS_ACCESS_KEY_ID ?? "",
    secretAccessKey: variables.AWS_SECRET_ACCESS_KEY ?? "",
    sessionToken: variables.AWS_SESSION_TOKEN,
  }
  const base = endpoint
    ? `${endpoint.replace(/\/$/, "")}/${bucket}`
    : `https://${bucket}.s3.${region}.amazonaws.com`

  const urlOf = (path: string, query: S3Request["query"] = {}): string => {
    const pairs = Object.entries(query).map(([name, value]) => `${name}=${strictlyEncoded(value)}`)
    return `${base}/${path}${pairs.length === 0 ? "" : `?${pairs.join("&")}`}`
  }

  const once = async (method: string, path: string, request: S3Request, signal: AbortSignal) => {
    const url = urlOf(path, request.query)
    const body = request.body ?? new Uint8Array()
    const headers = {
      ...request.headers,
      "x-amz-content-sha256": createHash("sha256").update(body).digest("hex"),
    }
    const now = new Date(clock.nowMs())
    const response = await fetch(url, {
      method,
      headers: signedHeaders({ method, url, service: "s3", region, headers, body }, credentials, now),
      ...(request.body ? { body: Uint8Array.from(body) } : {}),
      redirect: "manual",
      signal: AbortSignal.any([signal, AbortSignal.timeout(tryMs)]),
    })
    return { status: response.status, headers: response.headers, bytes: await wholeOf(response) }
  }

  /** Throws Refusal where somebody has to let us in or make room, and S3Failure for what else is no answer. */
  const ask = async (method: string, path: string, request: S3Request): Promise<S3Answer> => {
    const signal = AbortSignal.timeout(DEADLINE_MS)
    let afterDoubt = false
    for (let nth = 1; ; nth++) {
      const mayRepeat = nth < TRIES && !signal.aborted
      const answer = await once(method, path, request, signal).catch((error: unknown) => {
        if (mayRepeat) return null
        throw error
      })
      if (answer && !(mayRepeat && BUSY.includes(answer.status))) {
        // That there is no such bucket is never an answer about a name.
        const isExpected = request.expected?.includes(answer.status) && codeIn(answer) !== "NoSuchBucket"
        if ((answer.status >= 200 && answer.status < 300) || isExpected) return { ...answer, afterDoubt }
        throw failureOf(`${method} ${path}`, answer, request.verb)
      }
      if (answer?.status !== CONFLICT) afterDoubt = true
      await pause(random() * PAUSE_MS * 2 ** nth)
    }
  }
  return { ask }
}

const codeIn = ({ bytes }: Pick<S3Answer, "bytes">): string | undefined =>
  CODE.exec(Buffer.from(bytes.subarray(0, 2_000)).toString())?.[1]

const failureOf = (what: string, answer: Omit<S3Answer, "afterDoubt">, verb: S3Request["verb"]): Error => {
  const failure = new S3Failure(what, answer)
  if (answer.status === 507 || FULL.test(codeIn(answer) ?? "")) return storeFull(failure)
  if (FORBIDDEN.includes(answer.status) || codeIn(answer) === "NoSuchBucket")
    return storeForbids(verb, failure)
  return failure
}

/** The body, as far as it may go. */
const wholeOf = async (response: Response): Promise<Uint8Array> => {
  const pieces: Uint8Array[] = []
  let length = 0
  for await (const piece of response.body ?? []) {
    length += piece.length
    if (length > ANSWER_BYTES_MAX) throw new Error(`S3 sends more than ${ANSWER_BYTES_MAX} bytes`)
    pieces.push(piece)
  }
  return Buffer.concat(pieces)
}
