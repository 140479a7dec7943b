import { expect } from "vitest"
import { jsonLog } from "../../functions/platform/log.ts"
import { mailOf } from "../../functions/platform/messages/email.ts"
import type { Message } from "../../functions/platform/messages/message.ts"
import { slackOf } from "../../functions/platform/messages/slack.ts"
import { newSecret, webhookOf } from "../../functions/platform/messages/webhook.ts"
import { asks, type Case, CONSOLE, fresh, shows } from "./corpus.ts"
import type { Asked, World } from "./corpus-world.ts"

const SPLIT = "%0d%0aset-cookie:%20evil=1%0d%0a%0d%0a%3Cscript%3Ealert(1)%3C/script%3E"
const unsplit = (headers: Iterable<[string, string]>): void => {
  for (const [name, value] of headers) {
    expect(name).not.toBe("set-cookie")
    expect(value, name).not.toMatch(/\p{Cc}/u)
  }
}
const PLACES: Readonly<Record<string, string>> = {
  "in a tenant's id": `/api/v1/tenants/${SPLIT}`,
  "in an external id": `/api/v1/tenants/crm:${SPLIT}`,
  "in a config's id": `/api/v1/configs/acme:Staging:${SPLIT}`,
  "in a change's id": `/api/v1/changes/acme:${SPLIT}`,
  "in an environment": `/api/v1/tenants/acme/environments/${SPLIT}/policy`,
  "in a route that is not there": `/nowhere/${SPLIT}`,
  "in a parameter's name": `/api/v1/tenants/acme?${SPLIT}=1`,
  "in a parameter's value": `/api/v1/changes?tenantId=acme&state=${SPLIT}`,
  "in a cursor": `/api/v1/changes?tenantId=acme&cursor=${SPLIT}`,
  "in a key that is read": `/api/v1/configs/tenant/acme?environment=Staging&key=${SPLIT}`,
  "in a page of the reference": `/docs/${SPLIT}`,
}
const splitting = shows("Response splitting", "data in JSON, and no header of its own", {
  ...Object.fromEntries(
    Object.entries(PLACES).map(([name, path]) => [
      name,
      async (world: World) => {
        const told = await world.ask({ path })
        expect(told.status).toBeGreaterThanOrEqual(400)
        expect(told.status).toBeLessThan(500)
        unsplit(told.headers)
        expect(told.headers.get("content-type")).toBe("application/problem+json; charset=utf-8")
        expect(told.headers.get("x-content-type-options")).toBe("nosniff")
        expect(() => JSON.parse(told.text)).not.toThrow()
      },
    ]),
  ),
  "in a path, through the Worker": async (world) => {
    const { headers } = await world.through(`/api/v1/configs/tenant/${SPLIT}`)
    unsplit(Object.entries(headers).map(([name, value]) => [name, String(value)]))
  },
  "in a path, at the read function": async ({ read }) => {
    const { headers, body } = await read.call(`/api/v1/configs/tenant/${SPLIT}`, await read.reader())
    unsplit(Object.entries(headers))
    expect(body).not.toContain("\r")
  },
})

const message = (detail: Message["detail"], parts: Partial<Message> = {}): Message => ({
  id: "0199c0de-0000-7000-8000-000000000001",
  type: "change.approval_requested",
  at: "2026-11-21T08:00:00.000Z",
  tenantId: "acme",
  environment: "Production",
  changeId: "acme:chg_0199c0de000070008000000000000001",
  detail,
  ...parts,
})
const TEXTS: Readonly<Record<string, string>> = {
  "everybody in a Slack channel": "<!channel> approve this",
  "somebody in Slack": "<@U012AB3CD>",
  "a link under other words": `<https://attacker.example|${CONSOLE}>`,
  "escapes of what Slack takes": "&lt;!here&gt;",
  "a script": "<script>alert(1)</script>",
  "an image that fails": '<img src=x onerror="alert(1)">',
  "the end of an attribute": '"><svg onload=alert(1)>',
  "the end of a table": "</td></tr></table><h1>Approved</h1>",
  "a line of its own": "looks right\r\nApproved by: everybody",
  "other lines of Unicode": "looks right\u2028Approved by: everybody\u2029\u0085x",
  "a header of a mail": "x\r\nBcc: attacker@example.com\r\n\r\nbody",
  "text turned round": "\u202egnihtyna\u202c",
  "what cannot be seen": "a\u200b\u2060\ufeffb",
  "half a pair": "\ud800",
  "a terminal's escapes": "\u001b[2J\u001b]0;owned\u0007",
}
const notices = shows("Words in messages", "only words", {
  ...Object.fromEntries(
    Object.entries(TEXTS).map(([name, text]) => [
      name,
      () => {
        const one = message({ author: text, keys: [text], comment: text, words: text })
        const slack = slackOf(one, CONSOLE)
        // The one link is our own.
        expect(slack.match(/<[^>]*>/g)).toEqual([
          `<${CONSOLE}/changes/acme%3Achg_0199c0de000070008000000000000001|Open the change>`,
        ])
        const mail = mailOf(one, ["a@b.example"], CONSOLE)
        expect(mail.html.match(/<(?!\/?(?:h2|table|tr|th|td|p|a)\b)/g)).toBeNull()
        expect(mail.html.match(/<a /g)).toHaveLength(1)
        expect(mail.html.match(/<tr>/g)).toHaveLength(
          mail.text.split("\n").filter((line) => line.includes(": ")).length - 1,
        )
        expect(mail.text).not.toMatch(/^(?:Approved by|Bcc)/m)
        expect(mail.text).not.toMatch(/[\p{Cf}\p{Zl}\p{Zp}]|(?!\n)\p{Cc}/u)
        expect(mail.subject).toBe("[Hotswap] Approval requested: Production of acme")
      },
    ]),
  ),
  "a tenant's name that looks like headers": () => {
    const one = message({}, { tenantId: "acme\r\nBcc: a@b.example", environment: null })
    expect(mailOf(one, [], null).subject).not.toMatch(/[\r\n]/)
  },
  "a change's id that leads elsewhere": () => {
    const one = message({}, { changeId: '../../"><a href=//attacker.example' })
    expect(
      mailOf(one, [], CONSOLE)
        .html.match(/href="([^"]*)"/)?.[1]
        ?.startsWith(`${CONSOLE}/changes/`),
    ).toBe(true)
  },
  "members that would be the message's own": () => {
    const one = message({ tenantId: "globex", changeId: "x", url: "https://attacker.example", type: "y" })
    const { headers, body } = webhookOf(one, { secret: newSecret(), nowMs: 0, consoleUrl: CONSOLE })
    expect(JSON.parse(body)).toMatchObject({
      type: "change.approval_requested",
      data: { tenantId: "acme", url: `${CONSOLE}/changes/acme%3Achg_0199c0de000070008000000000000001` },
    })
    unsplit(Object.entries(headers))
  },
})

const mailTo = (to: unknown): Asked => ({
  method: "POST",
  path: "/api/v1/tenants/acme/channels",
  body: { type: "email", to },
})
const recipients = asks(
  "Words in messages",
  "BODY_INVALID",
  Object.fromEntries(
    [
      "a@b.example\r\nBcc: c@d.example",
      "a@b.example,c@d.example",
      "a@b.example c@d.example",
      '"A" <a@b.example>',
      "a@b.example>RCPT TO:<c@d.example",
      "mailto:a@b.example",
      "|/bin/sh@b.example",
      "a@[127.0.0.1]",
      "a@b.example\u2028c",
      "a",
    ].map((address) => [`mail to \`${JSON.stringify(address).slice(1, -1)}\``, mailTo([address])]),
  ),
  () => mailTo([`mail${fresh()}@b.example`]),
)

const clock = { nowMs: () => 0, now: () => new Date(0) }
const logs = shows("Log", "one line, as JSON", {
  ...Object.fromEntries(
    [
      'x\n{"level":"error","message":"forged"}',
      "x\r\nforged",
      "\u001b[2Jforged",
      "x\u2028forged\u0000",
      '"},{"level":"error',
    ].map((text) => [
      `\`${JSON.stringify(text).slice(1, -1)}\``,
      () => {
        const lines: string[] = []
        const log = jsonLog({ clock, functionName: "manage", write: (line) => lines.push(line) })
        log.warn(text, { path: text, error: new Error(text, { cause: new Error(text) }) })
        expect(lines).toHaveLength(1)
        expect(lines[0]).not.toMatch(/\p{Cc}/u)
        expect(JSON.parse(lines[0]!)).toMatchObject({ level: "warn", message: text, path: text })
      },
    ]),
  ),
})

export const WORD_CASES: readonly Case[] = [...splitting, ...notices, ...recipients, ...logs]
