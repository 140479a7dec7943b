import { z } from "@hono/zod-openapi"
import { ARCHIVE_FORMAT } from "../../core/backup/manifest.ts"
import { SCHEMA_VERSION } from "../../core/backup/rows.ts"
import { Refusal } from "../../core/errors.ts"
import type { ScopeId } from "../../core/ids.ts"
import { isPublicKey } from "../../core/public-key.ts"
import { type Call, json, permit, type Route, type RouteReply, route } from "../http/route.ts"
import { receiverOf, wrapFor } from "../platform/deployment-keys.ts"
import type { ManageDeps } from "./deps.ts"
import { startJob } from "./job-parts.ts"

/** Which deployment a tenant is handed to, as `POST …/migrate` names it. */
export const HandOverTarget = z
  .strictObject({
    receivingKey: z.string().openapi({
      description: "Of the other deployment's `GET /api/v1/deployment`; nobody else opens the archive",
    }),
    name: z.string().max(100).optional().openapi({ description: "What it is called; for the record" }),
  })
  .openapi("HandOverTarget")

type Target = z.infer<typeof HandOverTarget>

/** Half of the points of a curve are no key of anybody's, and a few are everybody's: tried before a job fails with it. */
const mustBeReceivable = async (receivingKey: string): Promise<void> => {
  const message = "It is not the receivingKey of a deployment."
  const refused = (cause?: unknown) =>
    new Refusal("BODY_INVALID", message, { errors: [{ path: "/target/receivingKey", message }], cause })
  if (!isPublicKey(receivingKey)) throw refused()
  try {
    await wrapFor({ source: "", to: receivingKey }, new Uint8Array(1))
  } catch (error) {
    throw refused(error)
  }
}

/** Has an archive of the tenant made that only the other deployment opens. Throws FORBIDDEN and BODY_INVALID. */
export const handOverJob = async (
  deps: ManageDeps,
  call: Pick<Call<unknown, unknown, unknown>, "principal" | "instance" | "idempotency"> & {
    scope: ScopeId | null
  },
  { receivingKey, name }: Target,
): Promise<RouteReply> => {
  const scope = call.scope!
  permit(call.principal, "backup.hand_over", { scope, environment: null })
  await mustBeReceivable(receivingKey)
  const params = { backupId: deps.ids.uuid(), receivingKey, ...(name === undefined ? {} : { name }) }
  return await startJob(deps, call, { scope, kind: "backup.hand_over", params })
}

const DeploymentShown = z
  .object({
    name: z.string(),
    environments: z.array(z.string()),
    schemaVersion: z.int(),
    format: z.string().openapi({ description: "Of archives that are made here" }),
    signingKey: z
      .string()
      .nullable()
      .openapi({ description: "Ed25519, base64url: what is handed over from here is signed by it" }),
    receivingKey: z
      .string()
      .nullable()
      .openapi({ description: "X25519, base64url: what is handed over to here is sealed for it" }),
  })
  .openapi("Deployment")

/** What others know this deployment by. */
export const deploymentRoute = (deps: ManageDeps): Route =>
  route({
    method: "get",
    path: "/api/v1/deployment",
    operationId: "readDeployment",
    tag: "Backups",
    summary: "What this deployment is called, and the keys that others know it by",
    action: "deployment.read",
    replies: { 200: { description: "The deployment", schema: DeploymentShown } },
    run: async () => {
      const { deploymentName, environments, auditPublicKey, handOverKey } = deps.settings
      const [signingKey] = auditPublicKey?.keys ?? []
      return json(200, {
        name: deploymentName,
        environments,
        schemaVersion: SCHEMA_VERSION,
        format: ARCHIVE_FORMAT,
        signingKey: signingKey?.x ?? null,
        receivingKey: handOverKey ? (receiverOf(handOverKey).receivingKeys[0] ?? null) : null,
      })
    },
  })
