import { must, type World } from "../functions/manage/world.ts"
import type { Names } from "./names.ts"

export const ROLES = ["viewer", "engineer", "manager", "compliance", "tenant_admin"] as const

/** Stands in everything that can be written about a tenant. */
export const sentinelOf = (slug: string): string => `sentinel-of-${slug}-7c1e`

/** Somebody of that name is in every tenant, and nobody asks with their token. */
export const SHARED_PERSON = "someone.in.every.tenant"

export interface Filled {
  names: Names
  tokens: Readonly<Record<string, string>>
}

const externalIdOf = (slug: string): string =>
  `9000000000${[...slug].map((letter) => letter.charCodeAt(0) % 10).join("")}`

/** A tenant of whom there is something in every table, and something to learn in every place. */
export const fill = async (world: World, slug: string): Promise<Filled> => {
  const sentinel = sentinelOf(slug)
  const { call } = world
  await must(
    call("POST", "/api/v1/tenants", {
      body: {
        tenantId: slug,
        name: sentinel,
        tier: "Enterprise",
        displayName: sentinel,
        adminEmail: `${sentinel}@example.org`,
        externalIds: { guild: externalIdOf(slug) },
        features: { [sentinel]: true },
        quotas: { note: sentinel },
      },
    }),
    201,
  )
  const issue = async (body: Record<string, unknown>) =>
    (
      await must(
        call<{ token: string; tokenId: string }>("POST", `/api/v1/tenants/${slug}/tokens`, { body }),
        201,
      )
    ).body
  const tokens: Record<string, string> = {}
  const tokenIds: string[] = []
  const keep = async (name: string, body: Record<string, unknown>) => {
    const issued = await issue({ subject: `${name}.${sentinel}`, ...body })
    tokens[name] = issued.token
    tokenIds.push(issued.tokenId)
  }
  for (const role of ROLES) await keep(role, { roles: [role] })
  await keep("all", { roles: [...ROLES] })
  // Of the same name everywhere, as a build server's may be: what is kept by subject must be kept by tenant as well.
  await keep("build", { subject: "build.server", roles: ["engineer", "tenant_admin"] })
  await keep("shared", { subject: SHARED_PERSON, roles: ["viewer"] })
  await keep("bound", { roles: ["engineer", "tenant_admin"], environment: "Staging" })
  await keep("reader", { roles: ["reader"], environment: "Production" })
  await keep("stagingReader", { roles: ["reader"], environment: "Staging" })
  await keep("revoked", { roles: ["tenant_admin"] })
  await keep("revokedReader", { roles: ["reader"], environment: "Production" })
  for (const tokenId of tokenIds.slice(-2))
    await must(call("DELETE", `/api/v1/tenants/${slug}/tokens/${tokenId}`), 200)

  const changes: string[] = []
  const author = tokens.build!
  const submit = async (
    environment: string,
    edits: unknown[],
    more: Record<string, unknown> = {},
    headers = {},
  ) => {
    const body = { tenantId: slug, environment, edits, comment: sentinel, ...more }
    const made = await call<{ changeId: string; contentHash: string }>("POST", "/api/v1/changes", {
      token: author,
      body,
      headers,
    })
    if (made.status >= 300) throw new Error(made.text)
    changes.push(made.body.changeId)
    return made.body
  }
  const key = `only.${slug}`
  const about = { description: sentinel, owner: sentinel }
  const flag = {
    state: "ENABLED",
    variants: { on: sentinel },
    defaultVariant: "on",
    metadata: { of: sentinel },
  }
  const edits = [
    ...["limit", key].map((name) => ({ key: name, value: `${sentinel}.${name}`, ...about })),
    { key: "switch", value: flag, ...about },
  ]
  const direct = { strategy: { type: "direct" } }
  await submit("Development", edits, direct, { "idempotency-key": `idem.${slug}` })
  for (const environment of ["QA", "Staging"]) await submit(environment, edits, direct)
  await submit("Development", [{ key: "pin", value: `${sentinel}.pin`, secret: true }], direct)
  const approve = async (changeId: string) => {
    for (const role of ["engineer", "manager", "compliance"])
      await must(
        call("POST", `/api/v1/approvals/${changeId}/approve`, {
          token: tokens[role]!,
          body: { comment: sentinel },
        }),
        200,
      )
  }
  await approve((await submit("Production", edits, direct)).changeId)
  await approve((await submit("Production", [{ key: "limit", value: `${sentinel}.next` }])).changeId)
  const waiting = await submit("Production", [{ key, value: `${sentinel}.later` }])
  const ended = await submit("Production", [{ key: "never", value: sentinel }])
  await must(
    call("POST", `/api/v1/approvals/${ended.changeId}/reject`, {
      token: tokens.manager!,
      body: { comment: sentinel },
    }),
    200,
  )
  await must(
    call("POST", `/api/v1/changes/${waiting.changeId}/comments`, { token: author, body: { text: sentinel } }),
    200,
  )
  const rules = [{ id: "kept", description: sentinel, require: { "!==": [{ var: "limit" }, sentinel] } }]
  await must(
    call("PUT", `/api/v1/tenants/${slug}/environments/QA/rules`, {
      token: tokens.tenant_admin!,
      body: { rules },
    }),
    200,
  )
  await must(
    call("PUT", `/api/v1/tenants/${slug}/audit-retention`, {
      token: tokens.tenant_admin!,
      body: { days: 400 },
    }),
    200,
  )
  await must(
    call("POST", `/api/v1/tenants/${slug}/reports/hipaa/reviews`, {
      token: tokens.compliance!,
      body: { from: "2001-01-01T00:00:00Z", to: "2001-02-01T00:00:00Z", comment: sentinel },
    }),
    201,
  )
  const channel = await must(
    call<{ channelId: string }>("POST", `/api/v1/tenants/${slug}/channels`, {
      token: tokens.tenant_admin!,
      body: { type: "webhook", url: `https://hooks.example.org/${sentinel}` },
    }),
    201,
  )
  // After the channel, so that there is a delivery of it.
  await submit("QA", [{ key: "told", value: sentinel }], direct)
  const deliveries = await must(
    call<{ items: { deliveryId: string }[] }>("GET", `/api/v1/tenants/${slug}/deliveries`),
    200,
  )
  const releases = await must(
    call<{ items: { release: string }[] }>("GET", `/api/v1/tenants/${slug}/environments/Production/releases`),
    200,
  )
  const asked = await must(
    call<{ backupId: string; jobId: string }>("POST", `/api/v1/tenants/${slug}/backups`, {
      token: tokens.tenant_admin!,
      body: {},
    }),
    202,
  )
  await must(
    call("PUT", `/api/v1/tenants/${slug}/backup-schedule`, {
      token: tokens.tenant_admin!,
      body: { everyHours: 12 },
    }),
    200,
  )
  await must(
    call("PUT", `/api/v1/tenants/${slug}/deployments`, {
      token: tokens.tenant_admin!,
      body: {
        logs: {
          targets: [{ url: "https://93.184.215.14" }],
          namespace: sentinel,
          credentials: { type: "basic", username: sentinel, password: `password-${sentinel}` },
        },
      },
    }),
    200,
  )
  await must(
    call("POST", `/api/v1/tenants/${slug}/provisioning/apply`, { body: { backends: ["metrics"] } }),
    200,
  )
  return {
    tokens,
    names: {
      slug,
      external: `guild:${externalIdOf(slug)}`,
      changes: changes.map((id) => id.split("_")[1]!),
      tokens: tokenIds.map((id) => id.split("_")[1]!),
      channel: channel.body.channelId,
      delivery: deliveries.body.items[0]?.deliveryId ?? "",
      backup: asked.body.backupId.split("_")[1]!,
      job: asked.body.jobId.split("_")[1]!,
      // Known once it is made.
      part: "0".repeat(64),
      release: releases.body.items[0]!.release,
      contentHash: waiting.contentHash,
      // Known once somebody has read it.
      view: `0.${"0".repeat(64)}`,
      subject: `engineer.${sentinel}`,
      key,
      idempotencyKey: `idem.${slug}`,
    },
  }
}

/** What the platform has that its tenants do not inherit. */
export const fillPlatform = async ({ call }: World): Promise<void> => {
  const sentinel = sentinelOf("platform")
  await must(
    call("POST", "/api/v1/tokens", {
      body: { subject: `many.${sentinel}`, roles: ["reader"], tenants: "*", environment: "Production" },
    }),
    201,
  )
  await must(
    call("POST", "/api/v1/changes", {
      body: {
        tenantId: "~platform",
        environment: "Development",
        comment: sentinel,
        edits: [{ key: "everybody", value: "inherits" }],
      },
    }),
    202,
  )
  await must(
    call("POST", "/api/v1/tenants/~platform/channels", {
      body: { type: "webhook", url: `https://hooks.example.org/${sentinel}` },
    }),
    201,
  )
}
