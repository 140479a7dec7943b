// The least an honest server does for this answer: check the token, look the body up, compare the ETag.
import { createHash } from "node:crypto"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { listening } from "../processes.ts"

const token = "floor-token"
const principals = new Map([[createHash("sha256").update(`Bearer ${token}`).digest("base64"), "acme-corp"]])
const [keys = "20", path = "/api/v1/configs/tenant/acme-corp?environment=Production"] = process.argv.slice(2)
const configs = Object.fromEntries(
  Array.from({ length: Number(keys) }, (_, i) => [`feature.flag_${i}`, i % 2 === 0]),
)
const etag = 'W/"0.floor"'
const bodies = new Map([
  [
    path,
    Buffer.from(
      JSON.stringify({
        tenantId: "acme-corp",
        environment: "Production",
        revision: "1.0.0.2",
        view: "0.floor",
        arm: "stable",
        configs,
      }),
    ),
  ],
])

const server = createServer((request, response) => {
  const digest = createHash("sha256")
    .update(request.headers.authorization ?? "")
    .digest("base64")
  const body = principals.has(digest) ? bodies.get(request.url ?? "") : undefined
  if (!body) {
    response.writeHead(404).end()
    return
  }
  const headers = {
    "cache-control": "private, no-cache",
    etag,
    "hotswap-revision": "1.0.0.2",
    "hotswap-arm": "stable",
    vary: "Authorization",
  }
  if (request.headers["if-none-match"] === etag) {
    response.writeHead(304, headers).end()
    return
  }
  response
    .writeHead(200, { ...headers, "content-type": "application/json", "content-length": body.length })
    .end(body)
})
server.listen(0, "127.0.0.1", () => {
  const { port } = server.address() as AddressInfo
  listening({
    url: `http://127.0.0.1:${port}`,
    headers: { authorization: `Bearer ${token}` },
    pids: [process.pid],
  })
})
