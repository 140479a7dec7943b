import { z } from "@hono/zod-openapi"
import { BOUNDS, PLAIN_PATH } from "../../core/deployment/deployments.ts"

const number = (name: keyof typeof BOUNDS) => z.int().min(BOUNDS[name][0]).max(BOUNDS[name][1])
const TARGETS_MAX = 8
const PEM_CHARACTERS_MAX = 16_384

const Marker = z.strictObject({ $secret: z.literal(true), version: z.int().min(1) })
/** Text to seal, or the marker that stands for what is sealed already. */
const secret = (text: z.ZodString) => z.union([text, Marker])

/** What a header can carry, and nothing that would end it. */
const HeaderText = z
  .string()
  .min(1)
  .max(4_096)
  .regex(/^[\x21-\x7e]+$/, "Use printable ASCII characters without spaces.")
const pem = (kind: RegExp) => z.string().max(PEM_CHARACTERS_MAX).regex(kind, "Expected PEM.")
const CertificatePem = pem(/^\s*-----BEGIN CERTIFICATE-----[\s\S]+-----END CERTIFICATE-----\s*$/)
const KeyPem = pem(
  /^\s*-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----[\s\S]+-----END (?:[A-Z]+ )?PRIVATE KEY-----\s*$/,
)

const Region = z.string().regex(/^[a-z0-9][a-z0-9-]{0,39}$/, "Use 1 to 40 of a-z, 0-9 and dashes.")
export const Target = z
  .strictObject({
    url: z
      .string()
      .min(1)
      .max(500)
      .openapi({ description: "Of the backend itself: what is asked is added to it" }),
    region: Region.optional(),
    priority: number("priority")
      .optional()
      .openapi({ description: "The lowest is tried first; 0 if left out" }),
    use: z.enum(["query", "write"]).optional().openapi({ description: "Where a cluster parts the two" }),
  })
  .openapi("Target")

const Tenancy = z.strictObject({
  accountId: number("accountId"),
  projectId: number("projectId").optional(),
})

const HealthCheck = z.strictObject({
  path: z.string().max(200).regex(PLAIN_PATH, "Expected a plain path like /health.").min(1).optional(),
  intervalSeconds: number("intervalSeconds").optional(),
  timeoutMs: number("healthTimeoutMs").optional(),
  unhealthyAfter: number("unhealthyAfter").optional(),
  healthyAfter: number("healthyAfter").optional(),
})

const Username = z
  .string()
  .min(1)
  .max(200)
  .regex(/^[^\p{Cc}:]+$/u, "Neither a colon nor a control character.")
const Password = z
  .string()
  .min(1)
  .max(4_096)
  .regex(/^\P{Cc}+$/u, "No control characters.")
const Credentials = z.discriminatedUnion(
  "type",
  [
    z.strictObject({ type: z.literal("bearer"), token: secret(HeaderText) }),
    z.strictObject({ type: z.literal("basic"), username: Username, password: secret(Password) }),
  ],
  { error: 'Expected a type of "bearer" or "basic".' },
)

const Tls = z.strictObject({
  ca: CertificatePem.optional().openapi({
    description: "In the place of the authorities that everybody trusts",
  }),
  certificate: secret(CertificatePem).optional(),
  key: secret(KeyPem).optional(),
})

const Namespace = z
  .string()
  .regex(/^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/, "Expected a namespace of Kubernetes.")

const Backend = z
  .strictObject({
    targets: z.array(Target).min(1).max(TARGETS_MAX),
    timeoutMs: number("timeoutMs")
      .optional()
      .openapi({ description: "Until it has begun to answer; 30000 if left out" }),
    namespace: Namespace.optional(),
    tenancy: Tenancy.optional().openapi({
      description: "Whose data it is among those that the backend holds; left out, all of it is the tenant's",
    }),
    health: HealthCheck.optional(),
    credentials: Credentials.optional(),
    tls: Tls.optional(),
  })
  .openapi("Backend")

/** What is set; a secret is sent as its text, or as the marker it was read as, and then stays. */
export const DeploymentsBody = z
  .strictObject({ metrics: Backend.optional(), logs: Backend.optional(), traces: Backend.optional() })
  .openapi("Deployments")

const InForce = z.object({
  timeoutMs: z.int(),
  namespace: z.string(),
  health: z.object({
    path: z.string(),
    intervalSeconds: z.int(),
    timeoutMs: z.int(),
    unhealthyAfter: z.int(),
    healthyAfter: z.int(),
  }),
  vouched: z.boolean().openapi({
    description:
      "An admin of the platform set it: it may be where only this network reaches, and nobody else alters it",
  }),
})

export const DeploymentsShown = z
  .object({
    tenantId: z.string(),
    deployments: DeploymentsBody.openapi({ description: "As it was set: fit to be altered and sent again" }),
    inForce: z
      .object({ metrics: InForce.optional(), logs: InForce.optional(), traces: InForce.optional() })
      .openapi({ description: "What holds where nothing was said: the tier's template" }),
  })
  .openapi("DeploymentsShown")

const TargetHealth = z.object({
  url: z.string(),
  region: z.string().nullable(),
  state: z.enum(["healthy", "unhealthy", "unknown"]),
  since: z.string().nullable(),
  checkedAt: z.string().nullable(),
  ageMs: z.int().nullable().openapi({ description: "How long ago that was" }),
  latencyMs: z.int().nullable(),
  words: z.string().nullable(),
})
const BackendHealth = z.object({
  state: z.enum(["healthy", "degraded", "unhealthy", "unknown"]),
  targets: z.array(TargetHealth),
})

/** How a tenant's backends are. */
export const DeploymentsHealth = z
  .object({
    metrics: BackendHealth.optional(),
    logs: BackendHealth.optional(),
    traces: BackendHealth.optional(),
  })
  .openapi("DeploymentsHealth")
