import { z } from "@hono/zod-openapi"
import { BACKENDS } from "../../core/deployment/deployments.ts"
import { TIERS } from "../../core/ids.ts"
import { TEMPLATE_BOUNDS } from "../../core/provisioning/template.ts"
import { DeploymentsBody, Target } from "./deployment-shapes.ts"

const number = (name: keyof typeof TEMPLATE_BOUNDS) =>
  z.int().min(TEMPLATE_BOUNDS[name][0]).max(TEMPLATE_BOUNDS[name][1])

const Backends = z
  .array(z.enum(BACKENDS))
  .max(BACKENDS.length)
  .refine((names) => new Set(names).size === names.length, "One of them is named twice.")
  .openapi({ description: "Those that the tenant is to have made for it; none takes away what was" })

export const PlanBody = z.strictObject({ backends: Backends }).openapi("ProvisioningWish")

export const ApplyBody = z
  .strictObject({
    backends: Backends,
    digest: z
      .string()
      .regex(/^[0-9a-f]{64}$/, "Expected the `digest` of a plan.")
      .optional()
      .openapi({ description: "Of the plan that was looked at: any other is refused" }),
    move: z
      .boolean()
      .optional()
      .openapi({ description: "Bring over the metrics that the tenant has at its backend of now" }),
    sinceDays: number("retentionDays").optional().openapi({
      description: "How far back they are brought over; as long as the plan keeps them, if left out",
    }),
  })
  .openapi("ProvisioningApplied")

export const CancelBody = z
  .strictObject({
    leaveBehind: z
      .boolean()
      .optional()
      .openapi({ description: "What has not come over yet stays at the former backend" }),
  })
  .openapi("ProvisioningCancelled")

const Named = z.array(z.string())
const Document = z.record(z.string(), z.unknown())

const planFields = {
  tier: z.enum(TIERS),
  backends: z.array(z.enum(BACKENDS)),
  documents: z.array(Document).openapi({ description: "For `kubectl apply`, in this order" }),
  releases: z.array(Document).openapi({ description: "For `helm upgrade --install`, after the documents" }),
  deployments: DeploymentsBody.openapi({
    description: "Where the tenant's requests are led once it is active",
  }),
  retentionDays: z.int(),
}
const digest = z.string().openapi({ description: "Names the plan by all that it is" })

export const PlanShown = z
  .object({
    tenantId: z.string(),
    digest,
    plan: z.object(planFields),
    difference: z.object({ added: Named, altered: Named, same: Named, remains: Named }).openapi({
      description: "To what was applied last; `remains`: made before, and to be taken away after",
    }),
  })
  .openapi("ProvisioningPlan")

const Pass = z.object({
  nth: z.int(),
  share: z.number().openapi({ description: "Of the time that it goes through, from 0 to 1" }),
  windows: z.int(),
  samples: z.int().openapi({ description: "Compared so far" }),
  missing: z.int().openapi({ description: "Of these, brought over" }),
})

export const ProvisioningShown = z
  .object({
    tenantId: z.string(),
    revision: z.int(),
    number: z.int().openapi({ description: "The nth plan of the tenant" }),
    state: z.enum([
      "applying",
      "validating",
      "moving",
      "activating",
      "settling",
      "active",
      "retiring",
      "failed",
      "cancelled",
    ]),
    words: z.string().nullable().openapi({ description: "What it waits for, or what it failed of" }),
    failure: z
      .object({ state: z.string(), reason: z.enum(["unhealthy", "altered", "unequal"]) })
      .nullable()
      .openapi({ description: "Where it failed, and of what kind that is" }),
    move: z.object({ since: z.string() }).nullable(),
    pass: Pass.nullable(),
    digest,
    outdated: z
      .boolean()
      .openapi({ description: "The tier or the template ask for something else by now: apply anew" }),
    plan: z.object(planFields),
    remains: Named.openapi({ description: "Made by earlier plans and needed by nothing: to be taken away" }),
  })
  .openapi("Provisioning")

const Shape = z.strictObject({
  kind: z.enum(["shared", "own"]),
  namespace: z.enum(["tier", "tenant"]),
  replicas: number("replicas"),
  cpuMillis: number("cpuMillis"),
  memoryMi: number("memoryMi"),
  storageGi: number("storageGi"),
  retentionDays: number("retentionDays"),
})

/** As many as the smallest tier's tenants may have. */
const SHARED_TARGETS_MAX = 2
const Shared = z.array(Target).min(1).max(SHARED_TARGETS_MAX)
const CALLERS_MAX = 20

/** What the platform says; the same goes in and comes out. */
export const TemplateBody = z
  .strictObject({
    tiers: z.strictObject({ Free: Shape, Pro: Shape, Enterprise: Shape }),
    shared: z.strictObject({
      metrics: Shared.optional(),
      logs: Shared.optional(),
      traces: Shared.optional(),
    }),
    address: z
      .string()
      .min(1)
      .max(300)
      .openapi({ description: "With {name}, and perhaps {namespace}, {backend} and {port} in it" }),
    callers: z
      .array(z.union([z.cidrv4(), z.cidrv6()]))
      .min(1)
      .max(CALLERS_MAX),
    storageClass: z
      .string()
      .regex(/^[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?$/, "Expected the name of a storage class.")
      .optional(),
  })
  .openapi("ProvisioningTemplate")
