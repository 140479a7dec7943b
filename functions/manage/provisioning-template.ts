import { Refusal } from "../../core/errors.ts"
import { PLATFORM } from "../../core/ids.ts"
import type { JsonObject } from "../../core/json.ts"
import { checkTemplate, type ProvisioningTemplate } from "../../core/provisioning/template.ts"
import { findTemplate, type Kept, writeProvisioning } from "../../db/queries/provisionings.ts"
import { json, type Route, route } from "../http/route.ts"
import { once } from "./channel-parts.ts"
import type { ManageDeps } from "./deps.ts"
import { ifMatchNamed } from "./parse.ts"
import { TemplateBody } from "./provisioning-shapes.ts"
import { audited, conflict, remembered } from "./remember.ts"
import { Stale } from "./shapes.ts"
import { etagOf } from "./show.ts"

const TAG = "Deployments"
const PATH = "/api/v1/provisioning-template"
const Shown = { description: "What tenants' backends are made of, by tier", schema: TemplateBody }

const ok = ({ revision, document }: Kept<ProvisioningTemplate>) => ({
  status: 200,
  headers: { etag: etagOf(revision) },
  body: document as unknown as JsonObject,
})

const getRoute = (deps: ManageDeps): Route =>
  route({
    method: "get",
    path: PATH,
    operationId: "getProvisioningTemplate",
    tag: TAG,
    summary: "What tenants' backends are made of, by tier",
    action: "provisioning.manage",
    replies: { 200: Shown },
    run: async () => {
      const { status, headers, body } = ok(await findTemplate(deps.db))
      return json(status, body, headers)
    },
  })

const putRoute = (deps: ManageDeps): Route =>
  route({
    method: "put",
    path: PATH,
    operationId: "putProvisioningTemplate",
    tag: TAG,
    summary: "Say what they are made of; what was applied before stays as it is, and is said to be outdated",
    action: "provisioning.manage",
    body: TemplateBody,
    replies: { 200: Shown, 412: Stale },
    run: async ({ body, ifMatch, ...call }) =>
      await once(deps, PLATFORM, call.idempotency, async () => {
        const template = body as ProvisioningTemplate
        checkTemplate(template)
        const before = await findTemplate(deps.db)
        const expected = ifMatchNamed(ifMatch)
        if (typeof expected === "number" && expected !== before.revision)
          throw new Refusal("VERSION_STALE", `The template is at version ${before.revision}.`)
        const written = await writeProvisioning(deps.db, PLATFORM, {
          before,
          document: template,
          dueAt: null,
          audit: audited(call, "provisioning.template", PLATFORM),
          reply: remembered(call.idempotency, ok),
        })
        if (!written) return conflict()
        const { status, headers, body: shown } = ok(written)
        return json(status, shown, headers)
      }),
  })

export const provisioningTemplateRoutes = (deps: ManageDeps): Route[] => [getRoute(deps), putRoute(deps)]
