import type { TenantId } from "../../core/ids.ts"
import { UsageMeters } from "../../core/usage/meters.ts"
import type { Reader } from "./readers.ts"
import { type RequestLife, type Settings, warn } from "./runtime.ts"
import type { Send } from "./send.ts"

/** Of the function that hears what clients saw, for the edge alone. */
const PATH = "/internal/usage"

/** Counts what the edge answers by itself, and tells the functions now and then, behind the answers. */
export interface EdgeUsage {
  answered(
    asked: { tenantId: TenantId; route: string; method: string; reader: Reader; isHit: boolean | null },
    status: number,
    startedMs: number,
    life: RequestLife,
  ): void
  /** Somebody's token was tried where it does not fit. */
  refused(reader: Reader, life: RequestLife): void
}

export const createEdgeUsage = ({ outcomesOrigin, secret }: Settings, send: Send): EdgeUsage => {
  let meters: UsageMeters | undefined
  // Not before there is a request: nothing is random in a Worker until then.
  const metersNow = (): UsageMeters => {
    meters ??= new UsageMeters(crypto.randomUUID())
    return meters
  }

  const hand = async (of: UsageMeters): Promise<void> => {
    const batch = of.begin(Date.now())
    if (batch === null) return
    try {
      const headers = new Headers({ "hotswap-edge": secret, "content-type": "application/json" })
      const body = new TextEncoder().encode(JSON.stringify(batch))
      const response = await send({ method: "POST", url: `${outcomesOrigin}${PATH}`, headers, body })
      await response.body?.cancel()
      // What is refused would be refused again.
      of.ended(batch, response.status < 500 && response.status !== 429)
    } catch (error) {
      of.ended(batch, false)
      warn("usage could not be told", { error: String(error) })
    }
  }

  const handInTime = (of: UsageMeters, life: RequestLife): void => {
    if (of.isDue(Date.now())) life.waitUntil(hand(of))
  }

  return {
    answered({ tenantId, route, method, reader, isHit }, status, startedMs, life) {
      const of = metersNow()
      const durationMs = Math.max(0, Date.now() - startedMs)
      if (isHit !== null) of.read(tenantId, isHit, durationMs)
      of.request({ tenantId, route, method, status, user: reader.subject, durationMs })
      handInTime(of, life)
    },
    refused(reader, life) {
      const [own, ...others] = reader.tenants === "*" ? [] : reader.tenants
      if (own === undefined || others.length > 0) return
      const of = metersNow()
      of.refused(own)
      handInTime(of, life)
    },
  }
}
