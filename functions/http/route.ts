import type { RouteConfig } from "@hono/zod-openapi"
import { z } from "@hono/zod-openapi"
import { type Action, PERMISSIONS, type Principal } from "../../core/access.ts"
import { Refusal } from "../../core/errors.ts"
import type { ScopeId } from "../../core/ids.ts"
import type { Idempotency } from "../platform/replay.ts"
import { parseBody } from "./body.ts"
import { LIMITS_MS } from "./deadline.ts"
import { describe } from "./describe.ts"
import { idempotencyOf } from "./idempotency.ts"
import { noteTenant } from "./notes.ts"
import { permit, tenantNotFound, type Where } from "./permit.ts"
import { checked } from "./validate.ts"

export { permit, tenantNotFound, type Where } from "./permit.ts"

/** An answer as a value: status, headers and the bytes. */
export interface RouteReply {
  status: number
  headers: Record<string, string>
  /** Pieces where there may be too many to be held at once: then what fails on the way cuts the answer off. */
  body: string | Uint8Array | Pieces | null
}

/** An answer that is made while it is sent. */
export type Pieces = AsyncIterable<Uint8Array>

/** What the door hands a route: the request, read but not yet judged. */
export interface Knock {
  method: string
  url: string
  params: Record<string, string>
  query: Record<string, string>
  header(name: string): string | undefined
  text: string
  instance: string
  /** What requests with an idempotency key are told apart by. */
  requestKey: Uint8Array
  /** Establishes who asks to do that, once; throws UNAUTHENTICATED. */
  principal(action: Action): Promise<Principal>
  /** The scope that `X-Tenant-ID` names; throws when it names none this principal may see. */
  headerScope(principal: Principal): Promise<ScopeId | null>
  /** Is there such a scope, and is it not deleted? */
  exists(scope: ScopeId): Promise<boolean>
  /** Told what the request is about, before it is asked whether that may be. */
  about(scope: ScopeId | null): void
}

export interface Input<Params, Query, Body> {
  params: Params
  query: Query
  body: Body
}

/** A judged request: shape, principal and permission are as the route asked. */
export interface Call<Params, Query, Body> extends Input<Params, Query, Body>, Where {
  principal: Principal
  idempotency: Idempotency | null
  ifMatch: string | undefined
  ifNoneMatch: string | undefined
  instance: string
}

/** One reply a route gives, as the reference describes it. */
export interface Described {
  description: string
  schema?: z.ZodType
  contentType?: string
  /** Other forms of the same, as text. */
  alsoAs?: readonly string[]
}

export interface RouteSpec<Params extends z.ZodType, Query extends z.ZodType, Body extends z.ZodType> {
  method: "get" | "post" | "put" | "patch" | "delete"
  /** With `{name}` for each parameter. */
  path: string
  operationId: string
  tag: string
  summary: string
  /** What the principal must be allowed to do; `null` only for what everybody may see. */
  action: Action | null
  params?: Params
  query?: Query
  body?: Body
  replies: Readonly<Record<number, Described>>
  /** What it reads outlives the tenant. */
  evenDeleted?: true
  /** It looks through much, or waits for somebody else's server, and may take longer than others. */
  isLong?: true
  where?: (
    input: Input<z.output<Params>, z.output<Query>, z.output<Body>>,
    principal: Principal,
  ) => Where | Promise<Where>
  run: (call: Call<z.output<Params>, z.output<Query>, z.output<Body>>) => Promise<RouteReply>
}

/** A route whose types are settled: what the app registers and the reference shows. */
export interface Route {
  method: RouteSpec<z.ZodType, z.ZodType, z.ZodType>["method"]
  path: string
  action: Action | null
  /** How long it may take. */
  limitMs: number
  /** Made when it is asked for. */
  readonly reference: RouteConfig
  handle(knock: Knock): Promise<RouteReply>
}

const NOWHERE: Where = { scope: null, environment: null }
const NOTHING = z.strictObject({})

/**
 * Whoever sees every tenant sees those that are not there as well: a read has to ask. A tenant's own token
 * was found with its tenant, and a mutation finds out by itself.
 */
const mustExist = async (knock: Knock, principal: Principal, { scope }: Where): Promise<void> => {
  if (scope && principal.tenants === "*" && !(await knock.exists(scope))) throw tenantNotFound(scope)
}

const checkTenantHeader = async (knock: Knock, principal: Principal, where: Where): Promise<void> => {
  const named = knock.header("x-tenant-id")
  if (named === undefined) return
  if (where.scope === null) {
    await knock.headerScope(principal)
    return
  }
  if (named === where.scope) return
  // An external id may name the same tenant; anything else contradicts, whether or not it exists.
  const scope = await knock.headerScope(principal).catch(() => null)
  if (scope !== where.scope)
    throw new Refusal(
      "TENANT_MISMATCH",
      `X-Tenant-ID is "${named}", but the request is about "${where.scope}".`,
    )
}

const PUBLIC: Principal = {
  subject: "anonymous",
  tokenId: "startup",
  roles: [],
  tenants: [],
  environment: null,
  ancestors: [],
}

/** Declares one route. One that names no action of {@link PERMISSIONS} does not start, unless it says `null`. */
export const route = <Params extends z.ZodType, Query extends z.ZodType, Body extends z.ZodType>(
  spec: RouteSpec<Params, Query, Body>,
): Route => {
  if (spec.action !== null && !Object.hasOwn(PERMISSIONS, spec.action))
    throw new Error(`${spec.method} ${spec.path} names no action`)
  const readsBody = spec.method !== "get"
  const handle = async (knock: Knock): Promise<RouteReply> => {
    const principal = spec.action === null ? PUBLIC : await knock.principal(spec.action)
    const input = {
      params: checked((spec.params ?? NOTHING) as Params, knock.params, "params"),
      query: checked((spec.query ?? NOTHING) as Query, knock.query, "query"),
      body: checked((spec.body ?? NOTHING) as Body, readsBody ? parseBody(knock.text) : {}, "body"),
    }
    const where = (await spec.where?.(input, principal)) ?? NOWHERE
    if (spec.action !== null) {
      knock.about(where.scope)
      permit(principal, spec.action, where)
      await checkTenantHeader(knock, principal, where)
      if (!readsBody && !spec.evenDeleted) await mustExist(knock, principal, where)
    }
    if (where.scope !== null) noteTenant(where.scope)
    const ifMatch = knock.header("if-match")
    return await spec.run({
      ...input,
      ...where,
      principal,
      ifMatch,
      ifNoneMatch: knock.header("if-none-match"),
      instance: knock.instance,
      idempotency: readsBody
        ? idempotencyOf(
            knock.header("idempotency-key"),
            principal,
            { method: knock.method, url: knock.url, body: knock.text, ifMatch },
            knock.requestKey,
          )
        : null,
    })
  }
  const { method, path, action } = spec
  const limitMs = LIMITS_MS[spec.isLong ? "long" : readsBody ? "write" : "read"]
  return {
    method,
    path,
    action,
    limitMs,
    get reference() {
      return describe(spec)
    },
    handle,
  }
}

/** A JSON answer. */
export const json = (status: number, body: unknown, headers: Record<string, string> = {}): RouteReply => ({
  status,
  headers: { "content-type": "application/json; charset=utf-8", ...headers },
  body: JSON.stringify(body),
})
