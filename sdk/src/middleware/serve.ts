import { parseTenantId } from "../../../core/ids.ts"
import { TenantContext } from "../context.ts"
import type { LimitDecision, LimitsClient } from "../limits.ts"
import { statusOf } from "../tenants.ts"
import type { Client, Context } from "../types.ts"
import { answerTo, isRefusal, type RefusalAnswer, TenantRefusal } from "./refusal.ts"
import type { Incoming, TenantResolver } from "./resolve.ts"

/** Where clients come from: `Tenants`, or those of the test kit. */
export interface TenantSource {
  ready(tenantId: string): Promise<Client>
}

/** How one request went. */
export interface RequestMetric {
  /** `null`: it was refused before that was known. */
  tenantId: string | null
  method: string
  /** As the application declared it, such as `/orders/:id`; `null`: none was met, or none is known. */
  route: string | null
  status: number
  /** From its arrival to the last byte of the answer. */
  durationMs: number
}

export interface TenantOptions<Raw> {
  tenants: TenantSource
  /** Whose request is it? See `byHeader`, `byHost`, `byPath`, `byExternalId` in `@hotswap/sdk/resolve`. */
  resolve: TenantResolver<Raw>
  /** Who is it for: what flags and rollouts are decided by. */
  targetingKey?: (request: Incoming<Raw>) => string | null | undefined
  /** What rules may look at besides. */
  attributes?: (request: Incoming<Raw>) => Context | undefined
  /** The request's route for metrics, where the framework's own says too much or nothing. */
  route?: (request: Incoming<Raw>) => string | null
  /** Asked before the handler where `action` names one. */
  limits?: Pick<LimitsClient, "consume">
  /** Which of the tenant's limits the request counts towards; `null`: none. */
  action?: string | ((request: Incoming<Raw>) => string | null | undefined)
  /** What becomes of a request whose limit nobody can tell. Default `allow`. */
  whenLimitsUnavailable?: "allow" | "refuse"
  /** Told of every request once it is over, those refused too. */
  onRequest?: (metric: RequestMetric) => void
  /** Told of what went wrong without the caller being told: limits that do not answer, a hook that throws. */
  onError?: (error: unknown) => void
}

/** A request on its way, with its context. */
export interface Begun {
  kind: "begun"
  context: TenantContext
  /** To be added to the answer, whatever it will be. */
  headers: Readonly<Record<string, string>>
  /** To be called when the answer is out: once counts. */
  finish: (end: End) => void
}
/** One that goes no further. It has been told of already. */
export type Refused = { kind: "refused"; answer: RefusalAnswer }

export interface End {
  /** 0: the caller left before there was one. */
  status: number
  route: () => string | null
  /** The handler threw, or broke off its answer. */
  failed?: boolean
}

const REQUEST_ID = /^[\w.:-]{1,128}$/

/** What all middleware does before the handler: whose, what it sees, whether it may. */
export const begin = async <Raw>(
  options: TenantOptions<Raw>,
  request: Incoming<Raw>,
): Promise<Begun | Refused> => {
  const startedAt = performance.now()
  const sent = request.header("x-request-id")
  const requestId = sent !== undefined && REQUEST_ID.test(sent) ? sent : crypto.randomUUID()
  let tenantId: string | null = null
  try {
    tenantId = await resolved(options, request)
    const client = await clientOf(options.tenants, tenantId)
    const context = contextOf(options, request, client, requestId)
    const headers = await TenantContext.run(context, () => limited(options, request, context))
    const finish = finishing(options, request, context, client, startedAt)
    return { kind: "begun", context, headers, finish }
  } catch (error) {
    const status = isRefusal(error) ? error.status : 500
    tell(options, { tenantId, method: request.method, route: null, status, durationMs: since(startedAt) })
    if (!isRefusal(error)) throw error
    return { kind: "refused", answer: answerTo(error, requestId) }
  }
}

const since = (startedAt: number): number => performance.now() - startedAt

const resolved = async <Raw>(options: TenantOptions<Raw>, request: Incoming<Raw>): Promise<string> => {
  const named = await options.resolve(request)
  if (named === null || named === undefined)
    throw new TenantRefusal("TENANT_UNNAMED", "Nothing in the request names a tenant.")
  if (parseTenantId(named) === null)
    throw new TenantRefusal("TENANT_ID_INVALID", "A tenant's id is 1 to 63 of a-z, 0-9 and dashes.")
  return named
}

/** The tenant's client, or the refusal that says why there is none. */
export const clientOf = async (tenants: TenantSource, tenantId: string): Promise<Client> => {
  try {
    return await tenants.ready(tenantId)
  } catch (cause) {
    if (statusOf(cause) === 404)
      throw new TenantRefusal("TENANT_NOT_FOUND", "There is no such tenant.", { cause })
    if (statusOf(cause) === 403)
      throw new TenantRefusal("TENANT_FORBIDDEN", "The tenant is not served at present.", { cause })
    const headers = { "retry-after": "1" }
    throw new TenantRefusal("CONFIGURATION_UNAVAILABLE", "Try again in a moment.", { headers, cause })
  }
}

const contextOf = <Raw>(
  { targetingKey, attributes }: TenantOptions<Raw>,
  request: Incoming<Raw>,
  client: Client,
  requestId: string,
): TenantContext => {
  const key = targetingKey?.(request) ?? undefined
  return TenantContext.of({
    view: client.view(key),
    requestId,
    targetingKey: key,
    attributes: attributes?.(request),
  })
}

/** Counts the request, and says what to add to its answer; throws where there was no room for it. */
const limited = async <Raw>(
  options: TenantOptions<Raw>,
  request: Incoming<Raw>,
  { tenantId }: TenantContext,
): Promise<Readonly<Record<string, string>>> => {
  const { limits, action: choice, whenLimitsUnavailable = "allow" } = options
  const action = typeof choice === "function" ? choice(request) : choice
  if (!limits || !action) return {}
  const decision = await limits.consume(tenantId, action)
  if (decision.kind === "allowed") return decision.headers
  if (decision.kind === "refused") throw overLimit(action, decision)
  report(options, decision.error)
  if (whenLimitsUnavailable === "allow") return {}
  throw new TenantRefusal("LIMITS_UNAVAILABLE", "Try again in a moment.", { headers: { "retry-after": "1" } })
}

const overLimit = (
  action: string,
  { state, headers }: Extract<LimitDecision, { kind: "refused" }>,
): TenantRefusal =>
  new TenantRefusal("RATE_LIMITED", `The limit of ${action} is ${state.limit}.`, {
    headers: { ...retryAfter(state.retryAfterMs), ...headers },
  })

/** A client must not come back too early: whole seconds are rounded up. */
const retryAfter = (ms: number | null): Record<string, string> =>
  ms === null ? {} : { "retry-after": String(Math.max(1, Math.ceil(ms / 1_000))) }

const finishing = <Raw>(
  options: TenantOptions<Raw>,
  request: Incoming<Raw>,
  { tenantId, view }: TenantContext,
  client: Client,
  startedAt: number,
): Begun["finish"] => {
  let isOver = false
  return ({ status, route: met, failed = false }) => {
    if (isOver) return
    isOver = true
    const durationMs = since(startedAt)
    // Who left before the answer says nothing about the configuration that it was served from.
    // What the client does of it later is no business of this request, and must not keep what it saw.
    if (status > 0 || failed)
      TenantContext.outside(() => client.report(view, { ok: !failed && status < 500, latencyMs: durationMs }))
    safely(options, () => {
      const route = options.route ? options.route(request) : met()
      return options.onRequest?.({ tenantId, method: request.method, route, status, durationMs })
    })
  }
}

interface Hooks {
  onRequest?: (metric: RequestMetric) => void
  onError?: (error: unknown) => void
}

const tell = (hooks: Hooks, metric: RequestMetric): void => safely(hooks, () => hooks.onRequest?.(metric))

/** A hook's own failure ends nothing. */
export const safely = (hooks: Pick<Hooks, "onError">, hook: () => unknown): void => {
  try {
    const result = hook()
    if (result instanceof Promise) result.catch((error: unknown) => report(hooks, error))
  } catch (error) {
    report(hooks, error)
  }
}

const warnedOf = new WeakSet<Error>()

/** Tells of what no caller is told; each error once where nobody listens. */
export const report = ({ onError }: Pick<Hooks, "onError">, thrown: unknown): void => {
  const error = thrown instanceof Error ? thrown : new Error(String(thrown))
  try {
    if (onError) {
      onError(error)
      return
    }
  } catch {
    // The warning is then what is left to tell by.
  }
  if (warnedOf.has(error)) return
  warnedOf.add(error)
  process.emitWarning(error)
}
