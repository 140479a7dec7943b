import { Refusal } from "../../core/errors.ts"
import { createLru } from "./lru.ts"

/** What Amazon SNS is asked. Only URLs of its own are visited: see {@link isSnsUrl}. */
export interface Sns {
  /** The certificate at that URL, in PEM; `null`: there is none. Throws ORIGIN_UNAVAILABLE when nobody answers in time. */
  certificate(url: string): Promise<string | null>
  /** Confirms a subscription. Throws ORIGIN_UNAVAILABLE when that did not work. */
  confirm(url: string): Promise<void>
}

const HOST = /^sns\.[a-z]{2,}(?:-[a-z]+)+-\d\.amazonaws\.com(?:\.cn)?$/

/** Is it a URL of SNS, over TLS, without anything that would lead elsewhere? */
export const isSnsUrl = (text: string): boolean => {
  const url = URL.parse(text)
  return (
    url !== null &&
    url.protocol === "https:" &&
    HOST.test(url.hostname) &&
    `${url.username}${url.password}${url.port}` === ""
  )
}

const DEADLINE_MS = 3_000
const CERTIFICATE_CHARACTERS_MAX = 16_384
const CERTIFICATES_MAX = 20

type Fetch = (
  url: string,
  options: { redirect: "error"; signal: AbortSignal },
) => Promise<Pick<Response, "ok" | "text">>

const ask = async (fetcher: Fetch, url: string): Promise<{ ok: boolean; text: string }> => {
  try {
    const response = await fetcher(url, { redirect: "error", signal: AbortSignal.timeout(DEADLINE_MS) })
    return { ok: response.ok, text: await response.text() }
  } catch (error) {
    throw new Refusal("ORIGIN_UNAVAILABLE", "Amazon SNS did not answer in time.", { cause: error })
  }
}

/** A certificate has a URL of its own and never changes: it is fetched once, by one at a time. */
export const createSns = (fetcher: Fetch = fetch): Sns => {
  const known = createLru<string, string>(CERTIFICATES_MAX)
  const asked = new Map<string, Promise<string | null>>()

  const read = async (url: string): Promise<string | null> => {
    const { ok, text } = await ask(fetcher, url)
    if (!ok || text.length > CERTIFICATE_CHARACTERS_MAX) return null
    known.set(url, text)
    return text
  }

  return {
    certificate: async (url) => {
      const pem = known.get(url)
      if (pem !== undefined) return pem
      const reading = asked.get(url) ?? read(url).finally(() => asked.delete(url))
      asked.set(url, reading)
      return await reading
    },
    confirm: async (url) => {
      const { ok } = await ask(fetcher, url)
      if (!ok) throw new Refusal("ORIGIN_UNAVAILABLE", "Amazon SNS did not confirm the subscription.")
    },
  }
}
