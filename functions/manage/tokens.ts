import { z } from "@hono/zod-openapi"
import type { Principal } from "../../core/access.ts"
import { Refusal } from "../../core/errors.ts"
import { isTenant, PLATFORM, type ScopeId, type TenantId, type TokenId } from "../../core/ids.ts"
import { findTenant } from "../../db/queries/tenants.ts"
import { findToken, insertToken, listTokens, revokeToken, type TokenRow } from "../../db/queries/tokens.ts"
import { unknownToken } from "../http/auth.ts"
import { decodeCursor, encodeCursor } from "../http/cursor.ts"
import { type Call, json, type Route, type RouteReply, route, tenantNotFound } from "../http/route.ts"
import type { ManageDeps } from "./deps.ts"
import { environmentNamed, scopeNamed, tokenNamed, tokenNotFound } from "./parse.ts"
import { audited, conflict, remembered, replayed } from "./remember.ts"
import { Paging, PlatformTokenBody, page, TenantPath, TokenBody, TokenPath, TokenShown } from "./shapes.ts"
import { publishEverywhere } from "./tenant-parts.ts"
import { revokeIssued } from "./token-cascade.ts"
import { checkWish, issue, showToken, showTokens, type Wish } from "./token-parts.ts"

const Issued = {
  description: "The token, shown this once; a repeat under the same Idempotency-Key leaves it out",
  schema: TokenShown,
}

const issueReply = async (
  deps: ManageDeps,
  scope: ScopeId,
  wish: Wish,
  call: Pick<Call<unknown, unknown, unknown>, "principal" | "instance" | "idempotency">,
): Promise<RouteReply> => {
  checkWish(wish, call.principal)
  const kept = await replayed(deps, scope, call.idempotency)
  if (kept) return kept
  const { row, token } = await issue(deps, scope, wish, call.principal)
  const { subject, roles, environment } = row
  const audit = audited(call, "token.issue", row.tokenId, { subject, roles: [...roles], environment })
  // What is kept for a repeat must not hold the token: it is nowhere but with its owner.
  const keep = remembered(call.idempotency, (inserted: TokenRow) => ({
    status: 201,
    headers: {},
    body: showToken(inserted),
  }))
  const made = await insertToken(deps.db, scope, row, audit, keep)
  switch (made.kind) {
    case "inserted":
      return json(201, { ...showToken(made.token), token })
    case "missing":
      throw tenantNotFound(scope)
    case "revoked":
      throw unknownToken()
    case "conflict":
      return (await replayed(deps, scope, call.idempotency)) ?? conflict()
  }
}

const scopeOfPath =
  (deps: ManageDeps) =>
  async ({ params }: { params: { tenantId: string } }, principal: Parameters<typeof scopeNamed>[1]) => ({
    scope: await scopeNamed(params.tenantId, principal, deps.findExternal),
    environment: null,
  })

const issueRoute = (deps: ManageDeps): Route =>
  route({
    method: "post",
    path: "/api/v1/tenants/{tenantId}/tokens",
    operationId: "issueToken",
    tag: "Tokens",
    summary: "Issue a token of a tenant",
    action: "token.issue",
    params: TenantPath,
    body: TokenBody,
    replies: { 201: Issued },
    where: async ({ params, body }, principal) => {
      const scope = await scopeNamed(params.tenantId, principal, deps.findExternal)
      if (!isTenant(scope)) throw tenantNotFound(params.tenantId)
      const { environment } = body
      return {
        scope,
        environment:
          environment === undefined ? null : environmentNamed(environment, deps.settings.environments),
      }
    },
    run: async ({ body, scope, environment, ...call }) => {
      const { subject, roles, expiresInSeconds } = body
      return await issueReply(
        deps,
        scope!,
        { subject, roles, tenants: null, environment, expiresInSeconds },
        call,
      )
    },
  })

/** Every tenant named must be there: a reader of one that is made later would read it unasked. */
const tenantsNamed = async (
  deps: ManageDeps,
  tenants: readonly string[] | "*" | undefined,
  principal: Parameters<typeof scopeNamed>[1],
): Promise<readonly TenantId[] | "*"> => {
  if (tenants === undefined || tenants === "*") return "*"
  const scopes = await Promise.all(tenants.map((text) => scopeNamed(text, principal, deps.findExternal)))
  for (const scope of scopes)
    if (!isTenant(scope) || !(await findTenant(deps.db, scope))) throw tenantNotFound(scope)
  return scopes as TenantId[]
}

const platformRoute = (deps: ManageDeps): Route =>
  route({
    method: "post",
    path: "/api/v1/tokens",
    operationId: "issuePlatformToken",
    tag: "Tokens",
    summary: "Issue a reader of many tenants, or a further platform admin",
    action: "token.issue_platform",
    body: PlatformTokenBody,
    replies: { 201: Issued },
    run: async ({ body, scope: _platform, environment: _none, ...call }) => {
      const { subject, roles, expiresInSeconds } = body
      const tenants = await tenantsNamed(deps, body.tenants, call.principal)
      const environment =
        body.environment === undefined ? null : environmentNamed(body.environment, deps.settings.environments)
      return await issueReply(
        deps,
        PLATFORM,
        { subject, roles, tenants, environment, expiresInSeconds },
        call,
      )
    },
  })

const listRoute = (deps: ManageDeps): Route =>
  route({
    method: "get",
    path: "/api/v1/tenants/{tenantId}/tokens",
    operationId: "listTokens",
    tag: "Tokens",
    summary: "The tokens of a tenant (or of `~platform`), oldest first, the tokens themselves left out",
    action: "token.list",
    params: TenantPath,
    query: z.strictObject(Paging),
    replies: { 200: { description: "A page of tokens", schema: page(TokenShown) } },
    where: scopeOfPath(deps),
    run: async ({ query: { limit, cursor }, scope, principal: { environment } }) => {
      const after =
        cursor === undefined ? undefined : (String(decodeCursor("tokens", cursor, 1)[0]) as TokenId)
      const rows = await listTokens(deps.db, scope!, {
        limit: limit + 1,
        ...(after ? { after } : {}),
        ...(environment ? { environment } : {}),
      })
      const shown = rows.slice(0, limit)
      const last = rows.length > limit ? shown.at(-1) : undefined
      return json(200, {
        items: await showTokens(deps, scope!, shown),
        nextCursor: last ? encodeCursor("tokens", [last.tokenId]) : null,
      })
    },
  })

/** Who is bound to one environment revokes no token that reaches further. */
const checkBound = async (
  deps: ManageDeps,
  scope: ScopeId,
  tokenId: TokenId,
  { environment }: Principal,
): Promise<void> => {
  if (environment === null) return
  const found = await findToken(deps.db, scope, tokenId)
  if (!found) throw tokenNotFound(tokenId)
  if (found.token.environment !== environment)
    throw new Refusal("FORBIDDEN", `The token is bound to ${environment}; that one is not.`)
}

const RevokeQuery = z.strictObject({
  cascade: z
    .enum(["true", "false"])
    .optional()
    .openapi({ description: "`true`: also what was issued with it, and with that, and so on" }),
})

const revokeRoute = (deps: ManageDeps): Route =>
  route({
    method: "delete",
    path: "/api/v1/tenants/{tenantId}/tokens/{tokenId}",
    operationId: "revokeToken",
    tag: "Tokens",
    summary: "Revoke a token, and on request whatever was issued with it; again does no harm",
    action: "token.revoke",
    // With what was issued with it, in every tenant.
    isLong: true,
    params: TokenPath,
    query: RevokeQuery,
    replies: { 200: { description: "The token as it is now", schema: TokenShown } },
    where: scopeOfPath(deps),
    run: async ({ params, query, scope, ...call }) => {
      const { tokenId, scope: owner } = tokenNamed(params.tokenId)
      if (owner !== scope) throw tokenNotFound(params.tokenId)
      await checkBound(deps, scope, tokenId, call.principal)
      const kept = await replayed(deps, scope, call.idempotency)
      // What was broken off on the way down is gone through again.
      if (kept && query.cascade === "true") await revokeIssued(deps, scope, tokenId, call)
      if (kept) return kept
      const revoked = await revokeToken(
        deps.db,
        scope,
        tokenId,
        call.principal.subject,
        deps.settings.environments,
        audited(call, "token.revoke", tokenId),
        remembered(call.idempotency, (token: TokenRow) => ({
          status: 200,
          headers: {},
          body: showToken(token),
        })),
      )
      switch (revoked.kind) {
        case "revoked":
          if (query.cascade === "true") await revokeIssued(deps, scope, tokenId, call)
          publishEverywhere(deps, scope)
          return json(200, showToken(revoked.token))
        case "missing":
          throw tokenNotFound(params.tokenId)
        case "conflict":
          return (await replayed(deps, scope, call.idempotency)) ?? conflict()
      }
    },
  })

export const tokenRoutes = (deps: ManageDeps): Route[] => [
  issueRoute(deps),
  platformRoute(deps),
  listRoute(deps),
  revokeRoute(deps),
]
