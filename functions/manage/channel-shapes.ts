import { z } from "@hono/zod-openapi"
import { NOTICE_TYPES } from "../../core/change/notice.ts"

const RECIPIENTS_MAX = 10
const Url = z.string().min(1).max(2_000)
const Recipients = z.array(z.email().max(254)).min(1).max(RECIPIENTS_MAX)
const Events = z.array(z.enum(NOTICE_TYPES)).min(1).max(NOTICE_TYPES.length)
const common = { environment: z.string().optional(), events: Events.optional() }

export const ChannelPath = z.object({ tenantId: z.string(), channelId: z.string() })
export const DeliveryPath = z.object({ tenantId: z.string(), deliveryId: z.string() })

export const ChannelBody = z
  .discriminatedUnion(
    "type",
    [
      z.strictObject({ type: z.literal("webhook"), url: Url, ...common }),
      z.strictObject({ type: z.literal("slack"), url: Url, ...common }),
      z.strictObject({ type: z.literal("email"), to: Recipients, ...common }),
    ],
    { error: 'Expected a type of "webhook", "slack" or "email".' },
  )
  .openapi("NewChannel")
/** What is left out stays; `null` stands for all of them. */
export const ChannelPut = z
  .strictObject({
    url: Url.optional(),
    to: Recipients.optional(),
    environment: z.string().nullable().optional(),
    events: Events.nullable().optional(),
  })
  .openapi("ChannelEdit")

export const ChannelShown = z
  .object({
    channelId: z.string(),
    tenantId: z.string(),
    type: z.enum(["webhook", "slack", "email"]),
    url: z.string().optional(),
    to: z.array(z.string()).optional(),
    environment: z.string().nullable(),
    events: z.array(z.enum(NOTICE_TYPES)).nullable(),
    createdAt: z.string(),
    createdBy: z.string(),
    secret: z.string().optional(),
  })
  .openapi("Channel")
export const TestShown = z.object({ channelId: z.string(), delivered: z.boolean(), words: z.string() })

export const DeliveryShown = z
  .object({
    deliveryId: z.string(),
    channelId: z.string(),
    environment: z.string(),
    type: z.enum(NOTICE_TYPES),
    changeId: z.string(),
    detail: z.record(z.string(), z.unknown()),
    at: z.string(),
    state: z.enum(["pending", "delivered", "dead"]),
    attempts: z.int(),
    dueAt: z.string().nullable(),
    lastError: z.string().nullable(),
    settledAt: z.string().nullable(),
  })
  .openapi("Delivery")
