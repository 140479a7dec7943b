import { z } from "@hono/zod-openapi"
import { Refusal } from "../../core/errors.ts"
import { JOB_KINDS, JOB_STATES, type Job } from "../../core/job/job.ts"
import { findJob, listJobs, requestCancel } from "../../db/queries/jobs.ts"
import { decodeCursor, encodeCursor } from "../http/cursor.ts"
import { json, type Route, route } from "../http/route.ts"
import { isUuid } from "./channel-parts.ts"
import type { ManageDeps } from "./deps.ts"
import { JobShown, jobNamed, jobNotFound, seesAllJobs, seesTarget, showJob } from "./job-parts.ts"
import { scopeNamed } from "./parse.ts"
import { audited, conflict, remembered, replayed } from "./remember.ts"
import { Paging, page } from "./shapes.ts"

const TAG = "Jobs"
const LIST = "jobs"
const JobPath = z.object({ jobId: z.string() })

const whereOfJob = ({ params }: { params: { jobId: string } }) => ({
  scope: jobNamed(params.jobId).scope,
  environment: null,
})

const positionOf = (cursor: string): string => {
  const [last] = decodeCursor(LIST, cursor, 1)
  if (typeof last === "string" && isUuid(last)) return last
  throw new Refusal("CURSOR_INVALID", "It is not a cursor of this list.")
}

/** Throws JOB_NOT_FOUND for what somebody else has asked for, unless an admin looks. */
const jobSeen = async (
  deps: ManageDeps,
  text: string,
  principal: Parameters<typeof seesAllJobs>[0],
): Promise<Job> => {
  const { scope, uuid } = jobNamed(text)
  const job = await findJob(deps.db, scope, uuid)
  const isShown = job && (seesAllJobs(principal) || job.createdBy.subject === principal.subject)
  if (!isShown || !seesTarget(principal, job)) throw jobNotFound(text)
  return job
}

const readRoute = (deps: ManageDeps): Route =>
  route({
    method: "get",
    path: "/api/v1/jobs/{jobId}",
    operationId: "readJob",
    tag: TAG,
    summary: "How far a job has come, and what came of it",
    action: "job.read",
    params: JobPath,
    replies: { 200: { description: "The job", schema: JobShown } },
    where: whereOfJob,
    run: async ({ params, principal }) => json(200, showJob(await jobSeen(deps, params.jobId, principal))),
  })

const listRoute = (deps: ManageDeps): Route =>
  route({
    method: "get",
    path: "/api/v1/jobs",
    operationId: "listJobs",
    tag: TAG,
    summary: "The jobs of a tenant (or of `~platform`), newest first; `state=failed` is the dead-letter list",
    action: "job.read",
    query: z.strictObject({
      ...Paging,
      tenantId: z.string(),
      kind: z.enum(JOB_KINDS).optional(),
      state: z.enum(JOB_STATES).optional(),
    }),
    replies: { 200: { description: "A page of jobs", schema: page(JobShown) } },
    where: async ({ query }, principal) => ({
      scope: await scopeNamed(query.tenantId, principal, deps.findExternal),
      environment: null,
    }),
    run: async ({ query: { limit, cursor, kind, state }, scope, principal }) => {
      const rows = await listJobs(deps.db, scope!, {
        kind,
        state,
        subject: seesAllJobs(principal) ? undefined : principal.subject,
        before: cursor === undefined ? undefined : positionOf(cursor),
        limit: limit + 1,
      })
      const shown = rows.slice(0, limit)
      const last = rows.length > limit ? shown.at(-1) : undefined
      return json(200, {
        items: shown.filter((job) => seesTarget(principal, job)).map(showJob),
        nextCursor: last ? encodeCursor(LIST, [last.jobId]) : null,
      })
    },
  })

const cancelRoute = (deps: ManageDeps): Route =>
  route({
    method: "post",
    path: "/api/v1/jobs/{jobId}/cancel",
    operationId: "cancelJob",
    tag: TAG,
    summary: "End a job: at once if nobody has begun it, or else within seconds, with nothing left half done",
    action: "job.cancel",
    params: JobPath,
    body: z.strictObject({}),
    replies: { 202: { description: "The job, ended or about to", schema: JobShown } },
    where: whereOfJob,
    run: async ({ params, scope, principal, instance, idempotency }) => {
      const kept = await replayed(deps, scope!, idempotency)
      if (kept) return kept
      const { jobId } = await jobSeen(deps, params.jobId, principal)
      const cancelled = await requestCancel(
        deps.db,
        scope!,
        jobId,
        audited({ principal, instance }, "job.cancel", params.jobId),
        remembered(idempotency, (job: Job) => ({ status: 202, headers: {}, body: showJob(job) })),
      )
      switch (cancelled.kind) {
        case "requested":
          return json(202, showJob(cancelled.job))
        case "missing":
          throw jobNotFound(params.jobId)
        case "ended":
          throw new Refusal("JOB_ENDED", "It has ended: nothing is left to cancel.")
        case "conflict":
          return (await replayed(deps, scope!, idempotency)) ?? conflict()
      }
    },
  })

export const jobRoutes = (deps: ManageDeps): Route[] => [readRoute(deps), listRoute(deps), cancelRoute(deps)]
