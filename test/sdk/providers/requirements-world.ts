import { type EventDetails, type JsonValue, OpenFeature, ProviderEvents } from "@openfeature/server-sdk"
import { HotswapProvider } from "../../../sdk/src/providers/server.ts"
import { BOOLEAN, type ScriptedService, scriptedService } from "./service.ts"

/** A requirement's number, and how it is shown. */
export type Shown = [number: string, says: string, shows: () => Promise<void>]

export interface World {
  service: ScriptedService
  provider: HotswapProvider
  client: ReturnType<typeof OpenFeature.getClient>
  hotswap: ReturnType<ScriptedService["client"]>
  /** What the application's handlers were told, in order. */
  heard: [ProviderEvents, EventDetails][]
  /** A read that fails, so often that the client calls itself stale. */
  lose(status: number): Promise<void>
}

export const FLAGS: Record<string, JsonValue> = {
  boolean: BOOLEAN,
  string: { state: "ENABLED", variants: { hi: "hello" }, defaultVariant: "hi", metadata: { team: "growth" } },
  number: { state: "ENABLED", variants: { pi: 3.14 }, defaultVariant: "pi" },
  object: { state: "ENABLED", variants: { full: { a: [1] } }, defaultVariant: "full" },
  off: { ...BOOLEAN, state: "DISABLED" },
  open: { ...BOOLEAN, defaultVariant: null },
  rule: { ...BOOLEAN, targeting: { if: [{ var: "vip" }, "on", "off"] } },
  split: { ...BOOLEAN, enabled: true, percentage: 100 },
  needs: { ...BOOLEAN, prerequisites: [{ flag: "boolean", variants: ["off"] }] },
  broken: { ...BOOLEAN, targeting: { nonsense: [1] } },
  lost: { ...BOOLEAN, defaultVariant: "purple" },
  rich: { ...BOOLEAN, metadata: { text: "a", number: 1, yes: true, list: [1], nothing: null } },
}

let number = 0
/** An application with the provider of a service that is scripted, each in a domain of its own. */
export const world = async (
  options: { status?: number; isSet?: boolean; readyTimeoutMs?: number } = {},
): Promise<World> => {
  const service = scriptedService(FLAGS)
  service.status = options.status ?? 200
  const hotswap = service.client()
  const provider = new HotswapProvider(hotswap, { readyTimeoutMs: options.readyTimeoutMs ?? 10_000 })
  const domain = `domain-${number++}`
  const client = OpenFeature.getClient(domain)
  const heard: World["heard"] = []
  for (const event of Object.values(ProviderEvents))
    client.addHandler(event, (details) => void heard.push([event, details!]))
  // What there was before was ready at once, and said so.
  heard.length = 0
  if (options.isSet !== false) await OpenFeature.setProviderAndWait(domain, provider).catch(() => undefined)
  const lose = async (with_: number) => {
    service.status = with_
    const before = heard.length
    while (heard.length === before) await hotswap.reload().catch(() => undefined)
  }
  return { service, provider, client, hotswap, heard, lose }
}

export const names = ({ heard }: World) => heard.map(([event]) => event)
export const CONTEXT = { targetingKey: "user-1" }
