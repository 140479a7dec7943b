import { ErrorCode, OpenFeature, ProviderEvents, ProviderStatus } from "@openfeature/web-sdk"
import { afterEach, describe, expect, test } from "vitest"
import { HotswapWebProvider } from "../../../sdk/src/providers/web.ts"
import { bulkService } from "./bulk-service.ts"
import { asksOf, CONTEXT, PATIENTLY, started } from "./page.ts"

// What goes wrong here is meant to.
const silent = () => undefined
OpenFeature.setLogger({ error: silent, warn: silent, info: silent, debug: silent })

afterEach(async () => {
  await OpenFeature.clearProviders()
  await OpenFeature.clearContexts()
})

describe("a page", () => {
  test("is served what was answered, without waiting", async () => {
    const service = bulkService({ new: true, text: "a", number: 2, object: { a: [1] } })
    const { client } = await started(service, { tenantId: "acme-corp" })
    expect(client.getBooleanDetails("new", false)).toMatchObject({
      value: true,
      variant: "v",
      reason: "STATIC",
    })
    expect(client.getStringValue("text", "")).toBe("a")
    expect(client.getNumberValue("number", 0)).toBe(2)
    expect(client.getObjectValue("object", {})).toEqual({ a: [1] })
    expect(client.getBooleanDetails("nowhere", true)).toMatchObject({
      value: true,
      errorCode: ErrorCode.FLAG_NOT_FOUND,
    })
    expect(client.getStringDetails("new", "x")).toMatchObject({
      value: "x",
      errorCode: ErrorCode.TYPE_MISMATCH,
    })
    const [first] = service.asked
    expect(first!.context).toEqual(CONTEXT)
    expect(first!.headers.get("authorization")).toBe("Bearer token")
    expect(first!.headers.get("x-tenant-id")).toBe("acme-corp")
  })

  test("is told which flags have changed, and asks no more than it has to", async () => {
    const service = bulkService({ a: 1, b: 1, c: 1 })
    const { client, heard } = await started(service)
    await asksOf(service)
    expect(service.asked.at(-1)!.headers.get("if-none-match")).toMatch(/^"1\.0\.0\.1 /)
    expect(heard.slice(1)).toEqual([])
    service.answer = { revision: "1.0.0.2", flags: { a: 1, b: 2, d: 1 } }
    await expect.poll(() => heard.length, PATIENTLY).toBe(2)
    const [name, details] = heard[1]!
    expect(name).toBe(ProviderEvents.ConfigurationChanged)
    expect((details as { flagsChanged: string[] }).flagsChanged.sort()).toEqual(["b", "c", "d"])
    expect(client.getNumberValue("b", 0)).toBe(2)
  })

  test("never goes back to an older revision", async () => {
    const service = bulkService({ n: 0 })
    const { client } = await started(service)
    const seen: number[] = []
    client.addHandler(
      ProviderEvents.ConfigurationChanged,
      () => void seen.push(client.getNumberValue("n", -1)),
    )
    for (const [revision, n] of [
      ["1.0.0.5", 5],
      ["1.0.0.4", 4],
      ["1.1.0.3", 3],
      ["1.1.0.5", 6],
      ["0.9.9.9", 9],
    ] as const) {
      service.answer = { revision, flags: { n } }
      await asksOf(service)
    }
    expect(seen).toEqual([5, 6])
  })

  test("is told that what it has grows old, and that it is right again", async () => {
    const service = bulkService({ a: true })
    const { client, names } = await started(service)
    const { answer } = service
    service.answer = null
    const { Ready, Stale } = ProviderEvents
    await expect.poll(names, PATIENTLY).toEqual([Ready, Stale])
    expect(client.getBooleanValue("a", false)).toBe(true)
    service.answer = answer
    await expect.poll(names, PATIENTLY).toEqual([Ready, Stale, Ready])
    expect(client.providerStatus).toBe(ProviderStatus.READY)
  })

  test.each([
    ["no JSON", "<html>"],
    ["no flags", "{}"],
    ["null", "null"],
    ["flags that are none", '{"flags": {"a": 1}}'],
  ])("keeps what it has when the answer is nonsense: %s", async (_, text) => {
    const service = bulkService({ a: true })
    const { client, names } = await started(service)
    service.answer = { revision: "1.0.0.2", text }
    await expect.poll(names, PATIENTLY).toContain(ProviderEvents.Stale)
    expect(client.getBooleanValue("a", false)).toBe(true)
  })

  test("takes the other flags where one is odd", async () => {
    const service = bulkService()
    service.answer = {
      revision: "1.0.0.1",
      text: JSON.stringify({
        flags: [
          null,
          1,
          {},
          { key: 2 },
          { key: "broken", errorCode: "PARSE_ERROR", errorDetails: "no" },
          { key: "open", reason: "DEFAULT" },
          { key: "good", value: true },
        ],
        eventStreams: [null, { type: "sse" }, { type: "carrier pigeon", url: "http://x" }],
      }),
    }
    const { client } = await started(service)
    expect(client.getBooleanDetails("good", false)).toMatchObject({ value: true, reason: "UNKNOWN" })
    expect(client.getBooleanDetails("open", true)).toMatchObject({ value: true, reason: "DEFAULT" })
    expect(client.getBooleanDetails("broken", true)).toMatchObject({
      ...{ value: true, errorCode: ErrorCode.PARSE_ERROR, errorMessage: "no" },
    })
  })

  test("does not come back before it is asked to", async () => {
    const service = bulkService({ a: true })
    const { names } = await started(service)
    service.answer = { status: 429, headers: { "retry-after": "3600" } }
    await expect.poll(names, PATIENTLY).toContain(ProviderEvents.Stale)
    const { length } = service.asked
    service.answer = { revision: "1.0.0.2", flags: {} }
    const other = bulkService({ a: true })
    const meanwhile = new HotswapWebProvider({
      ...{ url: "http://hotswap.test", token: "t", pollMs: 1, storage: null, fetch: other.fetch },
    })
    await meanwhile.initialize()
    await asksOf(other, 50)
    await meanwhile.onClose()
    expect(service.asked.length).toBe(length)
  })
})
