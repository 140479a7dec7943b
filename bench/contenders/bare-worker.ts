// The least a Worker does for this answer: look the token up, look the body up, compare the ETag.
import { Miniflare } from "miniflare"
import { descendants, listening } from "../processes.ts"

const token = "floor-token"
const [keys = "20", path = "/api/v1/configs/tenant/acme-corp?environment=Production"] = process.argv.slice(2)
const configs = Object.fromEntries(
  Array.from({ length: Number(keys) }, (_, i) => [`feature.flag_${i}`, i % 2 === 0]),
)
const body = JSON.stringify({
  tenantId: "acme-corp",
  environment: "Production",
  revision: "1.0.0.2",
  view: "0.floor",
  arm: "stable",
  configs,
})
const script = `
const principals = new Map([["Bearer ${token}", "acme-corp"]])
const bodies = new Map([[${JSON.stringify(path)}, ${JSON.stringify(body)}]])
const etag = 'W/"0.floor"'
export default { fetch(request) {
  const principal = principals.get(request.headers.get("authorization") ?? "")
  const url = request.url
  const body = principal && bodies.get(url.slice(url.indexOf("/", 8)))
  if (!body) return new Response(null, { status: 404 })
  const headers = { "content-type": "application/json", "cache-control": "private, no-cache", etag, "hotswap-revision": "1.0.0.2", "hotswap-arm": "stable", vary: "Authorization" }
  if (request.headers.get("if-none-match") === etag) return new Response(null, { status: 304, headers })
  return new Response(body, { headers })
} }`
const worker = new Miniflare({
  modules: true,
  script,
  compatibilityDate: "2026-07-01",
  cf: false,
  host: "127.0.0.1",
  port: 0,
})
const url = await worker.ready
listening({ url: url.origin, headers: { authorization: `Bearer ${token}` }, pids: descendants(process.pid) })
