import { asks, type Case, fresh } from "./corpus.ts"
import type { Asked } from "./corpus-world.ts"

const smuggled =
  (ask: Asked, name: string, value: unknown): (() => Asked) =>
  () => ({ ...ask, body: { ...(ask.body as object), [name]: value } })

/** The same request with members that only the service itself may write. */
const withMembers = (what: string, ask: Asked, members: Readonly<Record<string, unknown>>): Case[] =>
  asks(
    "Mass assignment",
    "BODY_INVALID",
    Object.fromEntries(
      Object.entries(members).map(([name, value]) => [
        `${what} with \`${name}\``,
        smuggled(ask, name, value),
      ]),
    ),
    ask,
  )

const TENANT = "/api/v1/tenants/acme"
const OF_STAGING = { tenantId: "acme", environment: "Staging" }
const assigned: Case[] = [
  ...withMembers(
    "a tenant",
    { method: "PATCH", path: TENANT, by: "tenant_admin", body: { displayName: "Acme" } },
    {
      tenantId: "globex",
      status: "active",
      createdAt: "2000-01-01T00:00:00Z",
      updatedAt: "2000-01-01T00:00:00Z",
      deletedAt: null,
      id: 1,
      isAdmin: true,
      roles: ["platform_admin"],
      "tenant.tier": "Enterprise",
    },
  ),
  ...withMembers(
    "a change",
    {
      method: "POST",
      path: "/api/v1/changes/preview",
      by: "engineer",
      body: { ...OF_STAGING, edits: [{ key: "k", value: 1 }] },
    },
    {
      changeId: `acme:chg_${"0".repeat(32)}`,
      state: "live",
      author: "manager@acme",
      createdBy: "manager@acme",
      approvals: [{ subject: "manager@acme", role: "manager" }],
      stages: [],
      policy: { stages: [] },
      step: 9,
      weightBp: 10_000,
      contentHash: "0".repeat(64),
      expiresAt: "2099-01-01T00:00:00Z",
      breakGlass: true,
      ancestors: [],
    },
  ),
  ...asks(
    "Mass assignment",
    "BODY_INVALID",
    Object.fromEntries(
      Object.entries({
        version: 99,
        author: "manager@acme",
        tenantId: "globex",
        environment: "Production",
        configId: "x",
      }).map(([name, value]): [string, Asked] => [
        `an edit with \`${name}\``,
        {
          method: "POST",
          path: "/api/v1/changes/preview",
          by: "engineer",
          body: { ...OF_STAGING, edits: [{ key: "k", value: 1, [name]: value }] },
        },
      ]),
    ),
    {
      method: "POST",
      path: "/api/v1/changes/preview",
      by: "engineer",
      body: { ...OF_STAGING, edits: [{ key: "k", value: 1, description: "d" }] },
    },
  ),
  ...asks(
    "Mass assignment",
    "BODY_INVALID",
    Object.fromEntries(
      Object.entries({
        version: 7,
        createdBy: "manager@acme",
        updatedBy: "manager@acme",
        configId: "acme:Staging:plan",
        changeId: "x",
        checksum: "0",
      }).map(([name, value]) => [
        `a config with \`${name}\``,
        (): Asked => ({
          method: "POST",
          path: "/api/v1/configs",
          by: "engineer",
          body: { ...OF_STAGING, key: `mass.${fresh()}`, value: 1, [name]: value },
        }),
      ]),
    ),
    () => ({
      method: "POST",
      path: "/api/v1/configs",
      by: "engineer",
      body: { ...OF_STAGING, key: `mass.${fresh()}`, value: 1, owner: "me" },
    }),
  ),
  ...asks(
    "Mass assignment",
    "BODY_INVALID",
    Object.fromEntries(
      Object.entries({
        channelId: "00000000-0000-7000-8000-000000000000",
        createdBy: "platform",
        tenantId: "globex",
        secret: "whsec_AAAA",
        config: { url: "http://10.0.0.1" },
        headers: { host: "inside" },
      }).map(([name, value]): [string, Asked] => [
        `a notification channel with \`${name}\``,
        {
          method: "POST",
          path: `${TENANT}/channels`,
          body: { type: "email", to: ["a@b.example"], [name]: value },
        },
      ]),
    ),
    () => ({
      method: "POST",
      path: `${TENANT}/channels`,
      body: { type: "email", to: [`a${fresh()}@b.example`] },
    }),
  ),
  ...asks(
    "Mass assignment",
    "FORBIDDEN",
    {
      "a tier, by a tenant's admin": { method: "PATCH", path: TENANT, body: { tier: "Enterprise" } },
      "an external id, by a tenant's admin": {
        method: "PATCH",
        path: TENANT,
        body: { externalIds: { crm: "1" } },
      },
    },
    { method: "PATCH", path: TENANT, body: { displayName: "Acme" } },
  ),
  ...asks(
    "Mass assignment",
    "QUERY_INVALID",
    {
      "a parameter that is none": { path: `${TENANT}?status=active` },
      "another tenant in the query": { path: `${TENANT}?tenantId=globex` },
      "a parameter twice": { path: "/api/v1/changes?tenantId=acme&tenantId=globex" },
      "a parameter in brackets": { path: "/api/v1/changes?tenantId=acme&tenantId[]=globex" },
      "a parameter beside its escape": { path: "/api/v1/changes?tenantId=acme&tenant%49d=globex" },
    },
    { path: "/api/v1/changes?tenantId=acme" },
  ),
]

export const MEMBER_CASES: readonly Case[] = assigned
