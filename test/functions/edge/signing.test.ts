import { afterAll, beforeAll, expect, test } from "vitest"
import type { FunctionUrlEvent } from "../../../functions/http/events.ts"
import { asCalled, isEdge } from "../../../functions/http/from-edge.ts"
import { signedHeaders } from "../../../functions/platform/keys/aws-request.ts"
import { createReaderKeys, type ReaderKeys, type RunningEdge, startEdge } from "../../support/edge.ts"
import {
  EDGE_SECRET,
  type OriginCall,
  type ScriptedOrigin,
  startOrigin,
} from "../../support/scripted-origin.ts"

const CREDENTIALS = { accessKeyId: "AKIDEXAMPLE", secretAccessKey: "the-secret-of-the-edge" }
const REGION = "eu-central-1"

let read: ScriptedOrigin
let manage: ScriptedOrigin
let keys: ReaderKeys
let edge: RunningEdge
beforeAll(async () => {
  ;[read, manage, keys] = await Promise.all([startOrigin(), startOrigin(), createReaderKeys()])
  edge = await startEdge({
    origin: read.url,
    manageOrigin: manage.url,
    outcomesOrigin: read.url,
    jwks: keys.jwks,
    bindings: {
      AWS_ACCESS_KEY_ID: CREDENTIALS.accessKeyId,
      AWS_SECRET_ACCESS_KEY: CREDENTIALS.secretAccessKey,
      AWS_REGION: REGION,
    },
  })
})
afterAll(async () => {
  await edge?.dispose()
  await Promise.all([read?.close(), manage?.close()])
})

/** What AWS would find the signature to be, by the other implementation that there is of it here. */
const expected = ({ method, path, headers, body }: OriginCall): string => {
  const at = String(headers["x-amz-date"])
  const now = at.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, "$1-$2-$3T$4:$5:$6Z")
  const url = `http://${headers.host}${path}`
  const named = { "x-amz-content-sha256": String(headers["x-amz-content-sha256"]) }
  const request = { method, url, service: "lambda", region: REGION, headers: named, body }
  return signedHeaders(request, CREDENTIALS, new Date(now)).authorization!
}

test("what the Worker asks for itself is signed", async () => {
  read.says({ tenantId: "acme" })
  expect((await edge.get("/api/v1/configs/tenant/acme", await keys.issue())).status).toBe(200)
  const call = read.calls.find(({ path }) => path.startsWith("/internal/pointer/"))!
  expect(call.headers.authorization).toBe(expected(call))
  expect(call.headers["hotswap-authorization"]).toBeUndefined()
})

test("what it passes on is signed with its body and its query, and the caller's token goes beside it", async () => {
  const headers = { "x-amz-date": "20000101T000000Z", "hotswap-authorization": "Bearer stolen" }
  const body = JSON.stringify({ reports: ["ä"] })
  await edge.get("/api/v1/outcomes?b=1&a=x+y", "hs_token", { method: "POST", body, headers })
  const call = read.calls.at(-1)!
  expect([call.path, call.body]).toEqual(["/api/v1/outcomes?b=1&a=x%20y", body])
  expect(call.headers.authorization).toBe(expected(call))
  expect(call.headers["hotswap-authorization"]).toBe("Bearer hs_token")
})

test("what is for people goes as it came", async () => {
  await edge.get("/api/v1/tenants", "hs_token", { headers: { "hotswap-authorization": "Bearer stolen" } })
  const call = manage.calls.at(-1)!
  expect(call.headers.authorization).toBe("Bearer hs_token")
  expect(call.headers["x-amz-date"] ?? call.headers["hotswap-authorization"]).toBeUndefined()
})

test("a body beyond what a function takes is refused before it is sent", async () => {
  const before = read.calls.length
  const body = "x".repeat(6 * 1_048_576 + 1)
  const answer = await edge.get("/api/v1/outcomes", "hs_token", { method: "POST", body })
  expect([answer.status, ((await answer.json()) as { code: string }).code]).toEqual([413, "BODY_TOO_LARGE"])
  expect(read.calls.length).toBe(before)
})

test("a function takes the caller's token beside the signature from the edge, and from nobody else", () => {
  const called = (headers: Record<string, string>) =>
    asCalled({ headers } as unknown as FunctionUrlEvent, EDGE_SECRET).headers.authorization
  const signed = { authorization: "AWS4-HMAC-SHA256 …", "hotswap-authorization": "Bearer callers" }
  expect(called({ ...signed, "hotswap-edge": EDGE_SECRET })).toBe("Bearer callers")
  expect(called({ authorization: signed.authorization, "hotswap-edge": EDGE_SECRET })).toBeUndefined()
  expect(called({ ...signed, "hotswap-edge": "guessed" })).toBe(signed.authorization)
  expect(called({ ...signed, authorization: "Bearer own", "hotswap-edge": EDGE_SECRET })).toBe("Bearer own")
  // AWS may have kept the signature for itself.
  const callers = { "hotswap-authorization": "Bearer callers" }
  expect(called({ ...callers, "hotswap-edge": EDGE_SECRET })).toBe("Bearer callers")
  expect(called({ ...callers, "hotswap-edge": "guessed" })).toBeUndefined()
})

test("while the edge's secret is being renewed a function believes who shows the next or the last one", () => {
  const believed = (given: string, secret: string | null) =>
    isEdge({ headers: { "hotswap-edge": given } } as unknown as FunctionUrlEvent, secret)
  for (const given of ["the-next-one", "the-last-one"])
    expect(believed(given, "the-next-one,the-last-one")).toBe(true)
  for (const given of ["", ",", "the-next-one,the-last-one", "the-next-one,", "the-first-one"])
    expect(believed(given, "the-next-one,the-last-one"), given).toBe(false)
  for (const secret of ["", ",", null]) expect(believed("", secret)).toBe(false)
})
