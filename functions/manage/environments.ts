import { z } from "@hono/zod-openapi"
import { returnable } from "../../core/change/return-to.ts"
import { after } from "../../core/change/time.ts"
import { Refusal } from "../../core/errors.ts"
import type { ReleaseId } from "../../core/ids.ts"
import type { JsonObject } from "../../core/json.ts"
import { readMoves } from "../../db/queries/moves.ts"
import { listReleases, type StableRelease } from "../../db/queries/releases.ts"
import { decodeNumber, encodeCursor } from "../http/cursor.ts"
import { json, type Route, route } from "../http/route.ts"
import { mutate, type StampedReply } from "../platform/mutate.ts"
import type { ManageDeps } from "./deps.ts"
import { actorOf, targetOfPath } from "./parse.ts"
import { policyFor } from "./read-changes.ts"
import { Affected, Comment, EnvironmentPath, Instant, Paging, page } from "./shapes.ts"
import { showAffected, type Target } from "./show.ts"
import { askedBy } from "./submit.ts"

const PATH = "/api/v1/tenants/{tenantId}/environments/{environment}"

const RollbackBody = z
  .strictObject({
    toRelease: z
      .string()
      .regex(/^[0-9a-f]{64}$/, "Expected the id of a release, 64 hex digits.")
      .optional()
      .openapi({ description: "One that was stable: see …/releases" }),
    asOf: Instant.optional().openapi({ description: "What was stable at this time" }),
    comment: Comment.optional(),
  })
  .refine(
    ({ toRelease, asOf }) => toRelease === undefined || asOf === undefined,
    "Give toRelease or asOf, or neither for the release before.",
  )
  .openapi("EnvironmentRollback")

const RolledBack = z.object({
  tenantId: z.string(),
  environment: z.string(),
  stable: z.string().openapi({ description: "The release that everyone has now" }),
  seq: z.int().openapi({ description: "The scope's part of the revision now" }),
  rolledBack: z.array(z.string()).openapi({ description: "The changes that this took back" }),
  affected: Affected,
})

/** The times of the history are the database's, whose clock may be ahead. */
const SKEW_MS = 60_000

const pastOrThrow = (asOf: string | undefined, now: string): string | undefined => {
  if (asOf === undefined) return undefined
  const at = new Date(asOf).toISOString()
  if (Date.parse(at) > Date.parse(now) + SKEW_MS)
    throw new Refusal("AS_OF_INVALID", `${at} is yet to come; it is ${now}.`)
  return at
}

const rollbackRoute = (deps: ManageDeps): Route =>
  route({
    method: "post",
    path: `${PATH}/rollback`,
    operationId: "rollBackEnvironment",
    tag: "Environments",
    summary: "Return everyone at once to what was stable: before, at a time, or as a release",
    action: "change.control",
    params: EnvironmentPath,
    body: RollbackBody,
    replies: { 200: { description: "What everyone has now, and what was taken back", schema: RolledBack } },
    where: targetOfPath(deps),
    run: async ({ body, scope, environment, ...asker }) => {
      const { toRelease, comment } = body
      const outcome = await mutate(deps, {
        scope: scope!,
        environment: environment!,
        ...askedBy(asker),
        command: {
          type: "rollback_to",
          actor: actorOf(asker.principal),
          toRelease: toRelease as ReleaseId | undefined,
          asOf: pastOrThrow(body.asOf, deps.clock.now().toISOString()),
          comment,
        },
        keys: [],
        reply: ({ state, result }): StampedReply => ({
          status: 200,
          headers: {},
          body: {
            tenantId: state.scope,
            environment: state.environment,
            stable: result.stable,
            seq: result.seq,
            rolledBack: result.affected
              .filter((change) => change.state === "rolled_back")
              .map(({ changeId }) => changeId),
            affected: showAffected(result),
          },
          stamps: [],
        }),
      })
      if (outcome.kind === "nothing") throw new Error("a person's command is never a messenger's")
      return json(outcome.reply.status, outcome.reply.body, { ...outcome.reply.headers })
    },
  })

const ReleaseShown = z
  .object({
    release: z.string(),
    seq: z.int().openapi({ description: "The scope's part of the revision when it became stable" }),
    at: z.string(),
    until: z.string().nullable().openapi({ description: "null: it still is" }),
    changeId: z.string().nullable().openapi({ description: "The change that made it what it is" }),
    cause: z.string().openapi({ description: "Why it became stable" }),
    endedBy: z.string().nullable().openapi({ description: "Why it ceased to be" }),
    returnable: z
      .boolean()
      .openapi({ description: "May one return to it now without approval, as the policy in force has it?" }),
  })
  .openapi("StableRelease")

const shown = (release: StableRelease, mayReturnTo: ReadonlySet<ReleaseId>): JsonObject => ({
  release: release.release,
  seq: release.seq,
  at: release.at,
  until: release.until,
  changeId: release.changeId,
  cause: release.cause,
  endedBy: release.endedBy,
  returnable: mayReturnTo.has(release.release),
})

/** Those that one may return to now, as the rules have it that decide when somebody does. */
const returnableIn = async (deps: ManageDeps, target: Target): Promise<ReadonlySet<ReleaseId>> => {
  const { rollbackWindowMs } = await policyFor(deps, target)
  const since = after(deps.clock.now().toISOString(), -rollbackWindowMs)
  const moves = await readMoves(deps.db, target.scope, target.environment, since)
  const stable = moves.at(-1)?.stable
  return stable === undefined ? new Set() : returnable(moves, stable, since)
}

const releasesRoute = (deps: ManageDeps): Route =>
  route({
    method: "get",
    path: `${PATH}/releases`,
    operationId: "listReleases",
    tag: "Environments",
    summary: "What was stable, newest first, and which of it one may return to at once",
    action: "change.read",
    params: EnvironmentPath,
    query: z.strictObject(Paging),
    replies: { 200: { description: "A page of releases", schema: page(ReleaseShown) } },
    where: targetOfPath(deps),
    run: async ({ query: { limit, cursor }, scope, environment }) => {
      const target = { scope: scope!, environment: environment! }
      const before =
        cursor === undefined ? undefined : decodeNumber("releases", cursor, Number.MAX_SAFE_INTEGER)
      const rows = await listReleases(deps.db, target.scope, target.environment, {
        limit: limit + 1,
        ...(before === undefined ? {} : { before }),
      })
      const mayReturnTo = await returnableIn(deps, target)
      const items = rows.slice(0, limit)
      const last = rows.length > limit ? items.at(-1) : undefined
      return json(200, {
        items: items.map((release) => shown(release, mayReturnTo)),
        nextCursor: last ? encodeCursor("releases", [last.seq]) : null,
      })
    },
  })

export const environmentRoutes = (deps: ManageDeps): Route[] => [rollbackRoute(deps), releasesRoute(deps)]
