import { Refusal } from "../../core/errors.ts"
import type { Verdict } from "../../core/gate/verdict.ts"
import type { ChangeId } from "../../core/ids.ts"
import { type Recorded, recordOutcomes } from "../../db/queries/gate.ts"
import { parseBody, textOfEvent } from "../http/body.ts"
import { answeredWithin, LIMITS_MS } from "../http/deadline.ts"
import type { FunctionUrlEvent, FunctionUrlHandler, FunctionUrlResult } from "../http/events.ts"
import { asCalled } from "../http/from-edge.ts"
import { noteRoute, noteTenant } from "../http/notes.ts"
import { problemReply } from "../http/problem.ts"
import { withServerSpan } from "../http/server-span.ts"
import type { OutcomesPlatform } from "../platform/compose-outcomes.ts"
import { doorOf, type Reporter, type ReporterDoor, reporterOf, tenantNotFound } from "./reporter.ts"
import { reportsOf } from "./reports.ts"
import { rollBack, trip, verdictOn, verdictOnTenant } from "./take-back.ts"

const PATH = "/api/v1/outcomes"

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

const report = async (
  platform: OutcomesPlatform,
  door: ReporterDoor,
  event: FunctionUrlEvent,
): Promise<FunctionUrlResult> => {
  const reporter = await reporterOf(door, event)
  noteTenant(reporter.tenantId)
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
  return {
    statusCode: 202,
    headers: {
      "content-type": "application/json; charset=utf-8",
      "x-content-type-options": "nosniff",
      "cache-control": "no-store",
    },
    body: JSON.stringify({
      accepted: reports.length - ignored.length,
      ignored,
      verdict: shown(rollout, verdict),
      wave: shown(waves, wave),
    }),
    isBase64Encoded: false,
  }
}

const ALLOW = "POST"

const route = async (
  platform: OutcomesPlatform,
  door: ReporterDoor,
  event: FunctionUrlEvent,
): Promise<FunctionUrlResult> => {
  if (event.rawPath !== PATH) throw new Refusal("ROUTE_UNKNOWN", "Nothing is served at this path.")
  const { method } = event.requestContext.http
  noteRoute(method, PATH)
  if (method !== "POST") throw new Refusal("METHOD_NOT_ALLOWED", `${PATH} does not take ${method}.`)
  return await report(platform, door, event)
}

/** Hears what clients saw, and takes back at once what fails them. */
export const createOutcomes = (platform: OutcomesPlatform): FunctionUrlHandler => {
  const door = doorOf(platform)
  const answer: FunctionUrlHandler = async (given) => {
    const event = asCalled(given, platform.settings.edgeSecret)
    try {
      return await answeredWithin(LIMITS_MS.write, () => route(platform, door, event))
    } catch (thrown) {
      const { status, headers, body } = problemReply(thrown, event.requestContext.requestId, platform.log)
      const allow: Record<string, string> = status === 405 ? { allow: ALLOW } : {}
      return { statusCode: status, headers: { ...headers, ...allow }, body, isBase64Encoded: false }
    }
  }
  return withServerSpan(platform, answer)
}
