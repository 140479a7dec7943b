import { ErrorCode, OpenFeature, ProviderEvents, ProviderStatus } from "@openfeature/web-sdk"
import { afterEach, describe, expect, test } from "vitest"
import { HotswapWebProvider, type HotswapWebProviderOptions } from "../../../sdk/src/providers/web.ts"
import { bulkService } from "./bulk-service.ts"
import { asksOf, CONTEXT, memory, PATIENTLY, started } from "./page.ts"

// What goes wrong here is meant to.
const silent = () => undefined
OpenFeature.setLogger({ error: silent, warn: silent, info: silent, debug: silent })

afterEach(async () => {
  await OpenFeature.clearProviders()
  await OpenFeature.clearContexts()
})

describe("who somebody is", () => {
  const forWhom = { who: ({ targetingKey }: { targetingKey: string }) => targetingKey }

  test("decides what is served", async () => {
    const service = bulkService(forWhom)
    const { client, names } = await started(service, { pollMs: 600_000 })
    expect(client.getStringValue("who", "")).toBe("user-1")
    await OpenFeature.setContext("page", { targetingKey: "user-2", at: new Date("2026-11-21") })
    expect(client.getStringValue("who", "")).toBe("user-2")
    expect(service.asked.at(-1)!.context).toEqual({ targetingKey: "user-2", at: "2026-11-21T00:00:00.000Z" })
    const { Ready, Reconciling, ContextChanged } = ProviderEvents
    expect(names()).toEqual([Ready, Reconciling, ContextChanged])
  })

  test.each([false, true])(
    "is who was named last, in whatever order answers come (late: %s)",
    async (isDeaf) => {
      const service = bulkService(forWhom)
      const { client, names } = await started(service, { pollMs: 600_000 })
      service.isDeaf = isDeaf
      const held: (() => void)[] = []
      service.before = () => new Promise<void>((resolve) => void held.push(resolve))
      const changes = ["user-2", "user-3"].map((targetingKey) =>
        OpenFeature.setContext("page", { targetingKey }),
      )
      expect(held.length).toBe(2)
      held[1]!()
      await changes[1]
      held[0]!()
      await changes[0]
      expect(client.getStringValue("who", "")).toBe("user-3")
      expect(names().filter((name) => name === ProviderEvents.ContextChanged).length).toBe(1)
      expect(names()).not.toContain(ProviderEvents.Error)
    },
  )

  test("is served nothing older for having changed: of two first answers the newer one stands", async () => {
    const service = bulkService({ n: 1 })
    const { client } = await started(service)
    const late = Promise.withResolvers<void>()
    service.before = () => {
      service.before = () => undefined
      return late.promise
    }
    service.answer = { revision: "1.0.0.5", flags: { n: 5 } }
    const change = OpenFeature.setContext("page", { targetingKey: "user-2" })
    // Asked meanwhile in its own time, of a service that has moved on.
    await expect.poll(() => client.getNumberValue("n", 0), PATIENTLY).toBe(5)
    service.answer = { revision: "1.0.0.4", flags: { n: 4 } }
    late.resolve()
    await change
    expect(client.getNumberValue("n", 0)).toBe(5)
  })

  test("is told once, whoever asked first", async () => {
    const service = bulkService(forWhom)
    const { names } = await started(service)
    let release: () => void = () => undefined
    service.before = () => {
      service.before = () => undefined
      return new Promise<void>((resolve) => {
        release = resolve
      })
    }
    const change = OpenFeature.setContext("page", { targetingKey: "user-2" })
    await asksOf(service, 5)
    expect(names()).not.toContain(ProviderEvents.ConfigurationChanged)
    release()
    await change
    expect(names().at(-1)).toBe(ProviderEvents.ContextChanged)
  })

  test("never gets what was meant for somebody else", async () => {
    const service = bulkService(forWhom)
    const { client, names } = await started(service, { pollMs: 600_000 })
    const { answer } = service
    service.answer = null
    await OpenFeature.setContext("page", { targetingKey: "user-2" })
    expect(names()).toContain(ProviderEvents.Error)
    expect(client.getStringDetails("who", "nobody")).toMatchObject({
      value: "nobody",
      errorCode: ErrorCode.PROVIDER_NOT_READY,
    })
    service.answer = answer
    await expect.poll(() => client.getStringValue("who", ""), PATIENTLY).toBe("user-2")
    expect(client.providerStatus).toBe(ProviderStatus.READY)
    expect(names().at(-1)).toBe(ProviderEvents.ConfigurationChanged)
  })

  test("may change in what else there is to know, and keeps the last answer meanwhile", async () => {
    const service = bulkService(forWhom)
    const { client } = await started(service)
    service.answer = null
    await OpenFeature.setContext("page", { ...CONTEXT, page: "/basket" })
    expect(client.providerStatus).toBe(ProviderStatus.ERROR)
    expect(client.getStringValue("who", "")).toBe("user-1")
  })

  test("is said to be no context when it is none", async () => {
    const service = bulkService(forWhom)
    const { names, heard } = await started(service)
    const { length } = service.asked
    await OpenFeature.setContext("page", { targetingKey: "user-2", at: new Date(Number.NaN) })
    expect(names()).toContain(ProviderEvents.Error)
    expect(heard.at(-1)![1].message).toContain("a date that is none")
    expect(service.asked.slice(length).every(({ context }) => context.targetingKey === "user-1")).toBe(true)
  })
})

describe("a start", () => {
  test("without the service is served from the last visit, and then by the service", async () => {
    const [service, storage] = [bulkService({ a: "yesterday" }), memory()]
    await started(service, { storage, pollMs: 600_000 })
    await OpenFeature.clearProviders()
    service.answer = null
    const { client, names } = await started(service, { storage, timeoutMs: 1_000 })
    expect(client.getStringDetails("a", "")).toMatchObject({ value: "yesterday", reason: "CACHED" })
    service.answer = { revision: "1.0.0.1", flags: { a: "yesterday" } }
    await expect.poll(() => client.getStringDetails("a", "").reason, PATIENTLY).toBe("STATIC")
    service.answer = { revision: "1.0.0.2", flags: { a: "today" } }
    await expect
      .poll(() => client.getStringDetails("a", ""), PATIENTLY)
      .toMatchObject({
        ...{ value: "today", reason: "STATIC" },
      })
    expect(names().at(-1)).toBe(ProviderEvents.ConfigurationChanged)
    expect([...storage.kept.values()].join()).not.toContain("user-1")
  })

  test.each<[string, (storage: ReturnType<typeof memory>) => Partial<HotswapWebProviderOptions>]>([
    ["nothing is kept", () => ({})],
    ["it was of another token", (storage) => ({ storage, token: "another" })],
    ["it was of another tenant", (storage) => ({ storage, tenantId: "other" })],
    [
      "what is kept is damaged",
      (storage) => {
        for (const [key, text] of storage.kept) storage.kept.set(key, text.slice(0, -9))
        return { storage }
      },
    ],
    [
      "what is kept is of another kind",
      (storage) => {
        for (const [key] of storage.kept) storage.kept.set(key, '{"format":99}')
        return { storage }
      },
    ],
    [
      "what is kept is too old",
      (storage) => {
        for (const [key, text] of storage.kept) storage.kept.set(key, text.replace(/"at":\d+/, '"at":1'))
        return { storage }
      },
    ],
    [
      "the storage is forbidden",
      () => ({
        storage: {
          getItem: () => {
            throw new Error("no")
          },
          setItem: () => {
            throw new Error("no")
          },
        },
      }),
    ],
  ])("fails where nothing can be served: %s; and is ready once it can", async (_, options) => {
    const [service, storage] = [bulkService({ a: true }), memory()]
    await started(service, { storage, pollMs: 600_000 })
    await OpenFeature.clearProviders()
    const { answer } = service
    service.answer = null
    const { client, failure, names } = await started(service, options(storage))
    expect(failure?.code).toBe(ErrorCode.GENERAL)
    expect(client.getBooleanDetails("a", false).errorCode).toBe(ErrorCode.PROVIDER_NOT_READY)
    service.answer = answer
    await expect.poll(() => client.getBooleanValue("a", false), PATIENTLY).toBe(true)
    expect(names()).toContain(ProviderEvents.Ready)
  })

  test("as somebody else is not served from the last visit", async () => {
    const [service, storage] = [bulkService({ a: true }), memory()]
    const { provider } = await started(service, { storage, pollMs: 600_000 })
    await provider.onClose()
    service.answer = null
    await expect(provider.initialize({ targetingKey: "user-2" })).rejects.toThrow("cannot be reached")
    await provider.onClose()
    await provider.initialize(CONTEXT)
    expect(provider.resolveBooleanEvaluation("a", false)).toMatchObject({ value: true, reason: "CACHED" })
    await provider.onClose()
  })

  test.each([401, 403])("with a token that is refused (%i) is fatal, whatever is kept", async (status) => {
    const [service, storage] = [bulkService({ a: true }), memory()]
    await started(service, { storage, pollMs: 600_000 })
    await OpenFeature.clearProviders()
    service.answer = { status }
    const { failure, client } = await started(service, { storage })
    expect(failure?.code).toBe(ErrorCode.PROVIDER_FATAL)
    expect(client.providerStatus).toBe(ProviderStatus.FATAL)
  })

  test("that is given up ends", async () => {
    const service = bulkService({ a: true })
    service.before = () => new Promise(() => undefined)
    const provider = new HotswapWebProvider({
      ...{ url: "http://hotswap.test", token: "t", storage: null },
      fetch: (input, init) =>
        Promise.race([
          service.fetch(input, init),
          new Promise<never>((_, reject) =>
            init!.signal!.addEventListener("abort", () => reject(init!.signal!.reason)),
          ),
        ]),
    })
    const initialised = expect(provider.initialize(CONTEXT)).rejects.toThrow("closed")
    await provider.onClose()
    await provider.onClose()
    await initialised
  })
})
