import { once } from "node:events"
import { type AddressInfo, createServer, type Socket } from "node:net"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import { sql } from "drizzle-orm"
import { expect, test } from "vitest"
import { openDatabase } from "../../db/client.ts"
import { openTestDatabase } from "../support/database.ts"

test("no more than three connections are being opened at a time, so that a server which is back is not run over", async () => {
  const taken = new Set<Socket>()
  const server = createServer((socket) => {
    taken.add(socket)
    socket.on("error", () => {})
  })
  server.listen(0, "127.0.0.1")
  await once(server, "listening")
  const { port } = server.address() as AddressInfo
  const url = `postgres://nobody:x@127.0.0.1:${port}/none`
  const client = openDatabase({ url, applicationName: "pool", max: 10, deadlineMs: 200 })
  const asked = Array.from({ length: 20 }, () => client.transaction(async () => 1).catch(() => taken.size))
  expect(await asked[0]).toBe(3)
  await Promise.all(asked)
  await client.close()
  for (const socket of taken) socket.destroy()
  server.close()
})

test("they all come to be, one after the other, where all are needed at once", async () => {
  const database = await openTestDatabase()
  const client = openDatabase({ url: database.url("hotswap_app"), applicationName: "pool", max: 8 })
  let here = 0
  const all = Promise.withResolvers<void>()
  const pids = await Promise.all(
    Array.from({ length: 8 }, () =>
      client.transaction(async ({ db }) => {
        const [row] = await db.execute<{ pid: number }>(sql`select pg_backend_pid() as pid`)
        if (++here === 8) all.resolve()
        await all.promise
        return row!.pid
      }),
    ),
  )
  expect(new Set(pids).size).toBe(8)
  await client.close()
  await database.close()
})

test("a connection keeps nothing of what was read through it", async () => {
  const database = await openTestDatabase()
  const client = openDatabase({ url: database.url("hotswap_app"), applicationName: "pool", max: 1 })
  const read = async () =>
    new WeakRef(await client.transaction(({ db }) => db.execute(sql`select repeat('x', 100) as text`)))
  const first = await read()
  await read()
  setFlagsFromString("--expose-gc")
  const collect = runInNewContext("gc") as (options: { execution: "async" }) => Promise<void>
  await collect({ execution: "async" })
  expect(first.deref()).toBeUndefined()
  await client.close()
  await database.close()
})
