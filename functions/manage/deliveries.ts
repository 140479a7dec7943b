import { z } from "@hono/zod-openapi"
import { Refusal } from "../../core/errors.ts"
import type { JsonObject } from "../../core/json.ts"
import { type Delivery, listDeliveries, retryDelivery } from "../../db/queries/notifications.ts"
import { decodeCursor, encodeCursor } from "../http/cursor.ts"
import { json, type Route, route } from "../http/route.ts"
import { isUuid, isWithin, once, scopeOfPath } from "./channel-parts.ts"
import { DeliveryPath, DeliveryShown } from "./channel-shapes.ts"
import type { ManageDeps } from "./deps.ts"
import { audited, remembered } from "./remember.ts"
import { Paging, page, TenantPath } from "./shapes.ts"

const TAG = "Notifications"
const LIST = "deliveries"

const showDelivery = ({ tenantId: _scope, ...delivery }: Delivery): JsonObject => ({ ...delivery })

const notFound = (): Refusal => new Refusal("DELIVERY_NOT_FOUND", "There is no such delivery.")

const positionOf = (cursor: string): string => {
  const [last] = decodeCursor(LIST, cursor, 1)
  if (typeof last === "string" && isUuid(last)) return last
  throw new Refusal("CURSOR_INVALID", "It is not a cursor of this list.")
}

const listRoute = (deps: ManageDeps): Route =>
  route({
    method: "get",
    path: "/api/v1/tenants/{tenantId}/deliveries",
    operationId: "listDeliveries",
    tag: TAG,
    summary: "Messages to the tenant's channels, newest first; `state=dead` is the dead-letter list",
    action: "channel.read",
    params: TenantPath,
    query: z.strictObject({ ...Paging, state: z.enum(["pending", "delivered", "dead"]).optional() }),
    replies: { 200: { description: "A page of deliveries", schema: page(DeliveryShown) } },
    where: scopeOfPath(deps),
    run: async ({ query: { limit, cursor, state }, scope, principal }) => {
      const rows = await listDeliveries(deps.db, scope!, {
        limit: limit + 1,
        ...(state === undefined ? {} : { state }),
        ...(cursor === undefined ? {} : { before: positionOf(cursor) }),
      })
      const shown = rows.slice(0, limit)
      const last = rows.length > limit ? shown.at(-1) : undefined
      return json(200, {
        items: shown.filter(({ environment }) => isWithin(principal, environment)).map(showDelivery),
        nextCursor: last ? encodeCursor(LIST, [last.deliveryId]) : null,
      })
    },
  })

const retryRoute = (deps: ManageDeps): Route =>
  route({
    method: "post",
    path: "/api/v1/tenants/{tenantId}/deliveries/{deliveryId}/retry",
    operationId: "retryDelivery",
    tag: TAG,
    summary: "Have a dead delivery tried again, as often as a new one",
    action: "channel.manage",
    params: DeliveryPath,
    body: z.strictObject({}),
    replies: { 202: { description: "The delivery, pending again", schema: DeliveryShown } },
    where: scopeOfPath(deps),
    run: async ({ params: { deliveryId }, scope, ...call }) =>
      await once(deps, scope!, call.idempotency, async () => {
        if (!isUuid(deliveryId)) throw notFound()
        const audit = audited(call, "delivery.retry", deliveryId)
        const keep = remembered(call.idempotency, (delivery: Delivery) => ({
          status: 202,
          headers: {},
          body: showDelivery(delivery),
        }))
        const retried = await retryDelivery(deps.db, scope!, deliveryId, audit, {
          within: call.principal.environment,
          reply: keep,
        })
        switch (retried.kind) {
          case "retried":
            return json(202, showDelivery(retried.delivery))
          case "missing":
            throw notFound()
          case "not_dead":
            throw new Refusal(
              "DELIVERY_NOT_DEAD",
              "It is pending or delivered, or its channel has been deleted.",
            )
        }
      }),
  })

export const deliveryRoutes = (deps: ManageDeps): Route[] => [listRoute(deps), retryRoute(deps)]
