import type * as Access from "../../core/access.ts"
import type * as Audit from "../../db/queries/audit.ts"
import type * as Changes from "../../db/queries/changes.ts"
import type * as Loading from "../../db/queries/scope.ts"
import type * as Tenant from "../../db/tenant.ts"
import type * as Edge from "../../functions/edge/edge.ts"
import type * as EdgeScope from "../../functions/edge/scope.ts"
import type * as Auth from "../../functions/http/auth.ts"
import type * as Parse from "../../functions/manage/parse.ts"
import type * as CacheKeys from "../../functions/platform/cache-keys.ts"
import { armed, inModule, type Mutant } from "./mutant.ts"

const header = { now: "none" }

/** Made by the tree that is loaded now, which knows no other's. */
const refusal = async (code: "TENANT_NOT_FOUND" | "FORBIDDEN", detail: string): Promise<Error> => {
  const { Refusal } = await import("../../core/errors.ts")
  return new Refusal(code, detail)
}

const READS = ["readTenantConfigs"]
const SEEN = [
  "getTenant",
  "listConfigs",
  "getConfig",
  "listChanges",
  "getChange",
  "listAudit",
  "listChannels",
]
const scopeOf = (text: string) => text as never

/** Ways to tell one tenant of another in the application: each is put in on purpose and has to be found by the probes. */
export const APPLICATION_MUTANTS: Readonly<Record<string, Mutant>> = {
  "everybody sees every tenant": inModule(
    "../../core/access.ts",
    (access: typeof Access) => ({
      sees: () => true,
      may: ({ roles }: Access.Principal, action: Access.Action) =>
        roles.includes("platform_admin") ||
        roles.some((role) => (access.PERMISSIONS[action] as readonly Access.Role[]).includes(role)),
    }),
    SEEN,
  ),
  "a tenant's token is for all tenants": inModule(
    "../../functions/http/auth.ts",
    (auth: typeof Auth) => ({
      keptToken: (...given: Parameters<typeof Auth.keptToken>) => ({
        ...auth.keptToken(...given),
        tenants: "*",
      }),
    }),
    SEEN,
  ),
  "the edge asks no reader which tenants it may see": inModule(
    "../../functions/edge/readers.ts",
    () => ({ seesTenant: () => true }),
    [...READS, "stream"],
  ),
  "a Redis key for pointers without the tenant": inModule(
    "../../functions/platform/cache-keys.ts",
    () => ({ pointerKey: (_tenant: string, environment: string) => `hotswap:pointer:${environment}` }),
    READS,
  ),
  "a Redis key for views without the tenant": inModule(
    "../../functions/platform/cache-keys.ts",
    (keys: typeof CacheKeys) => ({
      viewKeys: (_tenant: string, view: string, chunks: number) =>
        keys.viewKeys(scopeOf(""), scopeOf(view), chunks),
    }),
    READS,
  ),
  "one channel for everybody's moves": inModule(
    "../../functions/platform/cache-keys.ts",
    () => ({ eventsChannel: () => "hotswap:events" }),
    ["createConfig", "submitChange"],
  ),
  "an edge cache key for pointers without the tenant": inModule(
    "../../functions/edge/scope.ts",
    () => ({
      pointerCacheKey: ({ environment }: EdgeScope.Scope) =>
        `https://cache.hotswap.internal/1/pointer/${environment}`,
    }),
    READS,
  ),
  "an edge cache key for views without the tenant": inModule(
    "../../functions/edge/scope.ts",
    () => ({
      viewCacheKey: ({ environment }: EdgeScope.Scope, { view }: EdgeScope.ViewPart) =>
        `https://cache.hotswap.internal/1/view/${environment}/${view}`,
    }),
    READS,
  ),
  "an edge cache key from the client's header": {
    holes: [
      {
        module: "../../functions/edge/edge.ts",
        alter: (edge: typeof Edge) => ({
          createEdge: (bindings: Parameters<typeof Edge.createEdge>[0]) => {
            const inner = edge.createEdge(bindings)
            const answer: Edge.Edge["answer"] = (request, life) => {
              header.now = request.headers.get("x-tenant-id") ?? "none"
              return inner.answer(request, life)
            }
            return { ...inner, answer }
          },
        }),
      },
      {
        module: "../../functions/edge/scope.ts",
        alter: () => ({
          pointerCacheKey: ({ environment }: EdgeScope.Scope) =>
            `https://cache.hotswap.internal/1/pointer/${header.now}/${environment}`,
        }),
      },
    ],
    by: "probes",
    operations: READS,
  },
  "an error that names whose an external id is": inModule(
    "../../functions/manage/parse.ts",
    (parse: typeof Parse) => ({
      scopeNamed: async (...[text, principal, find]: Parameters<typeof Parse.scopeNamed>) => {
        const scope = await parse.resolveScope(text, find)
        if (!scope || (principal.tenants !== "*" && !principal.tenants.includes(scope as never)))
          throw await refusal("TENANT_NOT_FOUND", `There is no tenant "${scope ?? text}".`)
        return scope
      },
    }),
    SEEN,
  ),
  "forbidden where there is one, not found where there is none": inModule(
    "../../functions/manage/parse.ts",
    (parse: typeof Parse) => ({
      scopeNamed: async (...[text, principal, find]: Parameters<typeof Parse.scopeNamed>) => {
        const scope = await parse.resolveScope(text, find)
        if (
          scope &&
          text.includes(":") &&
          principal.tenants !== "*" &&
          !principal.tenants.includes(scope as never)
        )
          throw await refusal("FORBIDDEN", "It is somebody else's.")
        return await parse.scopeNamed(text, principal, find)
      },
    }),
    SEEN,
  ),
  "a list of audit entries without its tenant": inModule(
    "../../db/queries/audit.ts",
    (audit: typeof Audit) => ({
      listAudit: (...[database, , filter]: Parameters<typeof Audit.listAudit>) =>
        audit.listAudit(database, scopeOf("birch"), filter),
    }),
    ["listAudit"],
  ),
  "a cursor that says whose list it is": inModule(
    "../../db/queries/changes.ts",
    (changes: typeof Changes) => ({
      listChanges: (...[database, scope, filter]: Parameters<typeof Changes.listChanges>) =>
        changes.listChanges(database, scopeOf(String(filter.before ?? scope).split(":")[0]!), filter),
    }),
    ["listChanges", "listApprovals"],
  ),
  "idempotency keys that tenants share": inModule(
    "../../db/queries/scope.ts",
    (loading: typeof Loading) => ({
      loadScope: async (...[runner, request]: Parameters<typeof Loading.loadScope>) => {
        const own = await loading.loadScope(runner, request)
        if (!own || !request.idempotencyKey || request.scope === "birch") return own
        const other = await loading.loadScope(runner, { ...request, scope: scopeOf("birch") })
        return { ...own, replay: own.replay ?? other?.replay ?? null }
      },
    }),
    ["submitChange"],
  ),
  "the tenant of another call": inModule(
    "../../db/tenant.ts",
    (tenant: typeof Tenant) => ({
      withTenant: (...[database, scope, work]: Parameters<typeof Tenant.withTenant>) =>
        tenant.withTenant(database, armed.now ? scopeOf("birch") : scope, work),
    }),
    ["listAudit", "listChanges", "listChannels"],
  ),
}
