import type { Principal } from "../../core/access.ts"
import type { Environment } from "../../core/environment.ts"
import { Refusal } from "../../core/errors.ts"
import type { ScopeId, TenantId } from "../../core/ids.ts"
import type { JsonObject } from "../../core/json.ts"
import { leadsTo } from "../../core/report/leads-to.ts"
import { type Channel, listChannels } from "../../db/queries/notifications.ts"
import { KeyTaken } from "../../db/queries/replies.ts"
import { findTenant } from "../../db/queries/tenants.ts"
import { type RouteReply, tenantNotFound } from "../http/route.ts"
import { NotReached, UrlRefused } from "../platform/outbound.ts"
import type { Idempotency } from "../platform/replay.ts"
import type { ManageDeps } from "./deps.ts"
import { type FindExternal, scopeNamed } from "./parse.ts"
import { conflict, replayed } from "./remember.ts"

/** What is kept of where a channel leads; of Slack's URL the path is the secret. A webhook's secret has a life of its own. */
type Kept = Pick<Channel, "config"> & { secret?: string }

/** A channel as HTTP shows it: never what it is signed with, nor what lets one post to Slack. */
export const showChannel = (channel: Channel): JsonObject => {
  const { channelId, tenantId, type, config, environment, events, createdAt, createdBy } = channel
  return { channelId, tenantId, type, ...config, environment, events, createdAt, createdBy }
}

const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/
export const isUuid = (text: string): boolean => UUID.test(text)

/** A token that is bound to an environment has to do with that one only, and not with what is for all of them. */
export const isWithin = (principal: Principal, environment: Environment | null): boolean =>
  principal.environment === null || principal.environment === environment

/** Throws FORBIDDEN for a channel that would tell a token's owner of other environments. */
export const mustBeWithin = (principal: Principal, environment: Environment | null): void => {
  if (!isWithin(principal, environment))
    throw new Refusal(
      "FORBIDDEN",
      `The token is bound to ${principal.environment}: name it as the environment.`,
    )
}

const notFound = (): Refusal => new Refusal("CHANNEL_NOT_FOUND", "There is no such channel.")

/** Throws CHANNEL_NOT_FOUND. */
export const channelNamed = async (
  deps: ManageDeps,
  scope: ScopeId,
  channelId: string,
  principal: Principal,
): Promise<Channel> => {
  const found = isUuid(channelId)
    ? (await listChannels(deps.db, scope)).find((channel) => channel.channelId === channelId)
    : undefined
  if (!found || !isWithin(principal, found.environment)) throw notFound()
  return found
}

/** It was there, and somebody took it away at that moment. */
export const stillThere = <T>(found: T | null): T => {
  if (found === null) throw notFound()
  return found
}

/** Throws TENANT_NOT_FOUND: a channel of a scope that is not there is not kept. */
export const mustBeThere = async (deps: ManageDeps, scope: ScopeId): Promise<void> => {
  if (!(await findTenant(deps.db, scope as TenantId))) throw tenantNotFound(scope)
}

/** The answer kept for this very request, or what `work` makes of it. */
export const once = async (
  deps: ManageDeps,
  scope: ScopeId,
  idempotency: Idempotency | null,
  work: () => Promise<RouteReply>,
): Promise<RouteReply> => {
  const kept = await replayed(deps, scope, idempotency)
  if (kept) return kept
  try {
    return await work()
  } catch (error) {
    if (!(error instanceof KeyTaken)) throw error
    return (await replayed(deps, scope, idempotency)) ?? conflict()
  }
}

export const scopeOfPath =
  ({ findExternal }: { findExternal: FindExternal }) =>
  async ({ params }: { params: { tenantId: string } }, principal: Principal) => ({
    scope: await scopeNamed(params.tenantId, principal, findExternal),
    environment: null,
  })

const invalid = (path: string, message: string): Refusal =>
  new Refusal("CHANNEL_INVALID", message, { errors: [{ path, message }] })

/** Throws CHANNEL_INVALID or ADDRESS_FORBIDDEN for a URL that nothing would be sent to. */
const mustBeUsable = async ({ messenger }: ManageDeps, url: string): Promise<void> => {
  try {
    await messenger.checkUrl(url)
  } catch (error) {
    if (error instanceof UrlRefused && error.because === "url") throw invalid("/url", error.message)
    if (error instanceof UrlRefused || error instanceof NotReached)
      throw new Refusal("ADDRESS_FORBIDDEN", error.message, {
        errors: [{ path: "/url", message: error.message }],
      })
    throw error
  }
}

/**
 * What is to be kept of where a new channel leads, or one whose `url` or `to` is altered. Throws CHANNEL_INVALID or
 * ADDRESS_FORBIDDEN.
 */
export const keptOf = async (
  deps: ManageDeps,
  type: Channel["type"],
  { url, to }: { url?: string | undefined; to?: string[] | undefined },
): Promise<Kept> => {
  if (type === "email") {
    if (url !== undefined) throw invalid("/url", "Mail has recipients in `to`, and no URL.")
    if (!deps.messenger.mails)
      throw invalid("/type", "No mail server is set up: the operator sets SMTP_URL and SMTP_FROM.")
    return { config: { to: to! } }
  }
  if (to !== undefined) throw invalid("/to", "Only mail has recipients.")
  await mustBeUsable(deps, url!)
  return type === "slack" ? { config: { url: leadsTo(url!) }, secret: url! } : { config: { url: url! } }
}
