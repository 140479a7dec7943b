import { type ErrorCode, type EventDetails, OpenFeature, ProviderEvents } from "@openfeature/web-sdk"
import { expect } from "vitest"
import { HotswapWebProvider, type HotswapWebProviderOptions } from "../../../sdk/src/providers/web.ts"
import type { BulkService } from "./bulk-service.ts"

export const PATIENTLY = { timeout: 20_000, interval: 5 }
export const CONTEXT = { targetingKey: "user-1" }

/** A page's `localStorage`. */
export const memory = () => {
  const kept = new Map<string, string>()
  return {
    kept,
    getItem: (key: string) => kept.get(key) ?? null,
    setItem: (key: string, value: string) => void kept.set(key, value),
  }
}

/** A page whose provider has been set, however that ended. */
export const started = async (service: BulkService, options: Partial<HotswapWebProviderOptions> = {}) => {
  const provider = new HotswapWebProvider({
    ...{ url: "http://hotswap.test/", token: "token", pollMs: 1, storage: null, fetch: service.fetch },
    ...options,
  })
  const client = OpenFeature.getClient("page")
  const heard: [ProviderEvents, EventDetails][] = []
  for (const event of Object.values(ProviderEvents))
    client.addHandler(event, (details) => void heard.push([event, details!]))
  heard.length = 0
  await OpenFeature.setContext("page", CONTEXT)
  const failure = await OpenFeature.setProviderAndWait("page", provider).then(
    () => null,
    (error: Error & { code: ErrorCode }) => error,
  )
  const names = () => heard.map(([name]) => name)
  return { provider, client, heard, names, failure }
}

/** Once it has been asked for so often more. */
export const asksOf = async ({ asked }: BulkService, more = 3) => {
  const wanted = asked.length + more
  await expect.poll(() => asked.length, PATIENTLY).toBeGreaterThanOrEqual(wanted)
}
