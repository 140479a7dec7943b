import { describe, expect, test } from "vitest"
import {
  type Action,
  may,
  PERMISSIONS,
  type Principal,
  ROLES,
  type Role,
  sees,
  WITHIN_ENVIRONMENT,
} from "../../core/access.ts"
import type { Environment } from "../../core/environment.ts"
import { PLATFORM, type TenantId, type TokenId, tierScope } from "../../core/ids.ts"

const acme = "acme" as TenantId
const globex = "globex" as TenantId
const staging = "Staging" as Environment
const production = "Production" as Environment
const actions = Object.keys(PERMISSIONS) as Action[]

const principal = (roles: readonly Role[], more: Partial<Principal> = {}): Principal => ({
  subject: "alice",
  tokenId: "acme:tok_0" as TokenId,
  roles,
  tenants: [acme],
  environment: null,
  ancestors: [],
  ...more,
})
const platformAdmin = principal(["platform_admin"], { tenants: "*" })

describe("what a principal sees", () => {
  test("is its own tenants, and no other tenant, tier or platform", () => {
    const everyRole = principal([...ROLES])
    expect([acme, globex, PLATFORM, tierScope("Pro")].map((scope) => sees(everyRole, scope))).toEqual([
      true,
      false,
      false,
      false,
    ])
  })

  test("is every tenant for a reader of all, but not the platform's scopes", () => {
    const reader = principal(["reader"], { tenants: "*" })
    expect([acme, globex, PLATFORM, tierScope("Pro")].map((scope) => sees(reader, scope))).toEqual([
      true,
      true,
      false,
      false,
    ])
  })

  test("is everything for a platform admin", () => {
    expect([acme, PLATFORM, tierScope("Free")].every((scope) => sees(platformAdmin, scope))).toBe(true)
  })

  test("is nothing for one without tenants", () => {
    expect(sees(principal([...ROLES], { tenants: [] }), acme)).toBe(false)
  })
})

describe("what a principal may", () => {
  const here = { scope: acme, environment: staging }

  test("is what one of its roles is named for, action by action", () => {
    for (const action of actions)
      for (const role of ROLES)
        expect([action, role, may(principal([role]), action, here)]).toEqual([
          action,
          role,
          (PERMISSIONS[action] as readonly Role[]).includes(role),
        ])
  })

  test("is nothing at all where it sees nothing, whatever its roles", () => {
    for (const action of actions)
      for (const scope of [globex, PLATFORM, tierScope("Free")])
        expect(may(principal([...ROLES]), action, { scope, environment: null })).toBe(false)
  })

  test("ends at the environment its token is bound to, for a platform admin as well", () => {
    for (const bound of [
      principal([...ROLES], { environment: staging }),
      { ...platformAdmin, environment: staging },
    ]) {
      expect(may(bound, "config.read", { scope: acme, environment: staging })).toBe(true)
      expect(may(bound, "config.read", { scope: acme, environment: production })).toBe(false)
    }
  })

  test("is nothing about a tenant as a whole for a token bound to an environment, unless its route looks for itself", () => {
    const bound = [
      principal([...ROLES], { environment: staging }),
      { ...platformAdmin, environment: staging },
    ]
    for (const one of bound)
      for (const action of actions)
        expect([action, may(one, action, { scope: acme, environment: null })]).toEqual([
          action,
          (WITHIN_ENVIRONMENT as readonly Action[]).includes(action) &&
            may({ ...one, environment: null }, action, { scope: acme, environment: null }),
        ])
    const whole = [
      "tenant.update",
      "tenant.tier",
      "tenant.delete",
      "audit.export",
      "audit.retain",
      "report.read",
    ]
    for (const action of whole) expect(WITHIN_ENVIRONMENT).not.toContain(action)
  })

  test("is everything for a platform admin", () => {
    for (const action of actions)
      for (const scope of [acme, PLATFORM, null])
        expect(may(platformAdmin, action, { scope, environment: null })).toBe(true)
  })

  test("is asking who it is, reading what it is to do, counting what it does, saying how it fares, what it measured and what happened, and nothing else, for a reader", () => {
    expect(actions.filter((action) => may(principal(["reader"]), action, here))).toEqual([
      "self.read",
      "view.read",
      "outcome.report",
      "event.record",
      "feature.read",
      "limit.read",
      "limit.consume",
      "backend.write",
    ])
  })

  test("is nothing without a role", () => {
    expect(actions.filter((action) => may(principal([]), action, here))).toEqual([])
  })

  test("lets no tenant's role act on the platform", () => {
    const ofPlatform = [
      "tenant.create",
      "tenant.list",
      "tenant.tier",
      "tenant.suspend",
      "tenant.delete",
      "token.issue_platform",
      "limit.reset",
    ] as const
    for (const action of ofPlatform)
      expect(may(principal([...ROLES]), action, { scope: null, environment: null })).toBe(false)
  })
})
