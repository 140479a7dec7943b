import { restSender } from "../../../functions/platform/redis-rest.ts"
import { startTestRedis } from "../../support/redis.ts"
import { createWorld, must } from "./world.ts"

export interface Standing {
  allowed: boolean
  limit: number
  remaining: number
  used: number
  resetAt: string
  retryAfterMs: number | null
  source: string
  code?: string
}

export type Limited = Awaited<ReturnType<typeof createLimited>>
export type LimitedTenant = Awaited<ReturnType<Limited["tenant"]>>

/** The management function with an embedded Redis to count in, and how to ask it for limits. */
export const createLimited = async () => {
  const redis = await startTestRedis("embedded")
  const world = await createWorld({ send: restSender({ ...redis, deadlineMs: 20_000 }) })
  let serial = 0
  return {
    world,
    close: async () => {
      await world.close()
      await redis.stop()
    },
    /** A tenant of its own, the calls on its limits, and the token of an application. */
    tenant: async (tier = "Free") => {
      const tenantId = `limited-${++serial}`
      const made = await world.tenant(tenantId, tier)
      const reader = await made.issue("shop", ["reader"], "Production")
      const ask = (how: string, body: unknown, token: string) =>
        world.call<Standing>("POST", `/api/v1/tenants/${tenantId}/limits/${how}`, { token, body })
      return {
        ...made,
        reader,
        consume: (action: string, amount = 1, token = reader) => ask(`${action}/consume`, { amount }, token),
        check: (action: string, amount = 1, token = reader) => ask(`${action}/check`, { amount }, token),
      }
    },
    /** By a platform admin. */
    write: (tenantId: string, key: string, value: unknown, more: object = {}, environment = "Staging") =>
      world.call("POST", "/api/v1/configs", { body: { tenantId, environment, key, value, ...more } }),
    /** Each limit in force, and who says it. */
    listed: async ({ tenantId }: { tenantId: string }, environment = "Production") => {
      const path = `/api/v1/tenants/${tenantId}/limits?environment=${environment}`
      const { body } = await must(
        world.call<{ limits: { action: string; limit: number; source: string }[] }>("GET", path),
        200,
      )
      return Object.fromEntries(body.limits.map(({ action, limit, source }) => [action, [limit, source]]))
    },
  }
}
