import { murmur3 } from "../../core/release/bucket.ts"
import { parseReloadType, type ReloadType } from "../../core/release/reload.ts"
import { parseRevision, type Revision } from "../../core/release/revision.ts"
import { linesOf } from "./event-stream.ts"
import { backoffMs, pause } from "./pause.ts"
import { type Bindings, type Settings, warn } from "./runtime.ts"
import type { Scope } from "./scope.ts"
import { LOOK } from "./stream-hub.ts"

/**
 * What was heard of a scope: where a layer of it has moved to, that something may have been missed, or that all who
 * listen are to be told to look again.
 */
export type Hint = Revision | "look" | { reload: ReloadType }

const RELOAD = `${LOOK}:`

const hintOf = (told: string): Hint | null => {
  if (told === LOOK) return "look"
  if (!told.startsWith(RELOAD)) return parseRevision(told)
  const reload = parseReloadType(told.slice(RELOAD.length))
  return reload && { reload }
}

/** `tier`: the scope of the tier that has moved, where it is one; its tenants alone are concerned. */
export type Hear = (hint: Hint, tier?: string) => void

/** Hears of moves. That it may hear of nothing, or only later, is for its callers to live with. */
export interface Push {
  /** Until `over`; never throws. */
  listen(scope: Scope, heard: Hear, over: AbortSignal): Promise<void>
}

const FIRST_PAUSE_MS = 200
const LONGEST_PAUSE_MS = 30_000

/** All streams of a tenant are with one hub, so that a move goes out to as few as can be. */
const hubName = (scope: Scope, hubs: number): string => `hub-${murmur3(scope.tenantId) % hubs}`

export const createPush = (hub: Bindings["STREAM_HUB"], { hubs }: Pick<Settings, "hubs">): Push => {
  /** One connection from its beginning to its end; `true` if anything was heard over it. */
  const connect = async (
    scope: Scope,
    heard: Hear,
    over: AbortSignal,
  ): Promise<{ failedAtOnce: boolean; error: string }> => {
    let failedAtOnce = true
    try {
      const stub = hub!.get(hub!.idFromName(hubName(scope, hubs)))
      const response = await stub.fetch(`https://hub.internal/${scope.name}`, { signal: over })
      if (response.status !== 200 || response.body === null)
        return { failedAtOnce, error: `the hub answered ${response.status}` }
      for await (const line of linesOf(response.body, over)) {
        failedAtOnce = false
        const [told = "", tier] = line.split(" ")
        const hint = hintOf(told)
        if (hint) heard(hint, tier)
      }
      return { failedAtOnce, error: "it ended" }
    } catch (error) {
      return { failedAtOnce, error: String(error) }
    }
  }

  return {
    listen: async (scope, heard, over) => {
      if (!hub) return
      let failures = 0
      while (!over.aborted) {
        const { failedAtOnce, error } = await connect(scope, heard, over)
        if (over.aborted) return
        failures = failedAtOnce ? failures + 1 : 1
        if (failures === 1) warn("the hub is lost", { scope: scope.name, error })
        await pause(backoffMs(failures, FIRST_PAUSE_MS, LONGEST_PAUSE_MS), over)
      }
    },
  }
}
