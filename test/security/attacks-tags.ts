import { expect } from "vitest"
import type { ProblemCode } from "../../core/errors.ts"
import { makeCertificate } from "../functions/manage/certificate.ts"
import { alarm, type Envelope, signed, TOPIC } from "../functions/manage/sns.ts"
import { asks, type Case, CONSOLE, fresh, refusedWith, shows } from "./corpus.ts"
import type { Asked, World } from "./corpus-world.ts"

const encoded = (value: unknown): string =>
  Buffer.from(typeof value === "string" ? value : JSON.stringify(value)).toString("base64url")
const LIST = "/api/v1/tenants/acme/tokens"
const cursors = asks(
  "Cursors",
  "CURSOR_INVALID",
  Object.fromEntries(
    Object.entries({
      "of another list": encoded(["audit", 1]),
      "of no list": encoded([]),
      "that is an object": encoded({ list: "tokens" }),
      "with a list in it": encoded(["tokens", ["a"]]),
      "with an object in it": encoded('["tokens",{"__proto__":1}]'),
      "with more in it": encoded(["tokens", "a", "b"]),
      "with less in it": encoded(["tokens"]),
      "with NUL in it": encoded(["tokens", "a\0"]),
      "with half a pair in it": encoded('["tokens","\\ud800"]'),
      "with a fraction in it": encoded(["tokens", 1.5]),
      "with a number beyond all in it": encoded('["tokens",1e999]'),
      "with a number below nought in it": encoded(["tokens", -1]),
      "that is not JSON": encoded("tokens"),
      "that is not base64": "!!!!",
      "that is empty": "",
    }).map(([name, cursor]): [string, Asked] => [`a cursor ${name}`, { path: `${LIST}?cursor=${cursor}` }]),
  ),
  { path: `${LIST}?limit=1` },
)
const foreign = shows("Cursors", "its own tenant's items only", {
  "a cursor of another tenant's list": async (world) => {
    const theirs = await world.call<{ nextCursor: string }>("GET", "/api/v1/tenants/globex/tokens?limit=1")
    const told = await world.ask({ path: `${LIST}?cursor=${encodeURIComponent(theirs.body.nextCursor)}` })
    expect(told.text).not.toContain("globex")
  },
})

const create = (
  key: string,
  headers: Record<string, string>,
  value: unknown = 1,
  by: Asked["by"] = "engineer",
): Asked => ({
  method: "POST",
  path: "/api/v1/configs",
  by,
  headers,
  body: { tenantId: "acme", environment: "Staging", key, value },
})
const keys: Case[] = [
  ...asks(
    "Idempotency and versions",
    "IDEMPOTENCY_KEY_INVALID",
    Object.fromEntries(
      Object.entries({ "of 129 characters": "k".repeat(129), "with a tab": "a\tb", "beyond ASCII": "é" }).map(
        ([name, key]) => [
          `an Idempotency-Key ${name}`,
          () => create(`idem.${fresh()}`, { "idempotency-key": key }),
        ],
      ),
    ),
    () => create(`idem.${fresh()}`, { "idempotency-key": `k${fresh()}` }),
  ),
  ...shows("Idempotency and versions", "IDEMPOTENCY_KEY_REUSED", {
    "an Idempotency-Key again for another body": async (world) => {
      const key = `idem.${fresh()}`
      const headers = { "idempotency-key": key }
      expect((await world.ask(create(key, headers))).status).toBe(201)
      refusedWith(await world.ask(create(key, headers, 2)), "IDEMPOTENCY_KEY_REUSED")
    },
  }),
  ...shows("Idempotency and versions", "an answer of one's own", {
    "somebody else's Idempotency-Key": async (world) => {
      const key = `idem.${fresh()}`
      const headers = { "idempotency-key": key }
      expect((await world.ask(create(key, headers))).status).toBe(201)
      refusedWith(await world.ask(create(key, headers, 1, "manager")), "CONFIG_EXISTS")
    },
    "another tenant's Idempotency-Key": async (world) => {
      const key = `idem.${fresh()}`
      const headers = { "idempotency-key": key }
      expect((await world.ask(create(key, headers))).status).toBe(201)
      const body = { tenantId: "globex", environment: "Staging", key, value: 1 }
      const told = await world.call("POST", "/api/v1/configs", {
        token: world.globex.tokens.engineer,
        headers,
        body,
      })
      expect([told.status, told.text.includes("acme")]).toEqual([201, false])
    },
  }),
]

const edit =
  (ifMatch: string): (() => Asked) =>
  () => ({
    method: "PUT",
    path: "/api/v1/configs/acme:Staging:plan",
    by: "engineer",
    headers: { "if-match": ifMatch },
    body: { description: `d${fresh()}` },
  })
const versions: Case[] = [
  ...asks(
    "Idempotency and versions",
    "IF_MATCH_INVALID",
    Object.fromEntries(
      [
        "1",
        '"1", "2"',
        '"-1"',
        '"1e3"',
        '"0x1"',
        '"99999999999"',
        '""',
        '"1" or "2"',
        '*, "1"',
        "W/1",
        `"${"1".repeat(5_000)}"`,
      ].map((tag) => [`If-Match: \`${tag.slice(0, 20)}\``, edit(tag)]),
    ),
    edit("*"),
  ),
  ...asks(
    "Idempotency and versions",
    "VERSION_STALE",
    { "If-Match of a version that is to come": edit('"999999"') },
    edit("*"),
  ),
]

const ORIGINS: Readonly<Record<string, string>> = {
  "another origin": "https://attacker.example",
  "the origin `null`": "null",
  "no TLS": CONSOLE.replace("https:", "http:"),
  "a port": `${CONSOLE}:8443`,
  "a path": `${CONSOLE}/`,
  "something before it": CONSOLE.replace("console", "evilconsole"),
  "something after it": `${CONSOLE}.attacker.example`,
  "it as a user": `${CONSOLE}@attacker.example`,
  "a letter for its dot": CONSOLE.replace("console.", "consoleX"),
  capitals: CONSOLE.toUpperCase(),
  "a list": `${CONSOLE}, https://attacker.example`,
  "a wildcard": "*",
  "a file": "file://",
  "an extension": "chrome-extension://abcdef",
}
const crossOrigin = shows(
  "Other origins",
  "kept from the page by its browser",
  Object.fromEntries(
    Object.entries(ORIGINS).map(([name, origin]) => [
      name,
      async (world: World) => {
        for (const method of ["GET", "OPTIONS"]) {
          const headers = { origin, "access-control-request-method": "DELETE" }
          const told = await world.ask({ method, path: "/api/v1/tenants/acme", headers })
          expect(told.headers.get("access-control-allow-origin")).toBeNull()
          expect(told.headers.get("access-control-allow-credentials")).toBeNull()
          expect(told.headers.get("vary")).toContain("Origin")
        }
      },
    ]),
  ),
  async (world) => {
    const told = await world.ask({ path: "/api/v1/tenants/acme", headers: { origin: CONSOLE } })
    expect(told.headers.get("access-control-allow-origin")).toBe(CONSOLE)
    expect(told.headers.get("access-control-allow-credentials")).toBeNull()
  },
)

const SIGNALS = "/api/v1/tenants/acme/environments/QA/signals"
const stranger = makeCertificate(new Date())
const HOUR_MS = 3_600_000
type Forged = (world: World) => Envelope
const right = ({ certificate, platform }: World, fields: Envelope = {}, driftMs = 0): Envelope =>
  signed(certificate.key, platform.clock.nowMs() + driftMs, fields)
const sns = (code: ProblemCode, forged: Readonly<Record<string, Forged>>): Case[] =>
  asks(
    "Alarms",
    code,
    Object.fromEntries(
      Object.entries(forged).map(([name, forge]) => [
        name,
        (world: World) => ({ method: "POST", path: SIGNALS, by: null, body: forge(world) }),
      ]),
    ),
    (world) => ({ method: "POST", path: SIGNALS, by: null, body: right(world) }),
  )
const at =
  (SigningCertURL: string): Forged =>
  (world) =>
    right(world, { SigningCertURL })
const confirming =
  (SubscribeURL: string): Forged =>
  (world) =>
    right(world, {
      Type: "SubscriptionConfirmation",
      Message: "m",
      Token: "t",
      Subject: undefined,
      SubscribeURL,
    })
const alarms: Case[] = [
  ...sns("SIGNATURE_INVALID", {
    "a message that was altered": (world) => ({ ...right(world), Message: alarm("OK") }),
    "a subject that was added": (world) => ({ ...right(world, { Subject: undefined }), Subject: "x" }),
    "a message under another id": (world) => ({ ...right(world), MessageId: "x" }),
    "a message of another topic, signed for ours": (world) => ({ ...right(world), TopicArn: `${TOPIC}2` }),
    "a notification signed as a confirmation": (world) => ({
      ...confirming("https://x")(world),
      Type: "Notification",
    }),
    "another's key": ({ platform }) => signed(stranger.key, platform.clock.nowMs()),
    "no signature": (world) => ({ ...right(world), Signature: undefined }),
    "an empty signature": (world) => ({ ...right(world), Signature: "" }),
    "a signature that is a list": (world) => ({ ...right(world), Signature: ["a"] }),
    "a version that there is none of": (world) => ({ ...right(world), SignatureVersion: "3" }),
    "version 1 said to be 2": (world) => ({ ...right(world), SignatureVersion: "2" }),
    "a message of two hours ago": (world) => right(world, {}, -2 * HOUR_MS),
    "a message of tomorrow": (world) => right(world, {}, 24 * HOUR_MS),
    "a certificate of another host": at("https://sns.eu-central-1.amazonaws.com.attacker.example/x.pem"),
    "a certificate of a host that begins so": at(
      "https://sns.eu-central-1.amazonaws.com@attacker.example/x.pem",
    ),
    "a certificate in a bucket": at("https://sns.s3.amazonaws.com/x.pem"),
    "a certificate without TLS": at("http://sns.eu-central-1.amazonaws.com/x.pem"),
    "a certificate at another port": at("https://sns.eu-central-1.amazonaws.com:8443/x.pem"),
    "a certificate up the path": at("https://sns.eu-central-1.amazonaws.com/a/../../x.pem?"),
    "a certificate with a query": at("https://sns.eu-central-1.amazonaws.com/?x.pem"),
    "a certificate in a file": at("file:///etc/ssl/x.pem"),
    "a certificate of a metadata service": at("https://169.254.169.254/x.pem"),
    "a subscription confirmed elsewhere": confirming("https://attacker.example/?Action=ConfirmSubscription"),
    "a subscription confirmed inside": confirming("https://169.254.169.254/?Action=ConfirmSubscription"),
    "a subscription confirmed by another action": confirming(
      "https://sns.eu-central-1.amazonaws.com/?Action=Publish",
    ),
  }),
  ...sns("TOPIC_UNKNOWN", {
    "a topic that the policy does not name": (world) => right(world, { TopicArn: `${TOPIC}2` }),
  }),
]

export const TAG_CASES: readonly Case[] = [
  ...cursors,
  ...foreign,
  ...keys,
  ...versions,
  ...crossOrigin,
  ...alarms,
]
