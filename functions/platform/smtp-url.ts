/** Where mail is handed in, as the operator set it. */
export interface SmtpServer {
  host: string
  port: number
  /**
   * `wrapped`: TLS from the first byte; `required`: by STARTTLS, or nothing is sent; `none`: in the clear, which is
   * for a server on this machine, or for one the operator has said so of.
   */
  tls: "wrapped" | "required" | "none"
  auth: { user: string; pass: string } | null
}

const WRAPPED_PORT = 465
const SUBMISSION_PORT = 587
const LOOPBACK = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])$/

/** Reads `smtp[s]://user:password@host:port[?tls=none|required]`. Throws with one line that does not tell the password. */
export const parseSmtpUrl = (text: string): SmtpServer => {
  const url = URL.parse(text)
  if (url === null || !["smtp:", "smtps:"].includes(url.protocol) || url.hostname === "")
    throw new Error("is not a URL like smtp://user:password@host:587")
  const tls = tlsOf(url)
  const auth =
    url.username === ""
      ? null
      : { user: decodeURIComponent(url.username), pass: decodeURIComponent(url.password) }
  if (tls === "none" && auth !== null && !LOOPBACK.test(url.hostname))
    throw new Error("would send a password over the network in the clear: leave out tls=none or the password")
  const standard = tls === "wrapped" ? WRAPPED_PORT : SUBMISSION_PORT
  return {
    host: url.hostname.replace(/^\[(.*)\]$/, "$1"),
    port: url.port === "" ? standard : Number(url.port),
    tls,
    auth,
  }
}

const tlsOf = (url: URL): SmtpServer["tls"] => {
  const wanted = url.searchParams.get("tls")
  const others = [...url.searchParams.keys()].filter((name) => name !== "tls")
  if (others.length > 0 || (wanted !== null && !["none", "required"].includes(wanted)))
    throw new Error("takes no parameter but tls=none or tls=required")
  if (url.protocol === "smtps:") return "wrapped"
  return wanted === "none" || (wanted === null && LOOPBACK.test(url.hostname)) ? "none" : "required"
}

/** Who a mail is from: an address, and a name where one was given. */
export interface Mailbox {
  name: string
  address: string
}

const MAILBOX =
  /^(?:(?<name>[^\p{C}<>",;]{1,100}) )?(?<open><)?(?<address>[^\p{C}\s<>",;@]+@[a-zA-Z0-9.-]+)(?<close>>)?$/u

/** Reads `Hotswap <hotswap@example.com>` or the address alone. Throws with one line. */
export const parseMailbox = (text: string): Mailbox => {
  const { name = "", address, open, close } = MAILBOX.exec(text)?.groups ?? {}
  if (!address || (open === undefined) !== (close === undefined) || (name !== "" && open === undefined))
    throw new Error("is not an address like Hotswap <hotswap@example.com>")
  return { name: name.trim(), address }
}
