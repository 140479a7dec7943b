import { z } from "@hono/zod-openapi"
import type { Environment } from "../../core/environment.ts"
import { Refusal } from "../../core/errors.ts"
import type { JsonObject } from "../../core/json.ts"
import {
  admitTest,
  CHANNELS_MAX,
  type Channel,
  type ChannelPatch,
  deleteChannel,
  insertChannel,
  listChannels,
  SCOPE_TESTS_MAX,
  TESTS_MAX,
  updateChannel,
} from "../../db/queries/notifications.ts"
import { json, type Route, route } from "../http/route.ts"
import { sealChannelSecret, withSecret } from "../platform/keys/channel-secrets.ts"
import { newSecret, rotated } from "../platform/messages/webhook.ts"
import {
  channelNamed,
  isWithin,
  keptOf,
  mustBeThere,
  mustBeWithin,
  once,
  scopeOfPath,
  showChannel,
  stillThere,
} from "./channel-parts.ts"
import { ChannelBody, ChannelPath, ChannelPut, ChannelShown, TestShown } from "./channel-shapes.ts"
import type { ManageDeps } from "./deps.ts"
import { environmentNamed } from "./parse.ts"
import { audited, remembered } from "./remember.ts"
import { page, TenantPath } from "./shapes.ts"

const TAG = "Notifications"
const One = { description: "The channel", schema: ChannelShown }
const WithSecret = {
  description: "The channel; a webhook's with its secret, shown this once",
  schema: ChannelShown,
}

/** The audit says where a channel leads no more closely than who may read the audit may know. */
const detailOf = ({ type, environment }: Pick<Channel, "type" | "environment">): JsonObject => ({
  type,
  environment,
})

const environmentOf = (deps: ManageDeps, named: string | null | undefined): Environment | null =>
  named === null || named === undefined ? null : environmentNamed(named, deps.settings.environments)

const kept = (status: number) => (channel: Channel) => ({ status, headers: {}, body: showChannel(channel) })

const listRoute = (deps: ManageDeps): Route =>
  route({
    method: "get",
    path: "/api/v1/tenants/{tenantId}/channels",
    operationId: "listChannels",
    tag: TAG,
    summary: "Where a tenant (or `~platform`, or a tier) is told of its changes, oldest first",
    action: "channel.read",
    params: TenantPath,
    replies: { 200: { description: "All of them: there are few", schema: page(ChannelShown) } },
    where: scopeOfPath(deps),
    run: async ({ scope, principal }) => {
      const found = await listChannels(deps.db, scope!)
      const items = found.filter(({ environment }) => isWithin(principal, environment)).map(showChannel)
      return json(200, { items, nextCursor: null })
    },
  })

const createRoute = (deps: ManageDeps): Route =>
  route({
    method: "post",
    path: "/api/v1/tenants/{tenantId}/channels",
    operationId: "createChannel",
    tag: TAG,
    summary: "Have a webhook, a Slack channel or people by mail told of changes",
    action: "channel.manage",
    params: TenantPath,
    body: ChannelBody,
    replies: { 201: WithSecret },
    where: scopeOfPath(deps),
    run: async ({ body, scope, ...call }) =>
      await once(deps, scope!, call.idempotency, async () => {
        const environment = environmentOf(deps, body.environment)
        mustBeWithin(call.principal, environment)
        await mustBeThere(deps, scope!)
        const { type, events = null } = body
        const found = await keptOf(deps, type, body)
        const secret = type === "webhook" ? newSecret() : (found.secret ?? null)
        const channelId = deps.ids.uuid()
        const sealed = secret && (await sealChannelSecret(deps.vault, scope!, channelId, secret))
        const made = await insertChannel(
          deps.db,
          scope!,
          {
            channelId,
            type,
            environment,
            events,
            ...found,
            secret: sealed,
            createdBy: call.principal.subject,
          },
          audited(call, "channel.create", channelId, detailOf({ type, environment })),
          // What is kept for a repeat must not hold the secret.
          remembered(call.idempotency, kept(201)),
        )
        if (made.kind === "too_many")
          throw new Refusal("CHANNELS_TOO_MANY", `There are ${CHANNELS_MAX} already.`)
        return json(201, { ...showChannel(made.channel), ...(type === "webhook" ? { secret } : {}) })
      }),
  })

const getRoute = (deps: ManageDeps): Route =>
  route({
    method: "get",
    path: "/api/v1/tenants/{tenantId}/channels/{channelId}",
    operationId: "getChannel",
    tag: TAG,
    summary: "One channel, its secret left out",
    action: "channel.read",
    params: ChannelPath,
    replies: { 200: One },
    where: scopeOfPath(deps),
    run: async ({ params, scope, principal }) =>
      json(200, showChannel(await channelNamed(deps, scope!, params.channelId, principal))),
  })

const putRoute = (deps: ManageDeps): Route =>
  route({
    method: "put",
    path: "/api/v1/tenants/{tenantId}/channels/{channelId}",
    operationId: "putChannel",
    tag: TAG,
    summary: "Alter a channel: what is left out stays, and so does a webhook's secret",
    action: "channel.manage",
    params: ChannelPath,
    body: ChannelPut,
    replies: { 200: One },
    where: scopeOfPath(deps),
    run: async ({ params, body, scope, ...call }) =>
      await once(deps, scope!, call.idempotency, async () => {
        const channel = await channelNamed(deps, scope!, params.channelId, call.principal)
        const { url, to, events } = body
        const environment =
          body.environment === undefined ? channel.environment : environmentOf(deps, body.environment)
        mustBeWithin(call.principal, environment)
        const found: Partial<Awaited<ReturnType<typeof keptOf>>> =
          url === undefined && to === undefined ? {} : await keptOf(deps, channel.type, body)
        const { secret } = found
        const patch: ChannelPatch = {
          environment,
          ...(events === undefined ? {} : { events }),
          ...found,
          ...(secret === undefined
            ? {}
            : { secret: await sealChannelSecret(deps.vault, scope!, channel.channelId, secret) }),
        }
        const audit = audited(
          call,
          "channel.update",
          channel.channelId,
          detailOf({ ...channel, environment }),
        )
        const keep = remembered(call.idempotency, kept(200))
        const updated = await updateChannel(deps.db, scope!, channel.channelId, patch, audit, keep)
        return json(200, showChannel(stillThere(updated)))
      }),
  })

const deleteRoute = (deps: ManageDeps): Route =>
  route({
    method: "delete",
    path: "/api/v1/tenants/{tenantId}/channels/{channelId}",
    operationId: "deleteChannel",
    tag: TAG,
    summary: "Delete a channel; what was still to be delivered to it is given up",
    action: "channel.manage",
    params: ChannelPath,
    replies: { 204: { description: "It is gone" } },
    where: scopeOfPath(deps),
    run: async ({ params, scope, ...call }) => {
      const channel = await channelNamed(deps, scope!, params.channelId, call.principal)
      const audit = audited(call, "channel.delete", channel.channelId, detailOf(channel))
      stillThere((await deleteChannel(deps.db, scope!, channel.channelId, audit)) || null)
      return { status: 204, headers: {}, body: null }
    },
  })

const rotateRoute = (deps: ManageDeps): Route =>
  route({
    method: "post",
    path: "/api/v1/tenants/{tenantId}/channels/{channelId}/rotate",
    operationId: "rotateChannel",
    tag: TAG,
    summary: "A new secret for a webhook; for a day its messages are signed with the old one as well",
    action: "channel.manage",
    params: ChannelPath,
    replies: { 200: WithSecret },
    where: scopeOfPath(deps),
    run: async ({ params, scope, ...call }) =>
      await once(deps, scope!, call.idempotency, async () => {
        const named = await channelNamed(deps, scope!, params.channelId, call.principal)
        const channel = await withSecret(deps.vault, named)
        if (channel.secret === null || channel.type !== "webhook")
          throw new Refusal("CHANNEL_INVALID", "Only a webhook has a secret of ours.")
        const fresh = newSecret()
        const both = rotated(channel.secret, fresh, deps.clock.nowMs())
        const secret = await sealChannelSecret(deps.vault, scope!, channel.channelId, both)
        const audit = audited(call, "channel.rotate", channel.channelId)
        const keep = remembered(call.idempotency, kept(200))
        const updated = await updateChannel(deps.db, scope!, channel.channelId, { secret }, audit, keep)
        return json(200, { ...showChannel(stillThere(updated)), secret: fresh })
      }),
  })

const testRoute = (deps: ManageDeps): Route =>
  route({
    method: "post",
    path: "/api/v1/tenants/{tenantId}/channels/{channelId}/test",
    operationId: "testChannel",
    isLong: true,
    tag: TAG,
    summary: "Send a test message now, once, and say what came of it",
    action: "channel.manage",
    params: ChannelPath,
    body: z.strictObject({}),
    replies: { 200: { description: "Whether it was taken, and in words", schema: TestShown } },
    where: scopeOfPath(deps),
    run: async ({ params, scope, ...call }) => {
      const channel = await channelNamed(deps, scope!, params.channelId, call.principal)
      const { channelId, tenantId, environment } = channel
      const audit = audited(call, "channel.test", channelId, detailOf(channel))
      if ((await admitTest(deps.db, scope!, audit)) === "too_many")
        throw new Refusal(
          "CHANNEL_TESTS_TOO_MANY",
          `A minute has room for ${TESTS_MAX} to a channel, and ${SCOPE_TESTS_MAX} to all of ${tenantId}.`,
        )
      const nowMs = deps.clock.nowMs()
      const sent = await deps.messenger.send(
        await withSecret(deps.vault, channel),
        {
          id: deps.ids.uuid(),
          type: "channel.test",
          at: new Date(nowMs).toISOString(),
          tenantId,
          environment,
          changeId: null,
          detail: { who: call.principal.subject },
        },
        nowMs,
      )
      return json(200, { channelId, delivered: sent.kind === "delivered", words: sent.words })
    },
  })

export const channelRoutes = (deps: ManageDeps): Route[] => [
  listRoute(deps),
  createRoute(deps),
  getRoute(deps),
  putRoute(deps),
  deleteRoute(deps),
  rotateRoute(deps),
  testRoute(deps),
]
