import type { Sent } from "./client.ts"

const SENDS_MAX = 30
const SHOWN_MAX = 2_000

const without = <T extends object>(object: T, name: keyof T): T => {
  const { [name]: _gone, ...rest } = object
  return rest as T
}

const smallerValues = function* (value: unknown): Generator<unknown> {
  if (typeof value === "string" && value.length > 1) {
    yield ""
    yield value.slice(0, value.length / 2)
  }
  if (typeof value !== "object" || value === null) return
  yield Array.isArray(value) ? [] : {}
  if (Array.isArray(value) && value.length > 1) yield value.slice(0, Math.ceil(value.length / 2))
  for (const [name, inner] of Object.entries(value)) {
    if (!Array.isArray(value)) yield without(value as Record<string, unknown>, name)
    for (const smaller of smallerValues(inner))
      yield Array.isArray(value)
        ? value.map((item, index) => (String(index) === name ? smaller : item))
        : { ...value, [name]: smaller }
    if (Array.isArray(value) && value.length > 8) return
  }
}

const smallerBodies = function* (body: string): Generator<string> {
  let value: unknown
  try {
    value = JSON.parse(body)
  } catch {
    yield body.slice(0, body.length / 2)
    yield body.slice(body.length / 2)
    return
  }
  for (const smaller of smallerValues(value)) yield JSON.stringify(smaller)
}

const smaller = function* (sent: Sent): Generator<Sent> {
  for (const name of Object.keys(sent.headers)) yield { ...sent, headers: without(sent.headers, name) }
  const [path = "", query] = sent.path.split("?")
  if (query !== undefined) {
    const parts = query.split("&")
    for (const part of parts) {
      const rest = parts.filter((other) => other !== part).join("&")
      yield { ...sent, path: rest === "" ? path : `${path}?${rest}` }
    }
  }
  if (typeof sent.body === "string") for (const body of smallerBodies(sent.body)) yield { ...sent, body }
}

/** The smallest of its forms that is found to fail alike, in so many sends. */
export const shrink = async (sent: Sent, failsAlike: (sent: Sent) => Promise<boolean>): Promise<Sent> => {
  let best = sent
  let sends = 0
  for (let progress = true; progress && sends < SENDS_MAX; ) {
    progress = false
    for (const candidate of smaller(best)) {
      if (++sends > SENDS_MAX) break
      if (!(await failsAlike(candidate))) continue
      best = candidate
      progress = true
      break
    }
  }
  return best
}

const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`

/** A line for a shell; a body too long to be shown is told of. */
export const curlOf = (url: string, { method, path, headers, body }: Sent): string => {
  const named = Object.entries(headers).map(([name, value]) => ` -H ${quoted(`${name}: ${value}`)}`)
  const text = body === undefined ? undefined : Buffer.from(body).toString("utf8")
  const more =
    text !== undefined && text.length > SHOWN_MAX ? ` # and ${text.length - SHOWN_MAX} characters more` : ""
  const data = text === undefined ? "" : ` --data-raw ${quoted(text.slice(0, SHOWN_MAX))}`
  return `curl -sS --path-as-is -X ${method} ${quoted(url + path)}${named.join("")}${data}${more}`
}
