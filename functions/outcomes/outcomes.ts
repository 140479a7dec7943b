import { Refusal } from "../../core/errors.ts"
import type { Verdict } from "../../core/gate/verdict.ts"
import type { ChangeId } from "../../core/ids.ts"
import { isUsageBatch } from "../../core/usage/batch.ts"
import { type Recorded, recordOutcomes } from "../../db/queries/gate.ts"
import { parseBody, textOfEvent } from "../http/body.ts"
import { answeredWithin, LIMITS_MS } from "../http/deadline.ts"
import type { FunctionUrlEvent, FunctionUrlHandler, FunctionUrlResult } from "../http/events.ts"
import { asCalled, isEdge } from "../http/from-edge.ts"
import { noteRoute, noteTenant } from "../http/notes.ts"
import { problemReply } from "../http/problem.ts"
import { withServerSpan } from "../http/server-span.ts"
import { type Asked, askedNow, noteAnswer, noteRefusal } from "../http/usage-watch.ts"
import type { OutcomesPlatform } from "../platform/compose-outcomes.ts"
import { takeEvents } from "./events.ts"
import { type Doors, doorsOf, type Reporter, reporterOf, tellerOf, tenantNotFound } from "./reporter.ts"
import { reportsOf } from "./reports.ts"
import { rollBack, trip, verdictOn, verdictOnTenant } from "./take-back.ts"

const refusalOf = (recorded: Exclude<Recorded, { kind: "recorded" }>, { tenantId }: Reporter): Refusal => {
  switch (recorded.kind) {
    case "missing":
      return tenantNotFound(tenantId)
    case "suspended":
      return new Refusal("TENANT_SUSPENDED", `The tenant "${tenantId}" is suspended.`)
    case "revoked":
      return new Refusal(
        "UNAUTHENTICATED",
        "The request carries no bearer token that is known, unexpired and not revoked.",
      )
    case "unknown_revision": {
      const path = `/reports/${recorded.index}/revision`
      return new Refusal(
        "REVISION_UNKNOWN",
        `${path} is ahead of what was ever given out; nothing was counted.`,
        {
          errors: [{ path, message: "No such revision was given out." }],
        },
      )
    }
  }
}

const shown = (of: { changeId: ChangeId; step: number } | null, verdict: Verdict | null) =>
  of && verdict && { changeId: of.changeId, step: of.step, kind: verdict.kind, words: verdict.words }

const accepted = (body: unknown): FunctionUrlResult => ({
  statusCode: 202,
  headers: {
    "content-type": "application/json; charset=utf-8",
    "x-content-type-options": "nosniff",
    "cache-control": "no-store",
  },
  body: JSON.stringify(body),
  isBase64Encoded: false,
})

/** What each path takes, by POST. */
type Take = (
  platform: OutcomesPlatform,
  doors: Doors,
  event: FunctionUrlEvent,
  asked: Asked,
) => Promise<FunctionUrlResult>

const events: Take = async (platform, doors, event, asked) => {
  asked.principal = await tellerOf(doors, event)
  const { tenants, ...taken } = await takeEvents(platform, asked.principal, event)
  asked.tenants = tenants
  return accepted(taken)
}

const report: Take = async (platform, doors, event, asked) => {
  const reporter = await reporterOf(doors, event)
  noteTenant(reporter.tenantId)
  asked.principal = reporter.principal
  asked.tenants = [reporter.tenantId]
  const reports = reportsOf(parseBody(textOfEvent(event)))
  const at = platform.clock.now().toISOString()
  const recorded = await recordOutcomes(platform.db, { ...reporter, reports, at })
  if (recorded.kind !== "recorded") throw refusalOf(recorded, reporter)
  const { ignored, rollout, waves } = recorded
  const { requestId } = event.requestContext
  // Judged even if all of it was known: whoever brought it before may have failed half-way.
  const verdict = rollout && verdictOn(platform, rollout)
  const wave = waves && verdictOnTenant(platform, waves)
  if (rollout && verdict?.kind === "unhealthy") await rollBack(platform, reporter, rollout, requestId)
  if (waves && wave?.kind === "unhealthy") await trip(platform, reporter, waves, wave, requestId)
  return accepted({
    accepted: reports.length - ignored.length,
    ignored,
    verdict: shown(rollout, verdict),
    wave: shown(waves, wave),
  })
}

/** What the edge counted. To everybody else there is no such route. */
const edgeUsage: Take = async ({ settings, inbox }, _doors, event) => {
  if (!isEdge(event, settings.edgeSecret)) throw routeUnknown()
  const batch: unknown = parseBody(textOfEvent(event))
  if (!isUsageBatch(batch)) throw new Refusal("BODY_INVALID", "It is no batch of what was counted.")
  if (!(await inbox?.put(batch).catch(() => false)))
    throw new Refusal("LIMITS_UNAVAILABLE", "It could not be kept.")
  return accepted({})
}

const TAKES: Readonly<Record<string, Take>> = {
  "/api/v1/outcomes": report,
  "/api/v1/events": events,
  "/internal/usage": edgeUsage,
}

const routeUnknown = () => new Refusal("ROUTE_UNKNOWN", "Nothing is served at this path.")

const ALLOW = "POST"

const route: Take = async (platform, doors, event, asked) => {
  const take = Object.hasOwn(TAKES, event.rawPath) ? TAKES[event.rawPath] : undefined
  if (take === undefined) throw routeUnknown()
  const { method } = event.requestContext.http
  noteRoute(method, event.rawPath)
  if (method !== "POST") throw new Refusal("METHOD_NOT_ALLOWED", `${event.rawPath} does not take ${method}.`)
  return await take(platform, doors, event, asked)
}

/** Hears what clients saw, and takes back at once what fails them; and what happened at tenants, which it keeps. */
export const createOutcomes = (platform: OutcomesPlatform): FunctionUrlHandler => {
  const doors = doorsOf(platform)
  const answer: FunctionUrlHandler = async (given) => {
    const event = asCalled(given, platform.settings.edgeSecret)
    const { authorization } = event.headers
    const asked = askedNow({ route: event.rawPath, method: event.requestContext.http.method, authorization })
    try {
      const result = await answeredWithin(LIMITS_MS.write, () => route(platform, doors, event, asked))
      noteAnswer(platform.usage, asked, result.statusCode)
      return result
    } catch (thrown) {
      noteRefusal(platform.usage, asked, thrown)
      const { status, headers, body } = problemReply(thrown, event.requestContext.requestId, platform.log)
      const allow: Record<string, string> = status === 405 ? { allow: ALLOW } : {}
      return { statusCode: status, headers: { ...headers, ...allow }, body, isBase64Encoded: false }
    }
  }
  return withServerSpan(platform, answer)
}
