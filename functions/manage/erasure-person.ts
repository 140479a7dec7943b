import { z } from "@hono/zod-openapi"
import { Refusal } from "../../core/errors.ts"
import { sha256Hex } from "../../core/hash.ts"
import type { TenantId } from "../../core/ids.ts"
import { recordAudit } from "../../db/queries/audit.ts"
import {
  auditPseudonym,
  checkOver,
  entriesNaming,
  erasePerson,
  rowsNaming,
} from "../../db/queries/erasure-person.ts"
import { json, type Route, route } from "../http/route.ts"
import { wholeTenant } from "./audit-parts.ts"
import { mustBeThere } from "./channel-parts.ts"
import type { ManageDeps } from "./deps.ts"
import { audited } from "./remember.ts"
import { TenantPath, text } from "./shapes.ts"
import { publishEverywhere } from "./tenant-parts.ts"

const TAG = "People"
const NAMES_MAX = 20

const Named = z
  .strictObject({
    subject: text(200).min(1).openapi({ description: "As tokens and the audit name them" }),
    alsoKnownAs: z
      .array(text(254).min(3))
      .max(NAMES_MAX)
      .optional()
      .openapi({ description: "What else they are called in comments and addresses" }),
  })
  .openapi("PersonNamed")

const namesOf = ({ subject, alsoKnownAs = [] }: z.output<typeof Named>): string[] => [
  ...new Set([subject, ...alsoKnownAs]),
]

const eraseRoute = (deps: ManageDeps): Route =>
  route({
    method: "post",
    path: "/api/v1/tenants/{tenantId}/persons/erase",
    operationId: "erasePerson",
    tag: TAG,
    summary:
      "Take a person out of everything kept of a tenant, and end their tokens; the audit can still be verified",
    action: "person.erase",
    isLong: true,
    params: TenantPath,
    body: Named,
    replies: {
      200: {
        description: "What stands in their place from now on, and in how many rows of what",
        schema: z
          .object({
            pseudonym: z.string(),
            rows: z.record(z.string(), z.int()),
            tokensRevoked: z.int(),
          })
          .openapi("PersonErased"),
      },
    },
    where: wholeTenant(deps),
    run: async ({ scope, body, ...call }) => {
      const tenantId = scope as TenantId
      const names = namesOf(body)
      await mustBeThere(deps, tenantId)
      if (names.includes(call.principal.subject))
        throw new Refusal("PERSON_ENGAGED", "Somebody else has to ask for it: who asks stands in the audit.")
      await checkOver(deps.db, tenantId, names)
      const { uuid } = deps.ids
      const pseudonym =
        (await auditPseudonym(deps.db, tenantId, names)) ?? `person:${sha256Hex(`${uuid()}${uuid()}`)}`
      const { environments } = deps.settings
      const erased = await erasePerson(
        deps.db,
        tenantId,
        { person: { names, pseudonym }, environments },
        ({ rows, tokensRevoked }) => audited(call, "person.erase", pseudonym, { rows, tokensRevoked }),
      )
      publishEverywhere(deps, tenantId)
      return json(200, erased)
    },
  })

async function* exported(deps: ManageDeps, tenantId: TenantId, names: readonly string[]) {
  const encoder = new TextEncoder()
  yield encoder.encode(`${JSON.stringify({ tenantId, names }).slice(0, -1)},"items":[`)
  let count = 0
  const line = (item: unknown) => encoder.encode(`${count++ === 0 ? "\n" : ",\n"}${JSON.stringify(item)}`)
  for await (const { table, row } of rowsNaming(deps.db, tenantId, names)) yield line({ in: table, ...row })
  for await (const entry of entriesNaming(deps.db, tenantId, names))
    yield line({ in: "audit_entries", ...entry })
  yield encoder.encode(`\n],"count":${count}}\n`)
}

const exportRoute = (deps: ManageDeps): Route =>
  route({
    method: "post",
    path: "/api/v1/tenants/{tenantId}/persons/export",
    operationId: "exportPerson",
    tag: TAG,
    summary: "Everything kept of a tenant that names a person, for who asks what is known of them",
    action: "person.export",
    isLong: true,
    params: TenantPath,
    body: Named,
    replies: {
      200: { description: "JSON that ends with how many items it has", schema: z.looseObject({}) },
    },
    where: wholeTenant(deps),
    run: async ({ scope, body, ...call }) => {
      const tenantId = scope as TenantId
      await mustBeThere(deps, tenantId)
      const names = namesOf(body)
      // Whose it was stands there as the audit names people, so that it can be forgotten with them.
      await recordAudit(
        deps.db,
        tenantId,
        audited(call, "person.export", tenantId, { subject: body.subject }),
      )
      return {
        status: 200,
        headers: {
          "content-type": "application/json; charset=utf-8",
          "content-disposition": `attachment; filename="person-${tenantId}.json"`,
        },
        body: exported(deps, tenantId, names),
      }
    },
  })

export const personRoutes = (deps: ManageDeps): Route[] => [eraseRoute(deps), exportRoute(deps)]
