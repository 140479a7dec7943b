import type { Environment } from "./environment.ts"
import { isTenant, type ScopeId, type TenantId, type TokenId } from "./ids.ts"

export const ROLES = ["viewer", "engineer", "manager", "compliance", "tenant_admin", "reader"] as const
/** What a token of a tenant may be. `platform_admin` is given only to the platform's own tokens. */
export type Role = (typeof ROLES)[number] | "platform_admin"

/** Who is asking, as established once at the door. */
export interface Principal {
  /** Unique within the platform: `alice@acme`, `ci`, …; approvals count distinct subjects. */
  subject: string
  tokenId: TokenId | "startup"
  roles: readonly Role[]
  /** The tenants it may name; `"*"` is every one. */
  tenants: readonly TenantId[] | "*"
  /** A token bound to one environment may name no other. */
  environment: Environment | null
  /** Subjects that issued this token, its issuer's token, and so on, nearest first. */
  ancestors: readonly string[]
}

/** One row per action: who may, in words that also stand in the docs. */
export const PERMISSIONS = {
  /** Whoever has a token may ask what it is. */
  "self.read": ["reader", "viewer", "engineer", "manager", "compliance", "tenant_admin"],
  "tenant.create": ["platform_admin"],
  "tenant.list": ["platform_admin"],
  "tenant.read": ["viewer", "engineer", "manager", "compliance", "tenant_admin"],
  "tenant.update": ["tenant_admin"],
  "tenant.tier": ["platform_admin"],
  "tenant.suspend": ["platform_admin"],
  "tenant.delete": ["platform_admin"],
  "token.issue": ["tenant_admin"],
  "token.issue_platform": ["platform_admin"],
  "token.list": ["tenant_admin"],
  "token.revoke": ["tenant_admin"],
  "config.read": ["viewer", "engineer", "manager", "compliance", "tenant_admin"],
  /** In plain text, each time audited. */
  "secret.read": ["tenant_admin"],
  "secret.rotate": ["tenant_admin"],
  "view.read": ["reader", "viewer", "engineer", "manager", "compliance", "tenant_admin"],
  /** Has those who read look again. */
  "view.reload": ["manager", "tenant_admin"],
  "view.preview": ["engineer", "manager", "compliance", "tenant_admin"],
  "change.submit": ["engineer", "manager", "tenant_admin"],
  "change.read": ["viewer", "engineer", "manager", "compliance", "tenant_admin"],
  "change.approve": ["engineer", "manager", "compliance"],
  "change.cancel": ["engineer", "manager", "tenant_admin"],
  "change.control": ["engineer", "manager", "tenant_admin"],
  /** Of these, the policy names those who may. */
  "change.break_glass": ["engineer", "manager", "compliance", "tenant_admin"],
  "change.review": ["manager", "compliance"],
  "change.signal": ["engineer", "manager", "tenant_admin"],
  "policy.read": ["viewer", "engineer", "manager", "compliance", "tenant_admin"],
  "policy.submit": ["manager", "tenant_admin"],
  "channel.read": ["tenant_admin"],
  "channel.manage": ["tenant_admin"],
  "change.comment": ["engineer", "manager", "compliance", "tenant_admin"],
  "outcome.report": ["reader"],
  /** Tells what happened at a tenant. */
  "event.record": ["reader", "engineer", "tenant_admin"],
  /** What that comes to, and how the tenant's requests fare. */
  "usage.read": ["viewer", "engineer", "manager", "compliance", "tenant_admin"],
  "feature.read": ["reader", "viewer", "engineer", "manager", "compliance", "tenant_admin"],
  "limit.read": ["reader", "viewer", "engineer", "manager", "compliance", "tenant_admin"],
  "limit.consume": ["reader", "engineer", "tenant_admin"],
  /** Whoever is limited does not take back what was counted. */
  "limit.reset": ["platform_admin"],
  /** Whoever is no tenant admin: their own. */
  "job.read": ["viewer", "engineer", "manager", "compliance", "tenant_admin"],
  "job.cancel": ["viewer", "engineer", "manager", "compliance", "tenant_admin"],
  "audit.read": ["compliance", "tenant_admin"],
  "audit.export": ["compliance", "tenant_admin"],
  "audit.retain": ["tenant_admin"],
  "report.read": ["compliance", "tenant_admin"],
  "report.review": ["compliance"],
  "person.export": ["compliance", "tenant_admin"],
  "person.erase": ["tenant_admin"],
  "backup.create": ["tenant_admin"],
  "backup.read": ["tenant_admin"],
  "backup.validate": ["tenant_admin"],
  /** Which are kept: hold, let go, delete. */
  "backup.keep": ["tenant_admin"],
  /** How often, and what is kept, within what the tier brings. */
  "backup.schedule": ["tenant_admin"],
  /** Beyond that. */
  "backup.schedule_all": ["platform_admin"],
  "backup.drill": ["platform_admin"],
  "metrics.read": ["platform_admin"],
  /** Of every tenant. */
  "backup.list_all": ["platform_admin"],
  "backup.download": ["tenant_admin"],
  /** Taking in what another deployment made, or what the database has lost. */
  "backup.import": ["platform_admin"],
  /** To another deployment. */
  "backup.hand_over": ["platform_admin"],
  "deployment.read": ["platform_admin"],
  /** Into a tenant that is here: what it does goes by changes, which take their own permission. */
  "backup.restore": ["tenant_admin"],
  /** Makes a tenant. */
  "backup.clone": ["platform_admin"],
  "backend.read": ["viewer", "engineer", "manager", "compliance", "tenant_admin"],
  "backend.manage": ["tenant_admin"],
  /** Where only this network reaches, and whatever the platform has set. */
  "backend.vouch": ["platform_admin"],
  /** What is made for a tenant in the operator's cluster, and of what. */
  "provisioning.read": ["tenant_admin"],
  "provisioning.manage": ["platform_admin"],
  "backend.check": ["engineer", "manager", "tenant_admin"],
  /** Of all that the tenant keeps there, whatever environment it came from. */
  "backend.query": ["viewer", "engineer", "manager", "compliance", "tenant_admin"],
  "backend.write": ["reader", "engineer", "tenant_admin"],
} as const satisfies Record<string, readonly Role[]>

/** What anybody may see without saying who they are: about the service, never about a tenant. */
export const PUBLIC_ROUTES: readonly string[] = [
  "GET /",
  "GET /assets/{name}",
  "GET /docs",
  "GET /docs/errors",
  "GET /docs/assets/{name}",
  "GET /openapi.json",
  "GET /health",
  "GET /ready",
]

export type Action = keyof typeof PERMISSIONS

/**
 * What a token bound to an environment may also ask of a tenant without naming one: the routes of these look at the
 * environment of what they find, or hand it on. Nothing else that is about a tenant as a whole is for such a token.
 */
export const WITHIN_ENVIRONMENT: readonly Action[] = [
  "self.read",
  "tenant.list",
  "tenant.read",
  "token.issue",
  "token.issue_platform",
  "token.list",
  "token.revoke",
  "change.read",
  "change.approve",
  "change.cancel",
  "change.control",
  "change.break_glass",
  "change.review",
  "change.signal",
  "change.comment",
  "event.record",
  "usage.read",
  "channel.read",
  "channel.manage",
  "audit.read",
  "backend.write",
]

/** Does the scope exist as far as this principal is concerned? If not, it is answered as if it never was. */
export const sees = (principal: Principal, scope: ScopeId): boolean =>
  principal.tenants === "*"
    ? isTenant(scope) || principal.roles.includes("platform_admin")
    : isTenant(scope) && principal.tenants.includes(scope)

const isWithin = ({ environment }: Principal, action: Action, named: Environment | null): boolean =>
  environment === null || (named === null ? WITHIN_ENVIRONMENT.includes(action) : named === environment)

/** May the principal do this here? Ask {@link sees} first: what one cannot see is not refused but absent. */
export const may = (
  principal: Principal,
  action: Action,
  where: { scope: ScopeId | null; environment: Environment | null },
): boolean => {
  if (where.scope && !sees(principal, where.scope)) return false
  if (!isWithin(principal, action, where.environment)) return false
  if (principal.roles.includes("platform_admin")) return true
  return principal.roles.some((role) => (PERMISSIONS[action] as readonly Role[]).includes(role))
}
