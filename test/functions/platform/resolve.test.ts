import { createSocket } from "node:dgram"
import { once } from "node:events"
import { afterAll, beforeAll, expect, test } from "vitest"
import { createResolve } from "../../../functions/platform/resolve.ts"

const AAAA = 28
const ADDRESSES: Record<number, Buffer> = { 1: Buffer.from([192, 0, 2, 7]), [AAAA]: Buffer.alloc(16, 0x20) }

/** A name server that answers for some names, and is silent on all others. RFC 1035, section 4. */
const socket = createSocket("udp4")
const asked: string[] = []
socket.on("message", (query, { port, address }) => {
  const labels: string[] = []
  let end = 12
  while (query[end] !== 0) {
    labels.push(query.toString("latin1", end + 1, end + 1 + query[end]!))
    end += query[end]! + 1
  }
  const name = labels.join(".").toLowerCase()
  const type = query.readUInt16BE(end + 1)
  const question = query.subarray(12, end + 5)
  asked.push(name)
  const head = Buffer.from(query.subarray(0, 12))
  const isThere = name === "there.example" || (name === "old.example" && type !== AAAA)
  if (!isThere && name !== "nowhere.example" && name !== "old.example") return
  head.writeUInt16BE(name === "nowhere.example" ? 0x8183 : 0x8180, 2)
  head.writeUInt16BE(isThere ? 1 : 0, 6)
  head.writeUInt32BE(0, 8)
  const data = ADDRESSES[type]!
  const record = Buffer.from([0xc0, 12, 0, type, 0, 1, 0, 0, 0, 0, 0, data.length])
  socket.send(Buffer.concat([head, question, ...(isThere ? [record, data] : [])]), port, address)
})

beforeAll(async () => {
  socket.bind(0, "127.0.0.1")
  await once(socket, "listening")
})
afterAll(() => void socket.close())
const resolver = () => createResolve([`127.0.0.1:${socket.address().port}`])

test("a name has all its addresses, of either family", async () => {
  const resolve = resolver()
  expect(await resolve("there.example")).toEqual(["192.0.2.7", "2020:2020:2020:2020:2020:2020:2020:2020"])
  expect(await resolve("old.example")).toEqual(["192.0.2.7"])
  await expect(resolve("nowhere.example")).rejects.toMatchObject({ code: "ENOTFOUND" })
})

test("a name of this machine is known without a name server", async () => {
  const found = await resolver()("localhost")
  expect(found.every((address) => ["127.0.0.1", "::1"].includes(address))).toBe(true)
  expect(asked).not.toContain("localhost")
})

test("names whose servers are silent hold up no other, and are given up", async () => {
  const resolve = resolver()
  let given = 0
  const silent = Array.from({ length: 32 }, (_, nth) =>
    resolve(`silent-${nth}.example`).catch(() => {
      given += 1
    }),
  )
  expect(await resolve("there.example")).toHaveLength(2)
  expect((await resolve("localhost")).length).toBeGreaterThan(0)
  expect(given).toBe(0)
  await Promise.all(silent)
  expect(given).toBe(32)
})
