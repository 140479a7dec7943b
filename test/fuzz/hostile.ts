import type { Chance } from "./chance.ts"
import type { Sent } from "./client.ts"
import { NAUGHTY } from "./faults.ts"

type Altered = Partial<Sent> & { words: string }

const METHODS = [
  "GET",
  "POST",
  "PUT",
  "PATCH",
  "DELETE",
  "HEAD",
  "OPTIONS",
  "TRACE",
  "PROPFIND",
  "QUERY",
  "LOCK",
]

/** What a header can carry at all. */
const carried = (text: string): string => text.replaceAll(/[^\x20-\x7e]/g, "?")

const HEADERS: readonly ((chance: Chance) => Record<string, string>)[] = [
  (chance) => ({ authorization: carried(chance.one(NAUGHTY)) }),
  (chance) => ({ authorization: `Bearer ${carried(chance.one(NAUGHTY))}` }),
  () => ({ authorization: `Bearer ${"x".repeat(9_000)}` }),
  () => ({ authorization: "Basic YTpi" }),
  () => ({ authorization: `Bearer hs_~platform_${"0".repeat(32)}_${"A".repeat(43)}` }),
  () => ({ authorization: "Bearer hsr_eyJhbGciOiJub25lIn0.e30." }),
  (chance) => ({ "x-tenant-id": carried(chance.one(NAUGHTY)) }),
  (chance) => ({ "x-tenant-id": chance.one(["~platform", "guild:1", "t0-a", "t1-b", "a:b:c"]) }),
  (chance) => ({ "idempotency-key": carried(chance.one([...NAUGHTY, "k".repeat(129), "k".repeat(128)])) }),
  (chance) => ({ "if-match": carried(chance.one([...NAUGHTY, '"1", "2"', 'W/"1"', '"'])) }),
  (chance) => ({
    "if-none-match": carried(chance.one([...NAUGHTY, "*", '"a","b",W/"c"', ",".repeat(4_000)])),
  }),
  (chance) => ({
    "content-type": carried(chance.one([...NAUGHTY, "text/plain", "multipart/form-data", "application/xml"])),
  }),
  (chance) => ({ "content-encoding": chance.one(["gzip", "br", "identity", "x"]) }),
  (chance) => ({ accept: carried(chance.one([...NAUGHTY, "text/html", "application/xml;q=0.9"])) }),
  (chance) => ({ "accept-encoding": chance.one(["", "gzip", "br, x;q=9"]) }),
  (chance) => ({ "last-event-id": carried(chance.one([...NAUGHTY, "1.2.3.4", "999999999999.0.0.0"])) }),
  (chance) => ({ origin: chance.one(["null", "https://evil.example", "*"]) }),
  () => ({ host: "evil.example" }),
  () => ({ "x-forwarded-host": "evil.example", "x-forwarded-proto": "ftp", "x-forwarded-for": "127.0.0.1" }),
  () => ({ "x-http-method-override": "DELETE", "x-original-url": "/api/v1/tenants", "x-rewrite-url": "/" }),
  () => ({ "hotswap-edge": "guess", "hotswap-client": "127.0.0.1" }),
  () => ({ cookie: "a=b; __proto__=c; a=b" }),
  () => ({ range: "bytes=0-1" }),
  () => ({ "x-long": "l".repeat(8_000) }),
  () => Object.fromEntries(Array.from({ length: 60 }, (_, index) => [`x-many-${index}`, "v"])),
]

/** The request with something odd said about it. */
export const hostileHeaders = (sent: Sent, chance: Chance): Altered => {
  const odd = chance.one(HEADERS)(chance)
  return { headers: { ...sent.headers, ...odd }, words: `header ${Object.keys(odd)[0]}` }
}

const PATHS: readonly ((path: string, chance: Chance) => string)[] = [
  (path) => path.replace("/api/", "//api/"),
  (path) => path.replace("/api/", "/./api/"),
  (path) => path.replace("/api/v1/", "/api/v1/../v1/"),
  (path) => path.replace("/api/", "/%61pi/"),
  (path) => path.replaceAll("/", "%2f").replace("%2f", "/"),
  (path) => path.replace("/api/", "/API/"),
  (path) => path.replace("?", "/?"),
  (path) => `${path}/`,
  (path) => `${path};a=b`,
  (path) => `${path}%00`,
  (path) => `${path}%0d%0aset-cookie:a=b`,
  (path) => `${path}%E0%A4%A`,
  (path) => `${path}%`,
  (path) => `${path}#fragment`,
  (path) => `${path}?`,
  (path) => `${path}${path.includes("?") ? "&" : "?"}a&&=&b==&%zz=1`,
  (path) => `${path}${path.includes("?") ? "&" : "?"}${"q=1&".repeat(1_000)}`,
  (path) => `${path}?${"x".repeat(8_000)}`,
  (path) => path.replace(/\/[^/?]+/, (part) => `${part}${"/a".repeat(1_000)}`),
  (path) => path.replace(/[^/?]+(\?|$)/, `${"a".repeat(5_000)}$1`),
  (path) => path.replace("/v1/", "/v2/"),
  (path, chance) => path.replace(/[^/?]+(\?|$)/, `${encodeURIComponent(chance.one(NAUGHTY))}$1`),
  (path, chance) => `/${encodeURIComponent(chance.one(NAUGHTY))}${path}`,
  (_path, chance) =>
    chance.one([
      "/internal/pointer",
      "/internal/view",
      "/.env",
      "/favicon.ico",
      "/robots.txt",
      "//",
      "/docs/",
      "/docs/assets/..%2f..%2fpackage.json",
      "/api/v1/configs/tenant/",
      "/api/v1/configs/tenant//x",
      "/internal/",
    ]),
]

/** The request to an odd address, or with another method. */
export const hostilePath = (sent: Sent, chance: Chance): Altered => {
  if (chance.of(0.3)) return { method: chance.one(METHODS), words: "method" }
  return { path: chance.one(PATHS)(sent.path, chance), words: "path" }
}
