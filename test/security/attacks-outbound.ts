import { expect } from "vitest"
import { blocksOf } from "../../functions/platform/addresses.ts"
import { createOutbound, type NotReached, type UrlRefused } from "../../functions/platform/outbound.ts"
import { startReceiver } from "../functions/notify/receivers.ts"
import { asks, type Case, shows } from "./corpus.ts"
import type { Asked } from "./corpus-world.ts"

const hook = (url: string): Asked => ({
  method: "POST",
  path: "/api/v1/tenants/globex/channels",
  by: "platform",
  body: { type: "webhook", url, events: ["change.live"], environment: "QA" },
})
/** Twenty channels are the most a tenant has: what is right is made, and taken away again. */
const right: Case["control"] = async (world) => {
  const made = await world.ask(hook("https://hooks.example.com/in"))
  expect(made.status, made.text).toBe(201)
  const { channelId } = JSON.parse(made.text) as { channelId: string }
  await world.ask({ method: "DELETE", path: `/api/v1/tenants/globex/channels/${channelId}`, by: "platform" })
}
const withControl = (cases: Case[], control: Case["control"]): Case[] =>
  cases.map((one) => ({ ...one, control }))

const INSIDE = [
  "127.0.0.1",
  "127.1",
  "127.0.0.1.",
  "0",
  "0.0.0.0",
  "2130706433",
  "0x7f000001",
  "0x7f.1",
  "017700000001",
  "0177.0.0.1",
  "127.000.000.001",
  "１２７.０.０.１",
  "①②⑦.⓪.⓪.①",
  "127。0。0。1",
  "169.254.169.254",
  "2852039166",
  "0xa9fea9fe",
  "169.254.43518",
  "100.100.100.200",
  "10.0.0.1",
  "172.16.0.1",
  "192.168.1.1",
  "100.64.0.1",
  "198.18.0.1",
  "224.0.0.1",
  "255.255.255.255",
  "[::]",
  "[::1]",
  "[::ffff:127.0.0.1]",
  "[::ffff:7f00:1]",
  "[::127.0.0.1]",
  "[0:0:0:0:0:ffff:169.254.169.254]",
  "[64:ff9b::169.254.169.254]",
  "[64:ff9b:1::a9fe:a9fe]",
  "[2002:7f00:1::]",
  "[2001:0:7f00:1::]",
  "[fd00:ec2::254]",
  "[fe80::1]",
  "[fec0::1]",
  "[ff02::1]",
  "localhost",
  "inside.example.com",
  "inside.example.com.",
  "mixed.example.com",
  "metadata.example.com",
  "six.example.com",
  "mapped.example.com",
  "nat64.example.com",
  "localtest.me",
  "ｉｎｓｉｄｅ.example.com",
  "%69nside.example.com",
  "inside%2eexample.com",
]

const refused: Case[] = withControl(
  [
    ...asks(
      "Server-side requests",
      "ADDRESS_FORBIDDEN",
      Object.fromEntries(INSIDE.map((host) => [`\`${host}\``, hook(`https://${host}/`)])),
      null,
    ),
    ...asks(
      "Server-side requests",
      "ADDRESS_FORBIDDEN",
      {
        "a tab in its host": hook("https://127.0.\t0.1/"),
        "a line feed in its host": hook("https://local\nhost/"),
        "slashes turned round": hook("https:\\\\127.0.0.1\\"),
        "one slash": hook("https:/127.0.0.1/"),
        "a Slack webhook inside": {
          ...hook("https://127.0.0.1/"),
          body: { type: "slack", url: "https://127.0.0.1/services/T/B/x" },
        },
      },
      null,
    ),
    ...asks(
      "Server-side requests",
      "CHANNEL_INVALID",
      {
        "without TLS": hook("http://hooks.example.com/"),
        "a file": hook("file:///etc/passwd"),
        Gopher: hook("gopher://hooks.example.com/_GET"),
        FTP: hook("ftp://hooks.example.com/"),
        data: hook("data:text/plain,a"),
        JavaScript: hook("javascript:alert(1)"),
        "a blob": hook("blob:https://hooks.example.com/a"),
        "no scheme": hook("//hooks.example.com/"),
        "a user": hook("https://somebody@hooks.example.com/"),
        "a user and a password": hook("https://somebody:secret@hooks.example.com/"),
        "the port of SSH": hook("https://hooks.example.com:22/"),
        "the port of PostgreSQL": hook("https://hooks.example.com:5432/"),
        "the port of Redis": hook("https://hooks.example.com:6379/"),
        "a port beyond all": hook("https://hooks.example.com:65536/"),
        "no host": hook("https:///"),
        "a host with a NUL": hook("https://hooks.example.com%00.inside/"),
      },
      null,
    ),
  ],
  right,
)

const LOOPBACK = blocksOf(["127.0.0.2/32"])
const POST = { headers: {}, body: "{}", deadlineMs: 5_000 }
type Failed = UrlRefused | NotReached
const failed = (work: Promise<unknown>): Promise<Failed | null> =>
  work.then(
    () => null,
    (error: Failed) => error,
  )

/** A server inside that must not hear anything; and that it would, if it were reached. */
const inside = async (attack: (port: number) => Promise<void>): Promise<void> => {
  const server = await startReceiver()
  try {
    await attack(server.port)
    expect(server.received).toEqual([])
    const open = createOutbound({ allowed: blocksOf(["127.0.0.0/8"]) })
    await open.post({ ...POST, url: `http://127.0.0.1:${server.port}/` })
    expect(server.received).toHaveLength(1)
  } finally {
    await server.stop()
  }
}

const sent = shows("Server-side requests", "nothing is sent", {
  "a name that leads inside between the check and the connection": () =>
    inside(async (port) => {
      const answers = [["127.0.0.2"], ["127.0.0.1"]]
      const outbound = createOutbound({
        allowed: LOOPBACK,
        resolve: async () => answers.shift() ?? ["127.0.0.1"],
      })
      expect((await failed(outbound.post({ ...POST, url: `http://rebinding.example:${port}/` })))?.name).toBe(
        "NotReached",
      )
    }),
  "a name that was outside when its channel was made": () =>
    inside(async (port) => {
      let address = "127.0.0.2"
      const outbound = createOutbound({ allowed: LOOPBACK, resolve: async () => [address] })
      await outbound.check(`http://later.example:${port}/`)
      address = "127.0.0.1"
      expect((await failed(outbound.post({ ...POST, url: `http://later.example:${port}/` })))?.name).toBe(
        "UrlRefused",
      )
    }),
  "a name with one address inside and one outside": () =>
    inside(async (port) => {
      const outbound = createOutbound({ allowed: LOOPBACK, resolve: async () => ["127.0.0.2", "127.0.0.1"] })
      expect((await failed(outbound.post({ ...POST, url: `http://both.example:${port}/` })))?.name).toBe(
        "UrlRefused",
      )
    }),
  "a name without an address": async () => {
    const outbound = createOutbound({ allowed: LOOPBACK, resolve: async () => [] })
    expect((await failed(outbound.post({ ...POST, url: "https://none.example/" })))?.name).toBe("NotReached")
  },
  ...Object.fromEntries(
    [301, 302, 303, 307, 308].map((status) => [
      `a redirect inside, with ${status}`,
      () =>
        inside(async (port) => {
          const outside = await startReceiver()
          const location = `http://127.0.0.1:${port}/`
          outside.answer = (response) => void response.writeHead(status, { location }).end()
          const outbound = createOutbound({ allowed: blocksOf(["127.0.0.0/8"]) })
          try {
            expect((await outbound.post({ ...POST, url: outside.url })).status).toBe(status)
          } finally {
            await outside.stop()
          }
        }),
    ]),
  ),
  "a refresh and a link inside, in an answer's headers": () =>
    inside(async (port) => {
      const outside = await startReceiver()
      const elsewhere = `http://127.0.0.1:${port}/`
      outside.answer = (response) =>
        void response
          .writeHead(200, { refresh: `0;url=${elsewhere}`, link: `<${elsewhere}>; rel=preload` })
          .end()
      const outbound = createOutbound({ allowed: blocksOf(["127.0.0.0/8"]) })
      try {
        await outbound.post({ ...POST, url: outside.url })
      } finally {
        await outside.stop()
      }
    }),
})

export const OUTBOUND_CASES: readonly Case[] = [...refused, ...sent]
