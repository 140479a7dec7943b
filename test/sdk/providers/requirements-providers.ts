import {
  ErrorCode,
  type JsonValue,
  OpenFeature,
  type Provider,
  ProviderEvents,
  ProviderStatus,
  type ResolutionDetails,
} from "@openfeature/server-sdk"
import { expect } from "vitest"
import { CONTEXT, names, type Shown, world } from "./requirements-world.ts"

/** Section 2: https://github.com/open-feature/spec/blob/main/specification/sections/02-providers.md */
export const PROVIDERS: Shown[] = [
  [
    "2.1.1",
    "it has a name",
    async () => {
      expect((await world()).provider.metadata.name).toBe("hotswap")
    },
  ],
  [
    "2.2.1",
    "flags are resolved from a key, a default and a context",
    async () => {
      const { provider } = await world()
      expect(await provider.resolveBooleanEvaluation("rule", false, { vip: true })).toMatchObject({
        value: true,
      })
      expect(await provider.resolveBooleanEvaluation("rule", true, { vip: false })).toMatchObject({
        value: false,
      })
    },
  ],
  [
    "2.2.2.1",
    "there is a method for each type",
    async () => {
      const { provider } = await world()
      const each: ResolutionDetails<JsonValue>[] = [
        await provider.resolveBooleanEvaluation("boolean", false, {}),
        await provider.resolveStringEvaluation("string", "", {}),
        await provider.resolveNumberEvaluation("number", 0, {}),
        await provider.resolveObjectEvaluation("object", {}, {}),
      ]
      expect(each.map(({ value }) => value)).toEqual([true, "hello", 3.14, { a: [1] }])
    },
  ],
  [
    "2.2.3",
    "the value is the flag's",
    async () => {
      const { client } = await world()
      expect(await client.getStringValue("string", "default")).toBe("hello")
    },
  ],
  [
    "2.2.4",
    "the variant is named",
    async () => {
      const { client } = await world()
      expect((await client.getNumberDetails("number", 0)).variant).toBe("pi")
    },
  ],
  [
    "2.2.5",
    "the reason is told",
    async () => {
      const { client } = await world()
      const flags = ["boolean", "off", "open", "rule", "split", "needs", "broken"]
      const details = await Promise.all(flags.map((flag) => client.getBooleanDetails(flag, false, CONTEXT)))
      expect(details.map(({ reason }) => reason)).toEqual([
        ...["STATIC", "DISABLED", "DEFAULT", "TARGETING_MATCH", "SPLIT", "PREREQUISITE_FAILED", "ERROR"],
      ])
    },
  ],
  [
    "2.2.6",
    "there is no error code when nothing is wrong",
    async () => {
      const { provider } = await world()
      for (const flag of ["boolean", "off", "open", "rule", "split", "needs"])
        expect((await provider.resolveBooleanEvaluation(flag, false, CONTEXT)).errorCode).toBeUndefined()
    },
  ],
  [
    "2.2.7",
    "what is wrong has its code, and the default stands",
    async () => {
      const { client } = await world()
      const wrong: [string, ErrorCode][] = [
        ["nowhere", ErrorCode.FLAG_NOT_FOUND],
        ["string", ErrorCode.TYPE_MISMATCH],
        ["broken", ErrorCode.PARSE_ERROR],
        ["lost", ErrorCode.GENERAL],
      ]
      for (const [flag, errorCode] of wrong)
        expect(await client.getBooleanDetails(flag, true), flag).toMatchObject({ value: true, errorCode })
      const early = await world({ isSet: false })
      expect(await early.provider.resolveBooleanEvaluation("boolean", true, {})).toMatchObject({
        value: true,
        errorCode: ErrorCode.PROVIDER_NOT_READY,
      })
    },
  ],
  [
    "2.2.8.1",
    "what is resolved has the type of what is asked for",
    async () => {
      const { provider } = await world()
      const details: ResolutionDetails<boolean> = await provider.resolveBooleanEvaluation(
        "boolean",
        false,
        {},
      )
      const typed: ResolutionDetails<{ a: number[] }> = await provider.resolveObjectEvaluation(
        "object",
        { a: [0] },
        {},
      )
      expect([details.value, typed.value.a[0]]).toEqual([true, 1])
    },
  ],
  [
    "2.2.9",
    "the flag's metadata comes with it",
    async () => {
      const { client } = await world()
      expect((await client.getStringDetails("string", "")).flagMetadata).toEqual({ team: "growth" })
    },
  ],
  [
    "2.2.10",
    "metadata are texts, numbers and truth values only",
    async () => {
      const { client } = await world()
      expect((await client.getBooleanDetails("rich", false)).flagMetadata).toEqual({
        ...{ text: "a", number: 1, yes: true },
      })
    },
  ],
  [
    "2.3.1",
    "it may have hooks, and has none",
    async () => {
      const provider: Provider = (await world()).provider
      expect(provider.hooks).toBeUndefined()
    },
  ],
  [
    "2.3.2",
    "there is no error message when nothing is wrong",
    async () => {
      const { provider } = await world()
      for (const flag of ["boolean", "off", "open", "rule", "split", "needs"])
        expect((await provider.resolveBooleanEvaluation(flag, false, CONTEXT)).errorMessage).toBeUndefined()
    },
  ],
  [
    "2.3.3",
    "an error says what is wrong",
    async () => {
      const { client } = await world()
      const { errorMessage } = await client.getBooleanDetails("string", false)
      expect(errorMessage).toBe("The flag string is of the type string, and not boolean.")
    },
  ],
  [
    "2.4.1",
    "it is initialised, once something can be served",
    async () => {
      const one = await world({ isSet: false })
      await one.provider.initialize()
      expect(await one.provider.resolveBooleanEvaluation("boolean", false, {})).toMatchObject({ value: true })
    },
  ],
  [
    "2.4.2.1",
    "initialising fails, within its bound, if nothing can be served",
    async () => {
      const { provider } = await world({ status: 500, isSet: false, readyTimeoutMs: 10 })
      await expect(provider.initialize()).rejects.toMatchObject({ code: ErrorCode.GENERAL })
      const refused = await world({ status: 401, isSet: false, readyTimeoutMs: 600_000 })
      await expect(refused.provider.initialize()).rejects.toMatchObject({ code: ErrorCode.PROVIDER_FATAL })
    },
  ],
  [
    "2.4.3",
    "it keeps nothing that is a domain's, so one may serve several",
    async () => {
      const { provider } = await world()
      expect((provider as Provider).domainScoped).toBeUndefined()
      await OpenFeature.setProviderAndWait("another", provider)
      expect(await OpenFeature.getClient("another").getBooleanValue("boolean", false)).toBe(true)
    },
  ],
  [
    "2.5.1",
    "closing it lets go of the client's connections",
    async () => {
      const { provider, hotswap } = await world()
      let isClosed = false
      const { close } = hotswap
      hotswap.close = async () => {
        await close.call(hotswap)
        isClosed = true
      }
      await provider.onClose()
      expect(isClosed).toBe(true)
    },
  ],
  [
    "2.5.2",
    "closed, it is as before it was initialised; closing ends an initialisation that is under way",
    async () => {
      const { provider } = await world()
      await provider.onClose()
      expect(await provider.resolveBooleanEvaluation("boolean", false, {})).toMatchObject({
        errorCode: ErrorCode.PROVIDER_NOT_READY,
      })
      const early = await world({ status: 500, isSet: false, readyTimeoutMs: 600_000 })
      const initialised = expect(early.provider.initialize()).rejects.toMatchObject({
        code: ErrorCode.GENERAL,
      })
      await early.provider.onClose()
      await initialised
    },
  ],
  [
    "2.5.3",
    "it may be closed again",
    async () => {
      const { provider } = await world()
      await Promise.all([provider.onClose(), provider.onClose()])
      await provider.onClose()
    },
  ],
  [
    "2.8.1",
    "every turn of its state is told",
    async () => {
      const one = await world()
      await one.lose(500)
      one.service.status = 200
      await one.hotswap.reload()
      await one.lose(403)
      one.service.status = 200
      await one.hotswap.reload()
      const { Ready, Stale, Error: Failed } = ProviderEvents
      expect(names(one)).toEqual([Ready, Stale, Ready, Failed, Ready])
      expect(one.client.providerStatus).toBe(ProviderStatus.READY)
    },
  ],
  [
    "2.8.2",
    "that it is ready is told once when it is initialised",
    async () => {
      expect(names(await world())).toEqual([ProviderEvents.Ready])
    },
  ],
  [
    "2.8.3",
    "that it could not be initialised is told once, and that it is ready after all",
    async () => {
      const one = await world({ status: 500, readyTimeoutMs: 10 })
      expect(names(one)).toEqual([ProviderEvents.Error])
      expect(one.client.providerStatus).toBe(ProviderStatus.ERROR)
      one.service.status = 200
      await one.hotswap.reload()
      expect(names(one)).toEqual([ProviderEvents.Error, ProviderEvents.Ready])
      expect(await one.client.getBooleanValue("boolean", false)).toBe(true)
    },
  ],
]
