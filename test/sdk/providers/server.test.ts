import {
  ErrorCode,
  type EvaluationContext,
  type JsonValue,
  OpenFeature,
  ProviderEvents,
  ProviderStatus,
} from "@openfeature/server-sdk"
import { afterEach, describe, expect, test, vi } from "vitest"
import { HotswapProvider } from "../../../sdk/src/providers/server.ts"
import { GOLDEN_SECONDS, GOLDEN_VIEWS, type GoldenCase } from "../../golden/golden.ts"
import { BOOLEAN, scriptedService } from "./service.ts"

afterEach(async () => {
  await OpenFeature.clearProviders()
  vi.useRealTimers()
})

const opened = async (service = scriptedService(), domain = "acme") => {
  const hotswap = service.client()
  await OpenFeature.setProviderAndWait(domain, new HotswapProvider(hotswap))
  return { hotswap, client: OpenFeature.getClient(domain) }
}

describe("the golden cases come to the same through OpenFeature", () => {
  const isFlat = (value: unknown) => ["string", "number", "boolean"].includes(typeof value)
  const told = ({ expected }: GoldenCase, fallback: JsonValue) => ({
    value: expected.value ?? fallback,
    reason: expected.reason,
    variant: expected.variant,
    errorCode: expected.errorCode,
    flagMetadata: Object.fromEntries(
      Object.entries(expected.metadata ?? {}).filter(([, each]) => isFlat(each)),
    ),
  })

  test.each(GOLDEN_VIEWS)("$of", async ({ configs, cases }) => {
    vi.useFakeTimers({ now: GOLDEN_SECONDS * 1_000, toFake: ["Date"] })
    const { client } = await opened(scriptedService(configs))
    for (const each of cases) {
      const { value = true } = each.expected
      const context = each.context as Record<string, JsonValue>
      const ask = {
        boolean: () => client.getBooleanDetails(each.flag, false, context),
        string: () => client.getStringDetails(each.flag, "", context),
        number: () => client.getNumberDetails(each.flag, -1, context),
        object: () => client.getObjectDetails(each.flag, {}, context),
      }[typeof value as "boolean"]
      const { errorMessage, flagKey, variant, errorCode, ...details } = await ask()
      expect({ ...details, variant, errorCode }, each.name).toEqual(told(each, false))
      expect(flagKey).toBe(each.flag)
      expect(errorMessage === undefined, each.name).toBe(each.expected.errorCode === undefined)
    }
  })
})

describe("what the application hands in", () => {
  const asking = (attribute: string, value: JsonValue) => ({
    ...BOOLEAN,
    defaultVariant: "off",
    targeting: { if: [{ "==": [{ var: attribute }, value] }, "on", "off"] },
  })

  test.each<[string, JsonValue, EvaluationContext, string?]>([
    ["a date is its ISO text", "2026-11-21T00:00:00.000Z", { at: new Date("2026-11-21") }],
    ["a date within is, too", "2026-11-21T00:00:00.000Z", { at: [new Date("2026-11-21")] }, "at.0"],
    ["what is undefined is not there", null, { at: undefined } as unknown as EvaluationContext],
    ["no number is nothing", null, { at: Number.NaN }],
    ["a list keeps its places", 2, { at: [undefined as never, 2] }, "at.1"],
    ["a name is no way to the prototype", null, JSON.parse('{"__proto__": {"at": 1}}')],
    ["functions are not there", null, { at: (() => 1) as unknown as string, x: {} }],
  ])("%s", async (_, expected, context, path = "at") => {
    const { client } = await opened(scriptedService({ flag: asking(path, expected) }))
    expect(await client.getBooleanValue("flag", false, context)).toBe(true)
  })

  const nested = (depth: number): JsonValue => (depth === 0 ? "deep" : { a: nested(depth - 1) })
  const circle: Record<string, JsonValue> = {}
  circle.a = circle
  const list: JsonValue[] = []
  list.push(list)

  test.each([
    ["1,000 deep", { a: nested(1_000) }],
    ["in a circle", circle],
    ["a circle of lists", { a: list }],
    ["1 MB in one text", { a: "x".repeat(1_000_000) }],
    ["1 MB in many", { a: Array.from({ length: 10_000 }, () => "x".repeat(100)) }],
    [
      "a great many names",
      Object.fromEntries(Array.from({ length: 20_000 }, (_, n) => [`attribute-${n}`, true])),
    ],
    ["a date that is none", { a: new Date(Number.NaN) }],
    ["a bigint", { a: 1n as unknown as number }],
  ])("a context that no service would take is said to be one: %s", async (_, context) => {
    const { client } = await opened(scriptedService({ flag: BOOLEAN }))
    expect(await client.getBooleanDetails("flag", false, context)).toMatchObject({
      value: false,
      reason: "ERROR",
      errorCode: ErrorCode.INVALID_CONTEXT,
    })
    expect(await client.getBooleanValue("flag", false, { a: nested(60), b: "x".repeat(200_000) })).toBe(true)
  })

  test("a default of another type is handed back, and the mistake named", async () => {
    const { client } = await opened(scriptedService({ flag: BOOLEAN }))
    const wrong = "on" as unknown as boolean
    expect(await client.getBooleanDetails("flag", wrong)).toMatchObject({
      value: "on",
      errorCode: ErrorCode.TYPE_MISMATCH,
    })
    expect(await client.getObjectDetails("flag", "on")).toMatchObject({ errorCode: ErrorCode.TYPE_MISMATCH })
  })

  test("the arm of a rollout is the subject's, as for the client itself", async () => {
    const service = scriptedService({ flag: BOOLEAN })
    const bootstrap = {
      ...{ tenantId: "acme-corp", environment: "Production", revision: "1.0.0.9", view: "v" },
      configs: { flag: BOOLEAN },
      candidate: {
        ...{ view: "c", changeId: "chg_1", step: 0, weightBp: 5_000, unset: [] },
        set: { flag: { ...BOOLEAN, defaultVariant: "off" } },
      },
    }
    const hotswap = service.client({ bootstrap })
    await OpenFeature.setProviderAndWait("acme", new HotswapProvider(hotswap))
    const client = OpenFeature.getClient("acme")
    const arms = new Set<string>()
    for (let subject = 0; subject < 50; subject++) {
      const targetingKey = `user-${subject}`
      const { arm } = hotswap.view(targetingKey)
      arms.add(arm)
      expect(await client.getBooleanValue("flag", false, { targetingKey })).toBe(arm === "stable")
    }
    expect(arms.size).toBe(2)
  })
})

describe("whoever has the provider", () => {
  test("hears that the token is refused without waiting, and is served once it is not", async () => {
    const service = scriptedService({ flag: BOOLEAN })
    service.status = 401
    const hotswap = service.client()
    const provider = new HotswapProvider(hotswap, { readyTimeoutMs: 600_000 })
    await expect(OpenFeature.setProviderAndWait("acme", provider)).rejects.toMatchObject({
      code: ErrorCode.PROVIDER_FATAL,
    })
    const client = OpenFeature.getClient("acme")
    expect(client.providerStatus).toBe(ProviderStatus.FATAL)
    expect(await client.getBooleanDetails("flag", false)).toMatchObject({
      errorCode: ErrorCode.PROVIDER_FATAL,
    })
    service.status = 200
    await hotswap.reload()
    expect(client.providerStatus).toBe(ProviderStatus.READY)
    expect(await client.getBooleanValue("flag", false)).toBe(true)
  })

  test("is told that the service says no, while what there was goes on", async () => {
    const service = scriptedService({ flag: BOOLEAN })
    const { hotswap, client } = await opened(service)
    service.status = 403
    while (client.providerStatus === ProviderStatus.READY) await hotswap.reload().catch(() => undefined)
    expect(client.providerStatus).toBe(ProviderStatus.ERROR)
    expect(await client.getBooleanValue("flag", false)).toBe(true)
    service.status = 200
    await hotswap.reload()
    expect(client.providerStatus).toBe(ProviderStatus.READY)
  })

  test("hears of flags, and not of other configs", async () => {
    const service = scriptedService({ flag: BOOLEAN, other: BOOLEAN, text: "a" })
    const { hotswap, client } = await opened(service)
    const heard: (string[] | undefined)[] = []
    client.addHandler(
      ProviderEvents.ConfigurationChanged,
      (details) => void heard.push(details?.flagsChanged),
    )
    service.publish({ flag: BOOLEAN, other: BOOLEAN, text: "b" })
    await hotswap.reload()
    service.publish({ flag: { ...BOOLEAN, state: "DISABLED" }, text: "c", more: BOOLEAN })
    await hotswap.reload()
    expect(heard.map((keys) => keys?.sort())).toEqual([["flag", "more", "other"]])
  })

  test("may go on using a client that is told to be kept", async () => {
    const service = scriptedService({ flag: BOOLEAN })
    const hotswap = service.client()
    const provider = new HotswapProvider(hotswap, { closesClient: false })
    await OpenFeature.setProviderAndWait("acme", provider)
    await provider.onClose()
    const heard: unknown[] = []
    provider.events.addHandler(ProviderEvents.ConfigurationChanged, (details) => void heard.push(details))
    service.publish({ flag: { ...BOOLEAN, defaultVariant: "off" } })
    await hotswap.reload()
    expect(hotswap.isEnabled("flag")).toBe(false)
    expect(heard).toEqual([])
    await provider.initialize()
    service.publish({ flag: BOOLEAN })
    await hotswap.reload()
    expect(heard).toEqual([{ flagsChanged: ["flag"] }])
    await hotswap.close()
  })

  test("may close it before it is ready, whosever the client is", async () => {
    const service = scriptedService()
    service.status = 500
    const hotswap = service.client()
    const provider = new HotswapProvider(hotswap, { closesClient: false, readyTimeoutMs: 600_000 })
    const initialised = expect(provider.initialize()).rejects.toThrow("The provider was closed.")
    await provider.onClose()
    await initialised
    await hotswap.close()
  })
})
