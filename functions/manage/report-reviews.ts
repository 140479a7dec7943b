import { z } from "@hono/zod-openapi"
import type { TenantId } from "../../core/ids.ts"
import { accessesSeen, addReview, type Review } from "../../db/queries/reports.ts"
import { json, type Route, route } from "../http/route.ts"
import { Instant, wholeTenant } from "./audit-parts.ts"
import { mustBeThere, once } from "./channel-parts.ts"
import type { ManageDeps } from "./deps.ts"
import { periodOf } from "./period.ts"
import { audited, remembered } from "./remember.ts"
import { Comment, TenantPath } from "./shapes.ts"

const ReviewShown = z
  .object({
    reviewId: z.string(),
    report: z.enum(["soc2", "gdpr", "hipaa"]),
    from: z.string(),
    to: z.string(),
    throughSeq: z
      .int()
      .openapi({ description: "The last access that there was then, by its number in the audit" }),
    items: z.int().openapi({ description: "How many accesses there were" }),
    by: z.string(),
    comment: z.string().nullable(),
    at: z.string(),
  })
  .openapi("ReportReview")

const shown = (review: Review) => ({ ...review })

export const reviewRoute = (deps: ManageDeps): Route =>
  route({
    method: "post",
    path: "/api/v1/tenants/{tenantId}/reports/hipaa/reviews",
    operationId: "reviewAccess",
    tag: "Reports",
    summary: "Say that you have looked through the record of access of a period",
    action: "report.review",
    params: TenantPath,
    body: z
      .strictObject({ from: Instant, to: Instant, comment: Comment.optional() })
      .openapi("NewReportReview"),
    replies: { 201: { description: "The review, which the report shows from now on", schema: ReviewShown } },
    where: wholeTenant(deps),
    run: async ({ scope, body, ...call }) => {
      const tenantId = scope as TenantId
      return await once(deps, tenantId, call.idempotency, async () => {
        await mustBeThere(deps, tenantId)
        const period = periodOf(deps, body)
        const seen = await accessesSeen(deps.db, tenantId, period)
        const reviewId = deps.ids.uuid()
        const review = await addReview(
          deps.db,
          tenantId,
          {
            reviewId,
            report: "hipaa",
            ...period,
            ...seen,
            by: call.principal.subject,
            comment: body.comment ?? null,
          },
          audited(call, "report.review", tenantId, { report: "hipaa", ...period, ...seen }),
          remembered(call.idempotency, (kept) => ({ status: 201, headers: {}, body: shown(kept) })),
        )
        return json(201, shown(review))
      })
    },
  })
