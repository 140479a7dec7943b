import { z } from "@hono/zod-openapi"
import { ROLES } from "../../core/access.ts"
import { DEFAULT_LIMIT, MAX_LIMIT } from "../http/cursor.ts"
import { MAX_LIFETIME_SECONDS } from "../http/tokens.ts"
import { DeploymentsBody } from "./deployment-shapes.ts"

/** Any JSON value, kept as it was read: zod must not rebuild it, or a member `__proto__` would be lost. */
export const AnyJson = z.unknown().openapi({
  description: "Any JSON value",
  type: ["object", "array", "string", "number", "boolean", "null"],
})
const Required = AnyJson.refine((value) => value !== undefined, "It is required.")

export const text = (max: number) => z.string().max(max)
export const Comment = text(2_000)
/** A body that says why, or nothing. */
export const Remark = z.strictObject({ comment: Comment.optional() })
export const Instant = z.iso.datetime({ offset: true })

const Limit = z.coerce.number().int().min(1).max(MAX_LIMIT).default(DEFAULT_LIMIT)
export const Paging = { limit: Limit, cursor: text(2_000).optional() }
export const page = <Item extends z.ZodType>(item: Item) =>
  z.object({ items: z.array(item), nextCursor: z.string().nullable() })

export const TenantPath = z.object({ tenantId: z.string() })
export const EnvironmentPath = z.object({ tenantId: z.string(), environment: z.string() })
export const TokenPath = z.object({ tenantId: z.string(), tokenId: z.string() })
export const ConfigPath = z.object({ configId: z.string() })
export const ChangePath = z.object({ changeId: z.string() })

const AnyObject = z.record(z.string(), z.unknown())
const ASIDE_CHARACTERS_MAX = 65_536
const EXTERNAL_IDS_MAX = 100
/** What is kept beside a tenant is read whenever the tenant is. */
const Aside = AnyObject.refine(
  (value) => JSON.stringify(value).length <= ASIDE_CHARACTERS_MAX,
  `At most ${ASIDE_CHARACTERS_MAX} characters of JSON are kept.`,
)
/** What a call answers that heeds `If-Match`. */
export const Stale = { description: "It is no longer the version that If-Match names: VERSION_STALE" }

const tenantFields = {
  displayName: text(200).nullable().optional(),
  adminEmail: z.email().max(254).nullable().optional(),
  quotas: Aside.optional().openapi({
    description:
      "By name. One that is called like a limited action limits it for this tenant: a number, or `{max, windowMs}`; any other is only kept",
  }),
  features: z.record(z.string().max(100), z.boolean()).optional(),
  deployments: DeploymentsBody.optional(),
  externalIds: z
    .record(
      z.string().regex(/^[a-z0-9-]{1,32}$/, "Use 1 to 32 of a-z, 0-9 and dashes."),
      z.string().min(1).max(200),
    )
    .refine((ids) => Object.keys(ids).length <= EXTERNAL_IDS_MAX, `At most ${EXTERNAL_IDS_MAX} are kept.`)
    .optional(),
}
export const TenantBody = z
  .strictObject({
    name: text(200).min(1),
    tenantId: z.string().optional(),
    tier: z.string().optional(),
    ...tenantFields,
  })
  .openapi("NewTenant")
export const TenantPatch = z
  .strictObject({ name: text(200).min(1).optional(), tier: z.string().optional(), ...tenantFields })
  .openapi("TenantPatch")
export const TenantShown = z
  .object({
    tenantId: z.string(),
    name: z.string(),
    displayName: z.string().nullable(),
    adminEmail: z.string().nullable(),
    tier: z.string(),
    status: z.enum(["active", "suspended", "deleted"]),
    quotas: AnyObject,
    features: AnyObject,
    deployments: AnyObject,
    externalIds: z.record(z.string(), z.string()),
    createdAt: z.string(),
    updatedAt: z.string(),
  })
  .openapi("Tenant")

const Lifetime = z.int().min(60).max(MAX_LIFETIME_SECONDS).optional()
export const TokenBody = z
  .strictObject({
    subject: text(200).min(1),
    roles: z.array(z.enum(ROLES)).min(1).max(ROLES.length),
    environment: z.string().optional(),
    expiresInSeconds: Lifetime,
  })
  .openapi("NewToken")
export const PlatformTokenBody = z
  .strictObject({
    subject: text(200).min(1),
    roles: z.array(z.enum(["reader", "platform_admin"])).length(1),
    tenants: z.union([z.literal("*"), z.array(z.string()).min(1).max(1_000)]).optional(),
    environment: z.string().optional(),
    expiresInSeconds: Lifetime,
  })
  .openapi("NewPlatformToken")
export const TokenShown = z
  .object({
    tokenId: z.string(),
    subject: z.string(),
    roles: z.array(z.string()),
    tenants: z.union([z.literal("*"), z.array(z.string())]),
    environment: z.string().nullable(),
    issuedBy: z.string().nullable(),
    /** Who issued it, with which token, and who stands behind them, nearest first. */
    issuer: z.object({ subject: z.string(), tokenId: z.string(), ancestors: z.array(z.string()) }),
    createdAt: z.string(),
    expiresAt: z.string(),
    revokedAt: z.string().nullable(),
    lastUsedAt: z.string().nullable().optional().openapi({
      description:
        "In lists, of API tokens: when it was used last, to the minute; `null`: not that anybody remembers. Absent where it cannot be known",
    }),
    token: z.string().optional(),
  })
  .openapi("Token")

export const ConfigBody = z
  .strictObject({
    tenantId: z.string(),
    environment: z.string(),
    key: z.string(),
    value: Required,
    description: text(2_000).optional(),
    owner: text(200).optional(),
    schema: AnyJson.optional(),
    locked: z.boolean().optional(),
    secret: z.boolean().optional(),
    comment: Comment.optional(),
  })
  .openapi("NewConfig")
export const ConfigPut = z
  .strictObject({
    value: AnyJson.optional(),
    schema: AnyJson.optional(),
    description: text(2_000).nullable().optional(),
    owner: text(200).nullable().optional(),
    locked: z.boolean().optional(),
    secret: z.boolean().optional().openapi({ description: "Left out, a secret stays one" }),
    comment: Comment.optional(),
  })
  .openapi("ConfigEdit")
export const ConfigShown = z
  .object({
    configId: z.string(),
    tenantId: z.string(),
    environment: z.string(),
    key: z.string(),
    value: AnyJson,
    type: z.string(),
    version: z.int(),
    secret: z.boolean().openapi({ description: "Its value here is a marker: see the route of the secret" }),
    description: z.string().nullable(),
    owner: z.string().nullable(),
    schema: AnyJson,
    locked: z.boolean(),
    updatedAt: z.string(),
    updatedBy: z.string(),
    changeId: z.string(),
  })
  .openapi("Config")
export const ConfigDeleted = z
  .object({
    configId: z.string(),
    tenantId: z.string(),
    environment: z.string(),
    key: z.string(),
    version: z.int(),
    deleted: z.literal(true),
    changeId: z.string(),
    updatedAt: z.string(),
  })
  .openapi("DeletedConfig")
export const VersionShown = z
  .object({
    version: z.int(),
    deleted: z.boolean(),
    value: AnyJson,
    author: z.string(),
    at: z.string(),
    changeId: z.string(),
    checksum: z.string(),
  })
  .openapi("Version")

export const AuditShown = z
  .object({
    seq: z.int(),
    at: z.string(),
    action: z.string(),
    actor: z.object({
      subject: z.string(),
      tokenId: z.string(),
      person: z
        .string()
        .nullable()
        .openapi({ description: "What stands in the chain in the subject's place" }),
    }),
    target: z.string(),
    hash: z.string(),
    prev: z.string(),
  })
  .openapi("AuditEntry")
/** Other changes that the same commit moved. */
export const Affected = z.array(
  z.object({ changeId: z.string(), state: z.string(), reason: z.string().nullable() }),
)
