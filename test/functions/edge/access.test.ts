import { afterAll, beforeAll, describe, expect, test } from "vitest"
import type { TenantId } from "../../../core/ids.ts"
import type { ReaderKeys, RunningEdge } from "../../support/edge.ts"
import { createReaderKeys, PATIENTLY, startEdge } from "../../support/edge.ts"
import { type ScriptedOrigin, startOrigin } from "../../support/scripted-origin.ts"

let origin: ScriptedOrigin
let edge: RunningEdge
let keys: ReaderKeys

beforeAll(async () => {
  origin = await startOrigin()
  keys = await createReaderKeys()
  edge = await startEdge({ origin: origin.url, jwks: keys.jwks })
})
afterAll(async () => {
  await edge?.dispose()
  await origin?.close()
})

const read = async (token: string, tenantId = "acme", query = "") =>
  await edge.get(`/api/v1/configs/tenant/${tenantId}${query}`, token)

const refusal = async (response: Response) => {
  const body = (await response.json()) as Record<string, unknown>
  expect(response.headers.get("content-type")).toBe("application/problem+json; charset=utf-8")
  expect(response.headers.get("cache-control")).toBe("no-store")
  expect(body.instance).toBe(response.headers.get("hotswap-request-id"))
  return { status: response.status, code: body.code, detail: body.detail }
}

const only = (tenantId: string) => ({ tenants: [tenantId as TenantId] })
const spoilt = (token: string, part: number): string => {
  const parts = token.split(".")
  const text = parts[part]!
  const middle = Math.floor(text.length / 2)
  parts[part] = text.slice(0, middle) + (text[middle] === "A" ? "B" : "A") + text.slice(middle + 1)
  return parts.join(".")
}

describe("a reader token", () => {
  test("is refused when its signature, its claims or its time are not right, without asking the origin", async () => {
    origin.says()
    const good = await keys.issue()
    const now = Math.floor(Date.now() / 1_000)
    const impostor = await createReaderKeys("reader-1")
    const before = origin.calls.length
    for (const token of [
      spoilt(good, 1),
      spoilt(good, 2),
      `${good.split(".").slice(0, 2).join(".")}.`,
      "hsr_",
      "hsr_a.b.c",
      await impostor.issue(),
      await keys.issue({ expiresAt: now - 1 }),
      await keys.issue({ tokenId: "nobody" as never }),
      await keys.issue({ tenants: "acme" as never }),
    ])
      expect(await refusal(await read(token))).toMatchObject({ status: 401, code: "UNAUTHENTICATED" })
    expect(origin.calls.length).toBe(before)
    expect((await read(good)).status).toBe(200)
  })

  test("is refused when it says that it needs no signature", async () => {
    const [, claims] = (await keys.issue()).split(".")
    const header = Buffer.from('{"alg":"none","kid":"reader-1","typ":"hotswap-reader+jwt"}').toString(
      "base64url",
    )
    expect((await read(`hsr_${header}.${claims}.`)).status).toBe(401)
  })

  test("signed with a key that the edge does not know yet is the origin's to judge", async () => {
    const rotated = await createReaderKeys("reader-2")
    expect(await (await read(await rotated.issue())).json()).toMatchObject({
      forwarded: "/api/v1/configs/tenant/acme",
    })
  })

  test("of another tenant gets what a tenant that never was gets, to the byte", async () => {
    origin.says({ tenantId: "globex", configs: { secret: "theirs" } })
    const before = origin.calls.length
    const mine = await keys.issue(only("acme"))
    const other = await refusal(await read(mine, "globex"))
    expect(other).toEqual({ status: 404, code: "TENANT_NOT_FOUND", detail: 'There is no tenant "globex".' })
    expect(origin.calls.length).toBe(before)
    const never = await refusal(await read(await keys.issue(), "never-was"))
    expect(never).toEqual({ ...other, detail: 'There is no tenant "never-was".' })
  })

  test("reads no environment but its own", async () => {
    const token = await keys.issue()
    expect(await refusal(await read(token, "acme", "?environment=Staging"))).toMatchObject({
      status: 403,
      code: "FORBIDDEN",
    })
  })

  test("that the pointer names as revoked is refused, also where only the time of reading is newer", async () => {
    const tokenId = "acme:tok_00000000000070008000000000000007"
    const token = await keys.issue({ tokenId: tokenId as never, ...only("revoking") })
    const other = await keys.issue(only("revoking"))
    origin.says({ tenantId: "revoking", ageMs: 14_000 })
    expect((await read(token, "revoking")).status).toBe(200)
    origin.says({ tenantId: "revoking", revoked: [tokenId] })
    // The answer to this one is still the old one; the refresh goes on behind it.
    await read(token, "revoking")
    await expect.poll(async () => (await read(token, "revoking")).status, PATIENTLY).toBe(401)
    expect((await read(other, "revoking")).status).toBe(200)
  })

  test("of a suspended tenant is refused", async () => {
    origin.says({ tenantId: "suspended", status: "suspended" })
    expect(await refusal(await read(await keys.issue(), "suspended"))).toMatchObject({
      status: 403,
      code: "TENANT_SUSPENDED",
    })
  })

  test("of many tenants reads those it names and no others", async () => {
    for (const tenantId of ["one", "two", "three"]) origin.says({ tenantId, configs: { of: tenantId } })
    const token = await keys.issue({ tenants: ["one", "two"] as never })
    expect(await (await read(token, "one")).json()).toMatchObject({ configs: { of: "one" } })
    expect(await (await read(token, "two")).json()).toMatchObject({ configs: { of: "two" } })
    expect((await read(token, "three")).status).toBe(404)
  })
})

describe("any other bearer", () => {
  test.each(["hs_acme_0123_abc", "eyJhbGciOiJFZERTQSJ9.e30.x", "start-up"])(
    "%s is forwarded to the read function, each time",
    async (token) => {
      const before = origin.calls.length
      for (let i = 0; i < 2; i++) expect(await (await read(token)).json()).toHaveProperty("forwarded")
      expect(origin.calls.slice(before).map(({ headers }) => headers.authorization)).toEqual([
        `Bearer ${token}`,
        `Bearer ${token}`,
      ])
    },
  )

  test("none at all is forwarded too", async () => {
    expect(await (await edge.get("/api/v1/configs/tenant/acme")).json()).toHaveProperty("forwarded")
  })
})
