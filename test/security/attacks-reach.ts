import { type Attack, bearer, claims, corpTokens, tokens } from "./attack.ts"
import { TOKEN_ATTACKS } from "./attacks-tokens.ts"
import { WISH_ATTACKS } from "./attacks-wished.ts"
import { signer } from "./forge.ts"
import { CONFIG, PLATFORM_ADMIN, rightAdmin, rightly, rightPartner, TO_CONFIGS } from "./rights.ts"

const tenant: Attack[] = [
  ...claims("Tenant claim", {
    none: { tenant: undefined },
    null: { tenant: null },
    "a list": { tenant: ["acme"] },
    "a list of two": { tenant: ["acme", "globex"] },
    "an object": { tenant: { id: "acme" } },
    "a number": { tenant: 1 },
    empty: { tenant: "" },
    "every one": { tenant: "*" },
    "the platform": { tenant: "~platform" },
    "a tier": { tenant: "~tier.Free" },
    "in capitals": { tenant: "ACME" },
    "with a blank": { tenant: "acme " },
    "with a line feed": { tenant: "acme\n" },
    "two in one text": { tenant: "acme,globex" },
    "with a Cyrillic letter": { tenant: "\u0430cme" },
    "in full width": { tenant: "\uff41\uff43\uff4d\uff45" },
    "a path": { tenant: "../acme" },
    SQL: { tenant: "acme' or '1'='1" },
    "an external id": { tenant: "crm:1" },
    "`__proto__`": { tenant: "__proto__" },
    "one that is not there": { tenant: "nobody" },
  }),
  ...claims("Tenant claim", { "one that is suspended": { tenant: "asleep" } }, "TENANT_SUSPENDED", {
    path: "/api/v1/tenants/asleep",
  }),
  ...tokens(
    "Tenant claim",
    {
      "one that its issuer has no say about": ({ partner }) => partner.token({ claims: { tenant: "acme" } }),
      "every one, of an issuer for one": ({ partner }) => partner.token({ claims: PLATFORM_ADMIN }),
      "none, of an issuer for one": ({ partner }) =>
        partner.token({ claims: { ...PLATFORM_ADMIN, tenant: undefined } }),
      "the platform, of an issuer for one": ({ partner }) =>
        partner.token({ claims: { ...PLATFORM_ADMIN, tenant: "~platform" } }),
      "a list with its own and another, of an issuer for one": ({ partner }) =>
        partner.token({ claims: { tenant: ["globex", "acme"] } }),
    },
    undefined,
    undefined,
    rightPartner,
  ),
  ...tokens(
    "Tenant claim",
    {
      "the platform, of an issuer that makes its admins": ({ ops }) =>
        ops.token({ claims: { ...PLATFORM_ADMIN, tenant: "~platform" } }),
      "`*`, of an issuer that makes platform admins, for one who is none": ({ ops }) =>
        ops.token({ claims: { tenant: "*", roles: ["tenant_admin"] } }),
    },
    undefined,
    undefined,
    rightAdmin,
  ),
]

const roles: Attack[] = [
  ...claims("Roles claim", {
    none: { roles: undefined },
    "a text": { roles: "viewer" },
    "an object": { roles: { viewer: true } },
    "a list of lists": { roles: [["viewer"]] },
    "a list with a number": { roles: ["viewer", 1] },
    null: { roles: null },
    "of 1,000": { roles: Array.from({ length: 1_000 }, () => "viewer") },
  }),
  ...claims(
    "Roles claim",
    {
      empty: { roles: [] },
      "of another service": { roles: ["owner", "root", "*"] },
      "in capitals": { roles: ["VIEWER"] },
      "with a blank": { roles: ["viewer "] },
      "two in one text": { roles: ["viewer,tenant_admin"] },
      "a member of Object's prototype": { roles: ["__proto__", "constructor"] },
      "that of applications": { roles: ["reader"] },
      "platform admin of a named tenant": { roles: ["platform_admin"] },
    },
    "FORBIDDEN",
  ),
  ...claims(
    "Roles claim",
    {
      "platform admin, of an issuer that makes none, listing tenants": {
        roles: ["viewer", "platform_admin"],
      },
    },
    "FORBIDDEN",
    { path: "/api/v1/tenants" },
    rightAdmin,
  ),
  ...claims(
    "Roles claim",
    { "platform admin, to make a tenant": { roles: ["tenant_admin", "platform_admin"] } },
    "FORBIDDEN",
    { method: "POST", path: "/api/v1/tenants", body: { name: "Evil", tenantId: "evil" } },
    ({ ops }) => ({
      ...bearer(ops.token({ claims: PLATFORM_ADMIN })),
      method: "POST",
      path: "/api/v1/tenants",
      body: { name: "Good", tenantId: "good" },
    }),
  ),
  ...claims("Roles claim", {
    "platform admin without a tenant": { roles: ["platform_admin"], tenant: undefined },
  }),
  ...tokens(
    "Roles claim",
    {
      "platform admin of one tenant, of an issuer that makes some": ({ ops }) =>
        ops.token({ claims: { roles: ["platform_admin", "viewer"] } }),
    },
    "FORBIDDEN",
    { path: "/api/v1/tenants" },
    rightAdmin,
  ),
]

const subject: Attack[] = claims("Subject", {
  none: { sub: undefined },
  null: { sub: null },
  empty: { sub: "" },
  "a list": { sub: ["alice"] },
  "a number": { sub: 1 },
  "only a blank": { sub: " " },
  "with a blank at its end": { sub: "alice " },
  "with what cannot be seen": { sub: "ali\u200bce" },
  "turned round (U+202E)": { sub: "\u202eecila" },
  "with a line feed": { sub: "alice\nbob" },
  "in decomposed Unicode": { sub: "rene\u0301" },
  "of 1,000 characters": { sub: "a".repeat(1_000) },
  "an id that is an object": { jti: {} },
  "an id of 1,000 characters": { jti: "a".repeat(1_000) },
})

const environment: Attack[] = [
  ...claims("Environment", {
    "one that is not there": { env: "Nowhere" },
    "a list": { env: ["QA"] },
    "a number": { env: 1 },
    "an object": { env: {} },
    empty: { env: "" },
    "every one": { env: "*" },
  }),
  ...claims(
    "Environment",
    { "another than its own": { env: "QA", roles: ["tenant_admin"] } },
    "FORBIDDEN",
    { method: "POST", path: "/api/v1/configs", body: CONFIG },
    rightly({ env: "Production", roles: ["tenant_admin"] }, { ...TO_CONFIGS, config: CONFIG }),
  ),
  ...claims(
    "Environment",
    { "none named, by one who has but one": { env: "QA", roles: ["tenant_admin"] } },
    "FORBIDDEN",
    { method: "PATCH", path: "/api/v1/tenants/acme", body: { displayName: "Mine" } },
    ({ corp }) => ({
      ...bearer(corp.token({ claims: { roles: ["tenant_admin"] } })),
      method: "PATCH",
      path: "/api/v1/tenants/acme",
      body: { displayName: "Ours" },
    }),
  ),
]

const elsewhere: Attack[] = [
  ...claims("Another tenant", { "in the path": {} }, "TENANT_NOT_FOUND", { path: "/api/v1/tenants/globex" }),
  ...claims("Another tenant", { "in the path, by an id it does not know": {} }, "TENANT_NOT_FOUND", {
    path: "/api/v1/tenants/nobody",
  }),
  ...claims("Another tenant", { "in X-Tenant-ID": {} }, "TENANT_MISMATCH", {
    headers: { "x-tenant-id": "globex" },
  }),
  ...claims("Another tenant", { "in X-Tenant-ID, in capitals": {} }, "TENANT_MISMATCH", {
    headers: { "x-tenant-id": "ACME" },
  }),
  ...claims("Another tenant", { "in X-Tenant-ID, both": {} }, "TENANT_MISMATCH", {
    headers: { "x-tenant-id": "acme, globex" },
  }),
  ...claims(
    "Another tenant",
    { "in the body": { roles: ["engineer"] } },
    "TENANT_NOT_FOUND",
    {
      method: "POST",
      path: "/api/v1/configs",
      body: { ...CONFIG, tenantId: "globex" },
    },
    rightly({ roles: ["engineer"] }, { ...TO_CONFIGS, config: CONFIG }),
  ),
  ...claims("Another tenant", { "the platform in the path": {} }, "TENANT_NOT_FOUND", {
    path: "/api/v1/tenants/~platform",
  }),
  ...claims(
    "Another tenant",
    { "its tokens": { roles: ["tenant_admin"] } },
    "TENANT_NOT_FOUND",
    {
      path: "/api/v1/tenants/globex/tokens",
    },
    rightly({ roles: ["tenant_admin"] }, { path: "/api/v1/tenants/acme/tokens" }),
  ),
]

const rightlySigned: Attack[] = corpTokens("Subject", {
  "a claim that is inherited": {
    claims: '{"__proto__":{"sub":"alice","tenant":"acme"}}',
  },
  "signed twice": ({ corp }) => ({ sign: (data) => signer("RS256", corp.key)(data + data) }),
})

/** Tokens that are what they say, and reach further than they may. */
export const REACH_ATTACKS: readonly Attack[] = [
  ...tenant,
  ...roles,
  ...subject,
  ...rightlySigned,
  ...environment,
  ...elsewhere,
  ...TOKEN_ATTACKS,
  ...WISH_ATTACKS,
]
