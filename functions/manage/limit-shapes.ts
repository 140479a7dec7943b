import { z } from "@hono/zod-openapi"
import { LIMIT_MAX } from "../../core/limits/limit.ts"

export const ActionPath = z.object({ tenantId: z.string(), action: z.string() })
export const InEnvironment = z.strictObject({
  environment: z
    .string()
    .optional()
    .openapi({ description: "Left out: the token's, or the last in the order of promotion" }),
})
export const AmountBody = z
  .strictObject({ amount: z.int().min(1).max(LIMIT_MAX).default(1) })
  .openapi("LimitAmount")

const Source = z.enum(["default", "platform", "tier", "tenant", "record", "feature"]).openapi({
  description: "Who says it: the tier's defaults, a layer's config, the tenant's record, a feature",
})

const standing = {
  tenantId: z.string(),
  environment: z.string(),
  action: z.string(),
  allowed: z.boolean(),
  limit: z.int().openapi({ description: "-1: as many as anybody likes" }),
  windowMs: z.int(),
  remaining: z.int(),
  used: z.int(),
  resetAt: z.string().openapi({ description: "When nothing counts any more of what counts now" }),
  retryAfterMs: z
    .int()
    .nullable()
    .openapi({ description: "When as many will fit in; 0: now; null: never, they are more than the limit" }),
  source: Source,
}
export const StandingShown = z.object(standing).openapi("LimitStanding")

export const LimitsShown = z
  .object({
    tenantId: z.string(),
    environment: z.string(),
    tier: z.string(),
    limits: z.array(
      z.object({
        action: z.string(),
        limit: z.int(),
        windowMs: z.int(),
        source: Source,
        locked: z.boolean(),
      }),
    ),
  })
  .openapi("Limits")

export const FeaturesShown = z
  .object({
    tenantId: z.string(),
    environment: z.string(),
    tier: z.string(),
    features: z.record(z.string(), z.object({ enabled: z.boolean(), source: Source, locked: z.boolean() })),
  })
  .openapi("Features")
