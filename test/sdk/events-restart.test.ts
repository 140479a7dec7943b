import { afterAll, beforeAll, expect, test } from "vitest"
import { EventsClient } from "../../sdk/src/events.ts"
import { freePort, type RunningHotswap, removeHome, startHotswap, temporaryHome } from "../support/hotswap.ts"
import { createTenant, PATIENTLY, type Tenant } from "./service.ts"

const MANY = 1_000

let hotswap: RunningHotswap
let tenant: Tenant
let place: { home: string; ports: { edge: number; origin: number } }
beforeAll(async () => {
  place = { home: await temporaryHome(), ports: { edge: await freePort(), origin: await freePort() } }
  hotswap = await startHotswap(place)
  tenant = await createTenant(hotswap, "acme")
})
afterAll(async () => {
  await hotswap?.kill("group")
  await removeHome(place.home)
})

/** Has every third batch kept, and its answer lost on the way. */
const losing = (lost: () => void): typeof globalThis.fetch => {
  let asked = 0
  return async (...request) => {
    const answer = await fetch(...request)
    if (++asked % 3 !== 0) return answer
    await answer.body?.cancel()
    lost()
    throw new TypeError("the answer was lost")
  }
}

test("events outlive a kill of the whole service: none that was tracked is lost, and none is counted twice", {
  timeout: 180_000,
}, async () => {
  let lost = 0
  const events = new EventsClient({
    url: hotswap.url,
    token: tenant.token,
    tenantId: "acme",
    batchMax: 50,
    onError: () => {},
    fetch: losing(() => {
      lost += 1
    }),
  })
  const track = (from: number, to: number) => {
    for (let nth = from; nth <= to; nth++)
      events.track("order_created", { orderId: `${nth}`, amountCents: nth })
  }
  track(1, MANY / 2)
  await expect.poll(() => events.counts.told, PATIENTLY).toBeGreaterThan(200)
  await hotswap.kill("group")
  track(MANY / 2 + 1, MANY)
  hotswap = await startHotswap(place)
  await events.close(60_000)
  expect(lost).toBeGreaterThan(1)
  const none = { full: 0, invalid: 0, refused: 0, late: 0 }
  expect(events.counts).toEqual({ waiting: 0, told: MANY, dropped: none })
  const orders = async () =>
    (await hotswap.call<{ orders: object }>("GET", "/api/v1/tenants/acme/usage")).body.orders
  await expect.poll(orders, PATIENTLY).toEqual({ count: MANY, amountCents: (MANY * (MANY + 1)) / 2 })
})
