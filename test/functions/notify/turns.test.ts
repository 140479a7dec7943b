import type { ServerResponse } from "node:http"
import { afterAll, beforeAll, expect, test } from "vitest"
import { newSecret } from "../../../functions/platform/messages/webhook.ts"
import { makeTenant } from "../../db/fixtures.ts"
import { type Receiver, startReceiver } from "./receivers.ts"
import { localMessenger, type NotifyWorld, notifyWorld } from "./world.ts"

let world: NotifyWorld
let receiver: Receiver
let tenants = 0
beforeAll(async () => {
  world = await notifyWorld()
  receiver = await startReceiver()
})
afterAll(async () => {
  await receiver.stop()
  await world.close()
})

const LIVE = { type: "change.live" as const, detail: { author: "erin", keys: ["a"] } }
const newTenant = async () => (await makeTenant(world.app, `turns-${++tenants}`)).tenantId
const webhook = (scope: Awaited<ReturnType<typeof newTenant>>, path: string) =>
  world.channel(scope, { type: "webhook", config: { url: receiver.url + path }, secret: newSecret() })

test("the first place that becomes free is given to who has none, when slow receivers of many tenants take all of them", async () => {
  const slow = await Promise.all(Array.from({ length: 8 }, newTenant))
  for (const scope of slow) {
    await webhook(scope, "/slow")
    await world.tell(
      scope,
      Array.from({ length: 6 }, () => LIVE),
    )
  }
  const held: ServerResponse[] = []
  const [full, arrived] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  receiver.answer = (response, { path }) => {
    if (path === "/late") arrived.resolve()
    if (path === "/late") response.writeHead(204).end()
    else if (held.push(response) === 32) full.resolve()
  }
  const sender = world.senderWith(localMessenger())
  expect(await sender.sweep()).toBe(32)
  await full.promise
  const late = await newTenant()
  await webhook(late, "/late")
  await world.tell(late, [LIVE])
  held.pop()!.writeHead(204).end()
  await expect.poll(() => sender.sweep()).toBe(1)
  await arrived.promise
  receiver.answer = (response) => void response.writeHead(204).end()
  for (const response of held) response.writeHead(204).end()
  do await sender.settled()
  while ((await sender.sweep()) > 0)
})
