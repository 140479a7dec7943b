import { z } from "@hono/zod-openapi"
import type { TenantId } from "../../core/ids.ts"
import { readHealth } from "../../db/queries/usage.ts"
import { deploymentsHealth } from "./deployment-parts.ts"
import type { ManageDeps } from "./deps.ts"

/** One member of what `GET /api/v1/tenants/{tenantId}/health` answers. */
export interface HealthPart {
  schema: z.ZodType
  read(deps: ManageDeps, tenantId: TenantId): Promise<unknown>
}

const Share = z.number().min(0).max(1).nullable()

const service: HealthPart = {
  schema: z.object({
    errorRate: Share.openapi({
      description:
        "Of the requests of the last 24 hours, the part answered with 5xx; `null`: there were none",
    }),
    responseMs: z.number().nullable().openapi({ description: "The average of the last hour" }),
    uptime: Share.openapi({
      description:
        "Of the last 24 hours' ten minutes with requests, the part in which most were not answered with 5xx",
    }),
    lastSecurityAlertAt: z.string().nullable().openapi({ description: "To the ten minutes" }),
    databaseBytes: z.int().openapi({ description: "Rows, without indexes; of large tables estimated" }),
    storageBytes: z.int().openapi({ description: "Archives" }),
  }),
  read: ({ db, clock }, tenantId) => readHealth(db, tenantId, clock.now().toISOString()),
}

/** Every member, by name: whoever knows more of a tenant's health adds it here. */
export const HEALTH = { service, deployments: deploymentsHealth } as const satisfies Record<
  string,
  HealthPart
>
