import { hash } from "node:crypto"
import type { Principal } from "../../core/access.ts"
import { Refusal } from "../../core/errors.ts"
import type { Attempts } from "../platform/attempts.ts"
import { createLru } from "../platform/lru.ts"
import { tokenClaimed } from "./auth.ts"
import { clientOfEvent } from "./client-address.ts"
import type { FunctionUrlEvent } from "./events.ts"

const REMEMBERED_MAX = 10_000

/** What stands between a door and those who guess, or only cost it work. */
export interface Failures {
  /**
   * Establishes who asks by `work`, and counts when it says UNAUTHENTICATED. Throws AUTHENTICATION_LIMITED in its place
   * after too many, and without asking `work` while an address sends a flood, unless the token was good before.
   */
  watch(
    event: FunctionUrlEvent | undefined,
    authorization: string | undefined,
    work: () => Promise<Principal>,
  ): Promise<Principal>
}

const limited = (cause?: unknown): Refusal =>
  new Refusal("AUTHENTICATION_LIMITED", "Too many tokens that are not valid were sent.", { cause })

/** `edgeSecret`: what the edge shows with what it says of a caller's address. */
export const createFailures = ({
  attempts,
  edgeSecret,
}: {
  attempts: Attempts
  edgeSecret: string | null
}): Failures => {
  // By digest: a memory of who was let in must let nobody in.
  const good = createLru<string, true>(REMEMBERED_MAX)
  return {
    async watch(event, authorization, work) {
      // Whoever shows no token guesses none.
      if (authorization === undefined) return await work()
      const digest = hash("sha256", authorization, "base64")
      const address = clientOfEvent(event, edgeSecret)
      if (address !== null && attempts.isFlood(address) && good.get(digest) === undefined) throw limited()
      try {
        const principal = await work()
        good.set(digest, true)
        return principal
      } catch (error) {
        if (!(error instanceof Refusal) || error.code !== "UNAUTHENTICATED") throw error
        const token = tokenClaimed(authorization)
        const who = { ...(address ? { address } : {}), ...(token ? { token } : {}) }
        throw attempts.failed(who) ? limited(error) : error
      }
    },
  }
}
