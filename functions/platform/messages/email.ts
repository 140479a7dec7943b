import type { Mail } from "../mailer.ts"
import { facts, headline, linkOf, type Message } from "./message.ts"

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
}
const escaped = (text: string): string => text.replaceAll(/[&<>"']/g, (character) => ENTITIES[character]!)

const row = ([label, text]: readonly [string, string]): string =>
  `<tr><th align="left" valign="top">${escaped(label)}</th><td>${escaped(text)}</td></tr>`

/** The same twice: as text, and as simple HTML. */
export const mailOf = (message: Message, to: readonly string[], consoleUrl: string | null): Mail => {
  const title = headline(message)
  const lines = [...facts(message), ["At", message.at] as const]
  const link = linkOf(message, consoleUrl)
  return {
    id: message.id,
    thread: message.changeId ?? message.id,
    to,
    subject: `[Hotswap] ${title}`,
    text: [
      title,
      "",
      ...lines.map(([label, text]) => `${label}: ${text}`),
      ...(link ? ["", link] : []),
      "",
    ].join("\n"),
    html: [
      `<h2>${escaped(title)}</h2>`,
      `<table cellpadding="4">${lines.map(row).join("")}</table>`,
      ...(link ? [`<p><a href="${escaped(link)}">Open the change</a></p>`] : []),
    ].join("\n"),
  }
}
