import { getCACertificates, setDefaultCACertificates } from "node:tls"
import { afterEach, expect, test } from "vitest"
import { createMailer, type Mail } from "../../../functions/platform/mailer.ts"
import { parseMailbox, parseSmtpUrl } from "../../../functions/platform/smtp-url.ts"
import { selfSigned } from "../../support/certificate.ts"
import { startMailReceiver } from "./receivers.ts"

const stops: (() => unknown)[] = []
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop()
})

const receiver = async (...options: Parameters<typeof startMailReceiver>) => {
  const started = await startMailReceiver(...options)
  stops.push(started.stop)
  return started
}

const MAIL: Mail = {
  id: "delivery-1",
  thread: "acme:chg_1",
  to: ["a@example.com", "b@example.com"],
  subject: "[Hotswap] Live: Production of acme",
  text: "text",
  html: "<p>html</p>",
}
const FROM = parseMailbox("Hotswap <hotswap@mail.example>")
const send = (url: string, mail: Partial<Mail> = {}, deadlineMs = 5_000) =>
  createMailer(parseSmtpUrl(url), FROM).send({ ...MAIL, ...mail }, deadlineMs)

test("a mail is handed in with its recipients, as text and HTML, under an id that stays the same", async () => {
  const server = await receiver()
  expect(await send(`smtp://127.0.0.1:${server.port}`)).toEqual([])
  await send(`smtp://127.0.0.1:${server.port}`)
  expect(server.mails).toHaveLength(2)
  for (const { to, from, text } of server.mails) {
    expect(to).toEqual(["a@example.com", "b@example.com"])
    expect(from).toBe("hotswap@mail.example")
    expect(text).toMatch(/^Message-ID: <delivery-1@mail\.example>\r$/m)
    expect(text).toMatch(/^References: <acme\.chg_1@mail\.example>\r$/m)
    expect(text).toMatch(/^Auto-Submitted: auto-generated\r$/m)
    expect(text).toMatch(/^Content-Type: text\/plain/m)
    expect(text).toMatch(/^Content-Type: text\/html/m)
  }
})

test("no header and no recipient comes in by way of what somebody wrote", async () => {
  const server = await receiver()
  await send(`smtp://127.0.0.1:${server.port}`, {
    subject: "a\r\nBcc: evil@example.com\r\n\r\nbody",
    id: "x>\r\nBcc: evil@example.com",
    to: ["a@example.com"],
  })
  const [{ to, text } = { to: [], text: "" }] = server.mails
  expect(to).toEqual(["a@example.com"])
  expect(text.split("\r\n\r\n")[0]).not.toMatch(/^bcc:/im)
})

test("over the network a mail goes by TLS that can be trusted, or not at all", async () => {
  const before = getCACertificates("default")
  stops.push(() => setDefaultCACertificates(before))
  const tls = selfSigned(["localhost"])
  const server = await receiver(tls)
  const url = `smtp://localhost:${server.port}?tls=required`
  await expect(send(url)).rejects.toMatchObject({ name: "NotReached" })
  expect(server.mails).toHaveLength(0)
  setDefaultCACertificates([...before, tls.cert])
  expect(await send(url)).toEqual([])
  expect(server.mails).toHaveLength(1)
  const plain = await receiver({ disabledCommands: ["STARTTLS"] })
  await expect(send(`smtp://localhost:${plain.port}?tls=required`)).rejects.toMatchObject({
    name: "NotReached",
    message: "The mail server offers no TLS that can be trusted.",
  })
  expect(plain.mails).toHaveLength(0)
})

const refusing = (status: number, addresses: string[]) => ({
  onRcptTo: (({ address }, _session, done) =>
    addresses.includes(address)
      ? done(Object.assign(new Error("no such mailbox"), { responseCode: status }))
      : done()) as NonNullable<Parameters<typeof startMailReceiver>[0]>["onRcptTo"] & {},
})

test("who is refused is named where others were taken; all refused for good is final, for now is not", async () => {
  const some = await receiver(refusing(550, ["b@example.com"]))
  expect(await send(`smtp://127.0.0.1:${some.port}`)).toEqual(["b@example.com"])
  expect(some.mails.map(({ to }) => to)).toEqual([["a@example.com"]])
  const gone = await receiver(refusing(550, [...MAIL.to]))
  await expect(send(`smtp://127.0.0.1:${gone.port}`)).rejects.toMatchObject({ name: "MailRefused" })
  const greylisting = await receiver(refusing(450, [...MAIL.to]))
  await expect(send(`smtp://127.0.0.1:${greylisting.port}`)).rejects.toMatchObject({ name: "NotReached" })
})

test("a server that is not there, or never answers, is waited for no longer than the deadline", async () => {
  const silent = await receiver({ onConnect: () => {} })
  await expect(send(`smtp://127.0.0.1:${silent.port}`, {}, 50)).rejects.toMatchObject({
    message: "The mail server did not answer in time.",
  })
  const { port, stop } = await startMailReceiver()
  await stop()
  await expect(send(`smtp://127.0.0.1:${port}`)).rejects.toMatchObject({ name: "NotReached" })
})

test.each([
  ["smtp://mail.example.com", { port: 587, tls: "required", auth: null }],
  [
    "smtps://u%40x:p%3Ass@mail.example.com",
    { port: 465, tls: "wrapped", auth: { user: "u@x", pass: "p:ss" } },
  ],
  ["smtp://localhost:25", { port: 25, tls: "none" }],
  ["smtp://u:p@127.0.0.1:25", { tls: "none" }],
  ["smtp://[::1]:25", { host: "::1", tls: "none" }],
  ["smtp://localhost:25?tls=required", { tls: "required" }],
  ["smtp://mail.example.com?tls=none", { tls: "none" }],
  ["smtp://127.0.0.1.example.com", { tls: "required" }],
])("%s is read as what it is", (url, server) => {
  expect(parseSmtpUrl(url)).toMatchObject(server)
})

test.each([
  "http://mail.example.com",
  "smtp://",
  "mail.example.com",
  "smtp://mail.example.com?tls=maybe",
  "smtp://mail.example.com?rejectUnauthorized=false",
  "smtp://user:hunter2@mail.example.com?tls=none",
])("%s is refused, without telling the password", (url) => {
  expect(() => parseSmtpUrl(url)).toThrow(/^(?!.*hunter2)/)
})

test.each([
  "Hotswap <a@b.example",
  "a@b.example, c@d.example",
  "a b@c.example",
  "a",
  "<>",
  "A\r\nB <a@b.example>",
])("%j is not who mail can be from", (text) => {
  expect(() => parseMailbox(text)).toThrow("is not an address")
})
