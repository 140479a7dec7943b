import { OFREPProvider } from "@openfeature/ofrep-provider"
import { type Client, OpenFeature } from "@openfeature/server-sdk"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { type RunningHotswap, removeHome, startHotswap } from "../support/hotswap.ts"
import { createFlagTenant } from "./ofrep-world.ts"

// The official packages as they are, over HTTP.

let hotswap: RunningHotswap
let acme: Awaited<ReturnType<typeof createFlagTenant>>

beforeAll(async () => {
  hotswap = await startHotswap()
  acme = await createFlagTenant(hotswap, "acme")
}, 90_000)
afterAll(async () => {
  await OpenFeature.close()
  await hotswap?.kill("group")
  if (hotswap) await removeHome(hotswap.home)
})

const bearer = (token: string): [string, string][] => [["Authorization", `Bearer ${token}`]]

const roads = [
  { through: "the edge", baseUrl: () => hotswap.url },
  { through: "the read function itself", baseUrl: () => hotswap.originUrl },
]

describe.each(roads)("through $through the official client", ({ through, baseUrl }) => {
  const clientWith = async (name: string, token: string): Promise<Client> => {
    const domain = `${through}: ${name}`
    await OpenFeature.setProviderAndWait(
      domain,
      new OFREPProvider({ baseUrl: baseUrl(), headers: bearer(token) }),
    )
    return OpenFeature.getClient(domain)
  }

  test("reads flags of every type, as their rules decide", async () => {
    const client = await clientWith("types", acme.token)
    const beta = { targetingKey: "ada", beta: true }
    expect(await client.getBooleanDetails("new-ui", false, beta)).toMatchObject({
      value: true,
      variant: "on",
      reason: "TARGETING_MATCH",
      flagMetadata: { team: "growth", sprint: 7 },
    })
    expect(await client.getBooleanDetails("new-ui", true, { targetingKey: "ada" })).toMatchObject({
      value: false,
      reason: "DEFAULT",
    })
    expect(await client.getStringDetails("greeting", "?")).toMatchObject({
      value: "good morning",
      variant: "long",
      reason: "STATIC",
    })
    expect(await client.getNumberValue("page-size", 0)).toBe(20)
    expect(await client.getNumberValue("ratio", 0)).toBe(0.5)
    expect(await client.getObjectValue("theme", {})).toEqual({ colour: "#111", sizes: [1, 2] })
  })

  test("keeps its own default for a flag of another type, an unknown one, a disabled one, and a config that is none", async () => {
    const client = await clientWith("defaults", acme.token)
    expect(await client.getNumberDetails("greeting", 7)).toMatchObject({
      value: 7,
      reason: "ERROR",
      errorCode: "TYPE_MISMATCH",
    })
    for (const key of ["unknown", "plain", "not/a key", "..%2f"])
      expect(await client.getStringDetails(key, "mine"), key).toMatchObject({
        value: "mine",
        errorCode: "FLAG_NOT_FOUND",
      })
    expect(await client.getBooleanValue("gone", true)).toBe(true)
    expect(await client.getBooleanValue("gone", false)).toBe(false)
  })

  test("has half of all entities on one side, each always on the same, and nobody in particular on neither", async () => {
    const client = await clientWith("percentage", acme.token)
    const sides = await Promise.all(
      Array.from({ length: 100 }, (_, n) =>
        client.getBooleanValue("half", false, { targetingKey: `user-${n}` }),
      ),
    )
    const on = sides.filter(Boolean).length
    expect(on).toBeGreaterThan(25)
    expect(on).toBeLessThan(75)
    expect(await client.getBooleanDetails("half", true)).toMatchObject({ value: false, reason: "DEFAULT" })
  })

  test("is told when its token is none, and falls back to its default", async () => {
    const client = await clientWith("stranger", "hsr_nonsense")
    expect(await client.getBooleanDetails("new-ui", true)).toMatchObject({ value: true, reason: "ERROR" })
  })

  test("is not told again of all flags at once what it has, but if somebody else asks it is", async () => {
    const bulk = (context: unknown, etag = "") =>
      fetch(`${baseUrl()}/ofrep/v1/evaluate/flags`, {
        method: "POST",
        headers: { ...Object.fromEntries(bearer(acme.token)), ...(etag && { "if-none-match": etag }) },
        body: JSON.stringify({ context }),
      })
    const ada = { targetingKey: "ada", beta: true }
    const first = await bulk(ada)
    const { flags } = (await first.json()) as { flags: { key: string }[] }
    expect(flags.map(({ key }) => key)).toEqual([
      "gone",
      "greeting",
      "half",
      "new-ui",
      "page-size",
      "ratio",
      "theme",
    ])
    expect(flags[0]).toEqual({ key: "gone", reason: "DISABLED" })
    expect(flags[3]).toEqual({
      key: "new-ui",
      value: true,
      reason: "TARGETING_MATCH",
      variant: "on",
      metadata: { team: "growth", sprint: 7 },
    })
    const etag = first.headers.get("etag")!
    const again = await bulk({ beta: true, targetingKey: "ada" }, etag)
    expect([again.status, await again.text(), again.headers.get("etag")]).toEqual([304, "", etag])
    for (const other of [{ targetingKey: "ada" }, { targetingKey: "bob", beta: true }])
      expect((await bulk(other, etag)).status).toBe(200)
  })
})
