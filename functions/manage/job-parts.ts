import { z } from "@hono/zod-openapi"
import { type Principal, sees } from "../../core/access.ts"
import { Refusal } from "../../core/errors.ts"
import { jobIdOf, parseJobId, type ScopeId } from "../../core/ids.ts"
import { JOB_KINDS, JOB_STATES, type Job } from "../../core/job/job.ts"
import type { JsonObject } from "../../core/json.ts"
import { type Call, json, type RouteReply } from "../http/route.ts"
import { askerOf, createJob, type JobWish } from "../platform/jobs.ts"
import type { ManageDeps } from "./deps.ts"
import { conflict, remembered, replayed } from "./remember.ts"

/** A job as HTTP shows it: what its next attempt would go on from is nobody's business. */
export const JobShown = z
  .object({
    jobId: z.string(),
    tenantId: z.string(),
    kind: z.enum(JOB_KINDS),
    params: z.record(z.string(), z.unknown()).openapi({ description: "What was asked for" }),
    state: z.enum(JOB_STATES),
    cancelRequested: z.boolean(),
    progress: z
      .object({
        step: z.string().optional(),
        parts: z.int().optional(),
        partsTotal: z.int().optional(),
        rows: z.int().optional(),
        rowsTotal: z.int().optional(),
        bytes: z.int().optional(),
        share: z.number().optional().openapi({ description: "From 0 to 1" }),
        endsAt: z.string().optional().openapi({ description: "When it will probably have ended" }),
      })
      .openapi({ description: "How far it has come; what is not known yet is left out" }),
    result: z.record(z.string(), z.unknown()).nullable(),
    problem: z
      .record(z.string(), z.unknown())
      .nullable()
      .openapi({ description: "Of a job that failed: what it failed with, as a problem of RFC 9457" }),
    createdAt: z.string(),
    createdBy: z.string(),
    startedAt: z.string().nullable(),
    endedAt: z.string().nullable(),
  })
  .openapi("Job")

/** What a route replies that has something done in the background. */
export const JobStarted = {
  202: { description: "The job that does it; `Location` is where to look", schema: JobShown },
}

export const showJob = (job: Job): JsonObject => ({
  jobId: jobIdOf(job.scope, job.jobId),
  tenantId: job.scope,
  kind: job.kind,
  params: job.params,
  state: job.state,
  cancelRequested: job.cancelRequested,
  progress: { ...job.progress },
  result: job.result,
  problem: job.problem as JsonObject | null,
  createdAt: job.createdAt,
  createdBy: job.createdBy.subject,
  startedAt: job.startedAt,
  endedAt: job.endedAt,
})

const TOLD_MAX = 200

export const jobNotFound = (text: string): Refusal =>
  new Refusal("JOB_NOT_FOUND", `There is no job "${text.slice(0, TOLD_MAX)}".`)

export const jobNamed = (text: string): { scope: ScopeId; uuid: string } => {
  const named = parseJobId(text)
  if (!named) throw jobNotFound(text)
  return named
}

/** Who sees all jobs of a tenant, rather than their own. */
export const seesAllJobs = ({ roles }: Principal): boolean =>
  roles.includes("tenant_admin") || roles.includes("platform_admin")

/** A job that does something to another tenant tells of that one, too: only who sees it is shown the job. */
export const seesTarget = (principal: Principal, { scope, params: { target } }: Job): boolean =>
  typeof target !== "string" || target === scope || sees(principal, target as ScopeId)

const startedReply = (job: Job) => ({
  status: 202,
  headers: { location: `/api/v1/jobs/${jobIdOf(job.scope, job.jobId)}` },
  body: showJob(job),
})

/** Has something done in the background and answers with the job; a repeat under the same key answers the same. */
export const startJob = async (
  deps: ManageDeps,
  {
    principal,
    instance,
    idempotency,
  }: Pick<Call<unknown, unknown, unknown>, "principal" | "instance" | "idempotency">,
  wish: JobWish,
): Promise<RouteReply> => {
  const kept = await replayed(deps, wish.scope, idempotency)
  if (kept) return kept
  const job = await createJob(deps, askerOf(principal, instance), wish, {
    reply: remembered(idempotency, startedReply),
  })
  if (job === null) return (await replayed(deps, wish.scope, idempotency)) ?? conflict()
  const { status, headers, body } = startedReply(job)
  return json(status, body, headers)
}
