import { murmur3 } from "../../core/release/bucket.ts"
import { type Bindings, type Settings, warn } from "./runtime.ts"
import type { Scope } from "./scope.ts"

/** Where streams are held together, so that one look is for all of a tenant's. */
export interface Push {
  /**
   * A stream that is opened with this; `"full"`: the hub holds as many as it may; `"away"`: it cannot be reached, or there
   * is none.
   */
  open(scope: Scope, opening: unknown): Promise<ReadableStream<Uint8Array> | "full" | "away">
}

/** All streams of a tenant are with one hub, so that a move goes out to as few as can be. */
const hubName = (scope: Scope, hubs: number): string => `hub-${murmur3(scope.tenantId) % hubs}`

export const createPush = (hub: Bindings["STREAM_HUB"], { hubs }: Pick<Settings, "hubs">): Push => ({
  open: async (scope, opening) => {
    if (!hub) return "away"
    try {
      const stub = hub.get(hub.idFromName(hubName(scope, hubs)))
      const body = JSON.stringify(opening)
      const response = await stub.fetch(`https://hub.internal/${scope.name}`, { method: "POST", body })
      if (response.status === 200 && response.body !== null) return response.body
      await response.body?.cancel()
      if (response.status === 503) return "full"
      warn("the hub answered uselessly", { scope: scope.name, status: response.status })
    } catch (error) {
      warn("the hub cannot be reached", { scope: scope.name, error: String(error) })
    }
    return "away"
  },
})
