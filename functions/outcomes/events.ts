import { randomUUID } from "node:crypto"
import type { Principal } from "../../core/access.ts"
import { Refusal } from "../../core/errors.ts"
import type { TenantId } from "../../core/ids.ts"
import type { TenantEvent } from "../../core/usage/event.ts"
import { type EventsRefused, recordEvents } from "../../db/queries/events.ts"
import { unknownToken } from "../http/auth.ts"
import { parseBody, textOfEvent } from "../http/body.ts"
import type { FunctionUrlEvent } from "../http/events.ts"
import { permit, tenantNotFound } from "../http/permit.ts"
import type { OutcomesPlatform } from "../platform/compose-outcomes.ts"
import { eventsOf } from "./event-fields.ts"

/** What was kept of what was told; `known`: it was there before, under the same ids. */
export interface EventsAccepted {
  accepted: number
  known: number
  tenants: readonly TenantId[]
}

const at = (events: readonly TenantEvent[], tenantId: TenantId): string =>
  `/events/${events.findIndex((event) => event.tenantId === tenantId)}/tenantId`

/** The refusal, saying which event it is about. */
const about = (refusal: Refusal, path: string): Refusal =>
  new Refusal(refusal.code, refusal.message, { errors: [{ path, message: refusal.message }] })

const mustBeTheirs = (
  principal: Principal,
  events: readonly TenantEvent[],
  named: string | undefined,
): void => {
  for (const tenantId of new Set(events.map((event) => event.tenantId)))
    try {
      permit(principal, "event.record", { scope: tenantId, environment: null })
      if (named !== undefined && named !== tenantId)
        throw new Refusal(
          "TENANT_MISMATCH",
          `X-Tenant-ID is "${named.slice(0, 100)}", but the event is about "${tenantId}".`,
        )
    } catch (error) {
      throw error instanceof Refusal ? about(error, at(events, tenantId)) : error
    }
}

const refusalOf = ({ kind, tenantId }: EventsRefused): Refusal => {
  switch (kind) {
    case "missing":
      return tenantNotFound(tenantId)
    case "suspended":
      return new Refusal("TENANT_SUSPENDED", `The tenant "${tenantId}" is suspended.`)
    case "revoked":
      return unknownToken()
  }
}

/** Keeps what a body tells, all of it or nothing. Throws Refusal, with the place of the event that it is about. */
export const takeEvents = async (
  { clock, db, settings }: OutcomesPlatform,
  principal: Principal,
  event: FunctionUrlEvent,
): Promise<EventsAccepted> => {
  // Whoever may tell nothing of anybody is told so before what they tell is looked at.
  permit(principal, "event.record", { scope: null, environment: null })
  const events = eventsOf(parseBody(textOfEvent(event)), {
    nowMs: clock.nowMs(),
    days: settings.eventDays,
    newId: randomUUID,
  })
  mustBeTheirs(principal, events, event.headers["x-tenant-id"])
  const recorded = await recordEvents(db, principal.tokenId, events)
  if (recorded.kind !== "recorded")
    throw recorded.kind === "revoked"
      ? refusalOf(recorded)
      : about(refusalOf(recorded), at(events, recorded.tenantId))
  const tenants = [...new Set(events.map(({ tenantId }) => tenantId))]
  return { accepted: recorded.kept, known: events.length - recorded.kept, tenants }
}
