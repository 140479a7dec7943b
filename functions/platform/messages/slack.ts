import { clip, facts, headline, linkOf, type Message } from "./message.ts"

// Slack's limits: 150 characters in a header, 10 fields in a section, 2,000 characters in a field, 3,000 in a text.
const HEADER_MAX = 150
const FIELDS_MAX = 10
const FIELD_MAX = 2_000

/** Slack takes these three for its own, and nothing else: without `<` nobody is mentioned and nothing is a link. */
const escaped = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;")

/** Not cut inside of an escape. */
const clipped = (text: string, charactersMax: number): string =>
  clip(text, charactersMax).replace(/&[a-z]{0,3}…$/, "…")

/** `verbatim`: Slack makes no links of what looks like a name or an address. */
const marked = (text: string) => ({ type: "mrkdwn", text, verbatim: true })

/** The body of an incoming webhook: blocks, and `text` for where blocks are not shown. */
export const slackOf = (message: Message, consoleUrl: string | null): string => {
  const title = headline(message)
  const fields = facts(message)
    .slice(0, FIELDS_MAX)
    .map(([label, text]) => marked(clipped(`*${label}*\n${escaped(text)}`, FIELD_MAX)))
  const link = linkOf(message, consoleUrl)
  const blocks = [
    { type: "header", text: { type: "plain_text", text: clip(title, HEADER_MAX), emoji: false } },
    ...(fields.length > 0 ? [{ type: "section", fields }] : []),
    ...(link ? [{ type: "section", text: marked(`<${escaped(link)}|Open the change>`) }] : []),
    { type: "context", elements: [marked(`Hotswap · ${escaped(message.type)} · ${escaped(message.at)}`)] },
  ]
  return JSON.stringify({ text: escaped(title), blocks, unfurl_links: false, unfurl_media: false })
}
