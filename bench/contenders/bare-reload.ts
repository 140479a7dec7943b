// The least that hot reload can be: a transaction of three rows, a publish, and an event that carries the value itself.
import { mkdtemp, rm } from "node:fs/promises"
import { createServer, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Redis } from "ioredis"
import postgres from "postgres"
import { startPostgres } from "../../local/postgres.ts"
import { listening } from "../processes.ts"

const CHANNEL = "bare"
const directory = await mkdtemp(join(tmpdir(), "hotswap-bench-"))
const server = await startPostgres({ directory, durability: "full" })
const sql = postgres(server.url("hotswap_owner"), { max: 1, fetch_types: false, onnotice: () => {} })
await sql`create table bare_values (tenant text, key text, value jsonb, primary key (tenant, key))`
await sql`create table bare_history (id bigserial primary key, tenant text, key text, value jsonb)`
await sql`create table bare_log (id bigserial primary key, tenant text, entry jsonb)`

const [publisher, subscriber] = [new Redis(process.argv[2]!), new Redis(process.argv[2]!)]
const listeners = new Set<ServerResponse>()
await subscriber.subscribe(CHANNEL)
subscriber.on("message", (_, message) => {
  for (const listener of listeners) listener.write(`data: ${message}\n\n`)
})

const write = async (value: string): Promise<void> => {
  await sql.begin(async (tx) => {
    await tx`insert into bare_values values ('acme', 'key', ${value}::jsonb)
      on conflict (tenant, key) do update set value = excluded.value`
    await tx`insert into bare_history (tenant, key, value) values ('acme', 'key', ${value}::jsonb)`
    await tx`insert into bare_log (tenant, entry) values ('acme', ${value}::jsonb)`
  })
  await publisher.publish(CHANNEL, value)
}

const http = createServer((request, response) => {
  if (request.method === "GET") {
    response.writeHead(200, { "content-type": "text/event-stream" })
    response.flushHeaders()
    listeners.add(response)
    response.once("close", () => listeners.delete(response))
    return
  }
  let body = ""
  request.setEncoding("utf8").on("data", (piece: string) => {
    body += piece
  })
  request.once("end", () => void write(body).then(() => response.writeHead(204).end()))
})
http.listen(0, "127.0.0.1", () => {
  const { port } = http.address() as AddressInfo
  listening({ url: `http://127.0.0.1:${port}`, headers: {}, pids: [process.pid] })
})
process.once("SIGTERM", () => {
  void (async () => {
    await sql.end()
    await server.stop()
    await rm(directory, { recursive: true, force: true })
    process.exit(0)
  })()
})
