import { type Attack, bearer, type Right } from "./attack.ts"
import { PLATFORM_ADMIN } from "./rights.ts"

const TOKENS = "/api/v1/tenants/acme/tokens"
const WISH = { subject: "mallory", roles: ["viewer"] }
const issued = (name: string, code: Attack["code"], body: object | string, who = "tenant_admin"): Attack => ({
  family: "Token wished for",
  name,
  code,
  send: ({ acme, kept }) => {
    const token = who === "bound" ? kept.bound.token : acme.tokens[who as "engineer"]
    const sent = { method: "POST", path: TOKENS, ...bearer(token) }
    return typeof body === "string" ? { ...sent, raw: body } : { ...sent, body }
  },
  right: ({ acme, kept }) => ({
    method: "POST",
    path: TOKENS,
    ...(who === "bound"
      ? { ...bearer(kept.bound.token), body: { ...WISH, environment: "QA" } }
      : { ...bearer(acme.tokens.tenant_admin), body: WISH }),
  }),
})
/** Their own tenant's admin revokes one that was just issued. */
const rightRevocation: Right = async ({ acme, keep }) => ({
  method: "DELETE",
  path: `${TOKENS}/${encodeURIComponent((await keep(WISH)).tokenId)}`,
  ...bearer(acme.tokens.tenant_admin),
})
/** What is asked of whoever issues tokens. */
export const WISH_ATTACKS: readonly Attack[] = [
  ...[
    "tokenId",
    "token",
    "secretHash",
    "hash",
    "issuer",
    "issuedBy",
    "ancestors",
    "tenants",
    "tenantId",
    "scope",
    "kind",
    "createdAt",
    "expiresAt",
    "revokedAt",
    "isAdmin",
    "constructor",
    "prototype",
  ].map((name) => issued(`with \`${name}\``, "BODY_INVALID", { ...WISH, [name]: "x" })),
  issued(
    "with `__proto__`",
    "BODY_INVALID",
    '{"subject":"m","roles":["viewer"],"__proto__":{"roles":["platform_admin"]}}',
  ),
  issued(
    "with `roles` twice",
    "JSON_DUPLICATE_KEY",
    '{"subject":"m","roles":["viewer"],"roles":["tenant_admin"]}',
  ),
  issued("as platform admin", "BODY_INVALID", { ...WISH, roles: ["platform_admin"] }),
  issued("with roles in an object", "BODY_INVALID", { ...WISH, roles: { 0: "viewer", length: 1 } }),
  issued("with a role that is not there", "BODY_INVALID", { ...WISH, roles: ["owner"] }),
  issued("as a reader and an admin", "BODY_INVALID", {
    ...WISH,
    roles: ["reader", "tenant_admin"],
    environment: "QA",
  }),
  issued("for ever", "BODY_INVALID", { ...WISH, expiresInSeconds: 1e12 }),
  issued("expired long ago, or never", "BODY_INVALID", { ...WISH, expiresInSeconds: -1 }),
  issued("in the name of an issuer's person", "BODY_INVALID", { ...WISH, subject: "corp|alice" }),
  issued("in the name of the service", "BODY_INVALID", { ...WISH, subject: "clock" }),
  issued("in the name of the platform", "BODY_INVALID", { ...WISH, subject: "platform" }),
  issued("in a name with what cannot be seen", "BODY_INVALID", { ...WISH, subject: "ali\u200bce" }),
  issued("by an engineer", "FORBIDDEN", WISH, "engineer"),
  issued("by compliance", "FORBIDDEN", WISH, "compliance"),
  issued("by a viewer, for itself", "FORBIDDEN", { ...WISH, roles: ["tenant_admin"] }, "viewer"),
  issued("by an admin of one environment, for all", "FORBIDDEN", WISH, "bound"),
  issued(
    "by an admin of one environment, for another",
    "FORBIDDEN",
    { ...WISH, environment: "Production" },
    "bound",
  ),
  {
    family: "Token wished for",
    name: "of the platform, by a tenant's admin",
    code: "FORBIDDEN",
    send: ({ acme }) => ({
      method: "POST",
      path: "/api/v1/tokens",
      body: { subject: "m", roles: ["platform_admin"] },
      ...bearer(acme.tokens.tenant_admin),
    }),
    right: ({ ops }) => ({
      method: "POST",
      path: "/api/v1/tokens",
      body: { subject: "m", roles: ["platform_admin"] },
      ...bearer(ops.token({ claims: PLATFORM_ADMIN })),
    }),
  },
  {
    family: "Token wished for",
    name: "altered once it is there",
    code: "METHOD_NOT_ALLOWED",
    send: ({ acme, kept }) => ({
      method: "PATCH",
      path: `${TOKENS}/${encodeURIComponent(kept.good.tokenId)}`,
      body: { roles: ["tenant_admin"] },
      ...bearer(acme.tokens.tenant_admin),
    }),
    right: rightRevocation,
  },
  {
    family: "Token wished for",
    name: "of another tenant, to be revoked",
    code: "TENANT_NOT_FOUND",
    send: ({ globex, kept }) => ({
      method: "DELETE",
      path: `${TOKENS}/${encodeURIComponent(kept.good.tokenId)}`,
      ...bearer(globex.tokens.tenant_admin),
    }),
    right: rightRevocation,
  },
  {
    family: "Token wished for",
    name: "of another tenant, to be revoked by its id under one's own path",
    code: "TOKEN_NOT_FOUND",
    send: ({ globex, kept }) => ({
      method: "DELETE",
      path: `/api/v1/tenants/globex/tokens/${encodeURIComponent(kept.good.tokenId)}`,
      ...bearer(globex.tokens.tenant_admin),
    }),
    right: rightRevocation,
  },
]
