import { readFileSync } from "node:fs"
import { join } from "node:path"
import { Webhook } from "standardwebhooks"
import { describe, expect, test } from "vitest"
import { NOTICE_TYPES } from "../../../core/change/notice.ts"
import { mailOf } from "../../../functions/platform/messages/email.ts"
import { headline, type Message } from "../../../functions/platform/messages/message.ts"
import { slackOf } from "../../../functions/platform/messages/slack.ts"
import { newSecret, RETIRING_MS, rotated, webhookOf } from "../../../functions/platform/messages/webhook.ts"
import { ROOT } from "../../support/source-tree.ts"

const message = (parts: Partial<Message> = {}): Message => ({
  id: "0199c0de-0000-7000-8000-000000000001",
  type: "change.approval_requested",
  at: "2026-11-21T08:00:00.000Z",
  tenantId: "acme",
  environment: "Production",
  changeId: "acme:chg_0199c0de000070008000000000000001",
  detail: { author: "erin", roles: ["manager"], keys: ["a.b"], comment: "looks <b>right</b> & so on" },
  ...parts,
})
const CONSOLE = "https://console.example.com"
const signed = (secret: string, nowMs = Date.now(), one = message()) =>
  webhookOf(one, { secret, nowMs, consoleUrl: CONSOLE })

describe("a webhook", () => {
  test("is verified by the official library, and a byte altered anywhere is noticed", () => {
    const secret = newSecret()
    const { headers, body } = signed(secret)
    expect(new Webhook(secret).verify(body, headers)).toEqual(JSON.parse(body))
    expect(() => new Webhook(secret).verify(body.replace("erin", "eric"), headers)).toThrow()
    expect(() => new Webhook(secret).verify(body, { ...headers, "webhook-id": "another" })).toThrow()
    expect(() => new Webhook(newSecret()).verify(body, headers)).toThrow()
  })

  test("is verified by the lines of the guide, which notice a byte altered, another secret and an old message", async () => {
    const guide = readFileSync(join(ROOT, "docs/notifications.md"), "utf8")
    const [, code = ""] = /```js\n(.*?)```/s.exec(guide) ?? []
    const { isGenuine } = (await import(`data:text/javascript,${encodeURIComponent(code)}`)) as {
      isGenuine: (secret: string, headers: Record<string, string>, body: string) => boolean
    }
    const secret = newSecret()
    const { headers, body } = signed(secret)
    expect(isGenuine(secret, headers, body)).toBe(true)
    expect(isGenuine(secret, headers, body.replace("erin", "eric"))).toBe(false)
    expect(isGenuine(newSecret(), headers, body)).toBe(false)
    const old = signed(secret, Date.now() - 600_000)
    expect(isGenuine(secret, old.headers, old.body)).toBe(false)
  })

  test("says what happened, where, and where to look, whatever the detail is called", () => {
    const { body } = signed(
      newSecret(),
      Date.now(),
      message({ detail: { author: "erin", tenantId: "other" } }),
    )
    expect(JSON.parse(body)).toEqual({
      type: "change.approval_requested",
      timestamp: "2026-11-21T08:00:00.000Z",
      data: {
        author: "erin",
        tenantId: "acme",
        environment: "Production",
        changeId: "acme:chg_0199c0de000070008000000000000001",
        url: `${CONSOLE}/changes/acme%3Achg_0199c0de000070008000000000000001`,
      },
    })
  })

  test("whose secret was replaced is signed with both for a day, then with the new one alone", () => {
    const [old, fresh] = [newSecret(), newSecret()]
    const nowMs = Date.now()
    const kept = rotated(old, fresh, nowMs - RETIRING_MS + 1_000)
    const during = signed(kept, nowMs)
    for (const secret of [old, fresh])
      expect(new Webhook(secret).verify(during.body, during.headers)).toBeTruthy()
    const after = signed(kept, nowMs + 1_000)
    expect(new Webhook(fresh).verify(after.body, after.headers)).toBeTruthy()
    expect(() => new Webhook(old).verify(after.body, after.headers)).toThrow()
  })

  test("whose secret is replaced twice in a day keeps to the two newest", () => {
    const [first, second, third] = [newSecret(), newSecret(), newSecret()]
    const nowMs = Date.now()
    const { headers, body } = signed(rotated(rotated(first, second, nowMs), third, nowMs), nowMs)
    for (const secret of [second, third]) expect(new Webhook(secret).verify(body, headers)).toBeTruthy()
    expect(() => new Webhook(first).verify(body, headers)).toThrow()
  })
})

interface SlackBody {
  text: string
  blocks: {
    type: string
    text?: { text: string }
    fields?: { text: string }[]
    elements?: { text: string }[]
  }[]
}
const slack = (one: Message, consoleUrl: string | null = null) => {
  const text = slackOf(one, consoleUrl)
  return { text, body: JSON.parse(text) as SlackBody }
}

describe("a message to Slack", () => {
  test("mentions nobody and links to nothing, whatever people wrote", () => {
    const { body } = slack(
      message({
        environment: "<!here>",
        detail: { comment: "<!channel> <https://evil.example|click> & more", author: "<@U123>" },
      }),
    )
    const marked = body.blocks.flatMap(({ fields = [], elements = [] }) => [...fields, ...elements])
    for (const { text } of [...marked, body]) expect(text).not.toMatch(/[<>]/)
    expect(marked.map(({ text }) => text)).toContain(
      "*Comment*\n&lt;!channel&gt; &lt;https://evil.example|click&gt; &amp; more",
    )
  })

  test("links to the change where there is a console, and only then", () => {
    const link = `<${CONSOLE}/changes/acme%3Achg_0199c0de000070008000000000000001|Open the change>`
    expect(slack(message(), CONSOLE).text).toContain(link)
    expect(slack(message()).text).not.toContain("Open the change")
  })

  test("keeps to Slack's limits with the longest that anybody may write", () => {
    const long = "&<>".repeat(5_000)
    const detail = {
      author: long,
      who: long,
      roles: [long],
      keys: Array.from({ length: 1_000 }, () => long),
      state: long,
      tenant: long,
      source: long,
      reason: long,
      words: long,
      comment: long,
    }
    const { body } = slack(
      message({ environment: "E".repeat(500), tenantId: "t".repeat(500), detail }),
      CONSOLE,
    )
    expect(body.blocks.length).toBeLessThanOrEqual(50)
    const [header] = body.blocks
    expect(header!.text!.text.length).toBeLessThanOrEqual(150)
    for (const { fields = [], text } of body.blocks) {
      expect(fields.length).toBeLessThanOrEqual(10)
      expect(text?.text.length ?? 0).toBeLessThanOrEqual(3_000)
      for (const field of fields) {
        expect(field.text.length).toBeLessThanOrEqual(2_000)
        expect(field.text.replaceAll(/&(amp|lt|gt);/g, "")).not.toMatch(/[&<>]/)
      }
    }
  })
})

describe("a mail", () => {
  test("says the same as text and as HTML, in which nothing that people wrote is markup", () => {
    const mail = mailOf(message(), ["a@example.com"], CONSOLE)
    expect(mail.text).toContain("Comment: looks <b>right</b> & so on")
    expect(mail.html).toContain("<td>looks &lt;b&gt;right&lt;/b&gt; &amp; so on</td>")
    expect(mail.text).toContain(`${CONSOLE}/changes/`)
    expect(mail.subject).toBe("[Hotswap] Approval requested: Production of acme")
  })
})

test("of many keys the first ten are named, and how many more there are", () => {
  const keys = Array.from({ length: 50 }, (_, index) => `k${index}`)
  const { text } = mailOf(message({ detail: { keys, keyCount: 4_000, state: "rolled_back" } }), [], null)
  expect(text).toContain("Keys: k0, k1, k2, k3, k4, k5, k6, k7, k8, k9 and 3990 more\n")
  expect(text).toContain("State: rolled back\n")
})

test("what is told on one line stays on one line, without anything that cannot be seen", () => {
  const shown = headline(message({ tenantId: "a\r\nBcc: b@example.com\u202e\u0000\u2028" }))
  expect(shown).toBe("Approval requested: Production of a Bcc: b@example.com")
})

test.each([...NOTICE_TYPES, "channel.test" as const])("%s has words of its own", (type) => {
  expect(headline(message({ type }))).toMatch(/^[A-Z][a-z ]+: Production of acme$/)
})
