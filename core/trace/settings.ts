import { type Sampler, samplerNamed } from "./sampler.ts"

type Variables = Readonly<Record<string, string | undefined>>

/** Where spans go, and which; as OpenTelemetry's own variables say it. */
export interface TraceSettings {
  /** Takes `POST` in OTLP's JSON. */
  url: string
  headers: Readonly<Record<string, string>>
  timeoutMs: number
  sampler: Sampler
  /** Of everything that a process tells, `service.name` perhaps among it. */
  resource: Readonly<Record<string, string>>
}

/** Whoever is frozen once it has answered waits for so long at the most; OpenTelemetry's own 10 s would be paid for. */
const TIMEOUT_MS = 2_000
const TIMEOUT_MAX_MS = 10_000
const TRACES_PATH = "/v1/traces"
const NAME = /^[A-Za-z0-9_.\-/]{1,200}$/
/** RFC 9110, 5.6.2 and 5.5. */
const HEADER_NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,200}$/
const HEADER_VALUE = /^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/
const TEXT_MAX = 8_192

/** `name=value,…`, each value with `%` before what could be mistaken. */
const pairsOf = (text: string, isPair: (name: string, value: string) => boolean): Record<string, string> => {
  const wrong = () => new Error("is not a list like name=value,other=value")
  if (text.length > TEXT_MAX) throw wrong()
  const pairs = text.split(",").filter((part) => part.trim() !== "")
  return Object.fromEntries(
    pairs.map((part) => {
      const [, name = "", escaped = ""] = /^([^=]*)=(.*)$/s.exec(part) ?? []
      let value = ""
      try {
        value = decodeURIComponent(escaped.trim())
      } catch {
        throw wrong()
      }
      if (!isPair(name.trim(), value)) throw wrong()
      return [name.trim(), value]
    }),
  )
}

const urlOf = (text: string, path: string): string => {
  const url = URL.parse(text)
  if (url === null || !["https:", "http:"].includes(url.protocol) || url.username !== "" || url.hash !== "")
    throw new Error("is not a URL like https://host:4318")
  url.pathname = url.pathname.replace(/\/+$/, "") + path
  return url.href
}

const timeoutOf = (text: string): number => {
  const timeoutMs = Number(text)
  if (!/^\d{1,5}$/.test(text) || timeoutMs < 1 || timeoutMs > TIMEOUT_MAX_MS)
    throw new Error(`is not a whole number of milliseconds from 1 to ${TIMEOUT_MAX_MS}`)
  return timeoutMs
}

const ratioOf = (text: string): number => {
  const ratio = Number(text)
  if (!/^[0-9.e-]+$/i.test(text) || !(ratio >= 0 && ratio <= 1))
    throw new Error("is not a number from 0 to 1")
  return ratio
}

const protocolOf = (text: string): void => {
  if (text !== "http/json") throw new Error("is not http/json, which is all that is spoken here")
}

const LOOPBACK = new Set(["localhost", "127.0.0.1", "[::1]"])

/** What is said in headers opens the receiver's door. */
const isInTheClear = ({ url, headers }: Pick<TraceSettings, "url" | "headers">): boolean => {
  const { protocol, hostname } = new URL(url)
  return protocol === "http:" && !LOOPBACK.has(hostname) && Object.keys(headers).length > 0
}

/**
 * What traces are to be told, and to whom. `null`: nothing is traced, as no endpoint is named or something is wrong, which is told
 * to `complain`, a line for each, without the values.
 */
export const readTraceSettings = (
  variables: Variables,
  complain: (line: string) => void,
): TraceSettings | null => {
  const { OTEL_SDK_DISABLED: disabled, OTEL_TRACES_EXPORTER: exporter } = variables
  if (disabled?.toLowerCase() === "true" || exporter === "none") return null
  let isWrong = false
  const wrong = (line: string): void => {
    isWrong = true
    complain(line)
  }
  /** The first of them that is set. */
  const read = <T>(names: readonly string[], parse: (text: string, name: string) => T, otherwise: T): T => {
    const name = names.find((each) => variables[each])
    if (name === undefined) return otherwise
    try {
      return parse(variables[name]!, name)
    } catch (error) {
      wrong(`${name} ${(error as Error).message}`)
      return otherwise
    }
  }
  /** What is said for traces alone comes before what is said for all. */
  const ofTraces = (what: string): readonly string[] => [
    `OTEL_EXPORTER_OTLP_TRACES_${what}`,
    `OTEL_EXPORTER_OTLP_${what}`,
  ]
  const [whole] = ofTraces("ENDPOINT")
  const url = read(ofTraces("ENDPOINT"), (text, name) => urlOf(text, name === whole ? "" : TRACES_PATH), "")
  if (url === "" && !isWrong) return null
  read(ofTraces("PROTOCOL"), protocolOf, undefined)
  const headers = read(
    ofTraces("HEADERS"),
    (text) => pairsOf(text, (name, value) => HEADER_NAME.test(name) && HEADER_VALUE.test(value)),
    {},
  )
  const { asParent, ratio } = read(["OTEL_TRACES_SAMPLER"], samplerNamed, { asParent: true, ratio: 1 })
  const settings: TraceSettings = {
    url,
    headers,
    timeoutMs: read(ofTraces("TIMEOUT"), timeoutOf, TIMEOUT_MS),
    sampler: { asParent, ratio: ratio ?? read(["OTEL_TRACES_SAMPLER_ARG"], ratioOf, 1) },
    resource: {
      ...read(["OTEL_RESOURCE_ATTRIBUTES"], (text) => pairsOf(text, (name) => NAME.test(name)), {}),
      ...(variables.OTEL_SERVICE_NAME ? { "service.name": variables.OTEL_SERVICE_NAME } : {}),
    },
  }
  if (!isWrong && isInTheClear(settings))
    wrong("OTEL_EXPORTER_OTLP_HEADERS would be sent to an endpoint that is not https")
  return isWrong ? null : settings
}

/** Every variable that is read here: for whoever hands them on. */
export const TRACE_VARIABLES = [
  "OTEL_SDK_DISABLED",
  "OTEL_TRACES_EXPORTER",
  "OTEL_EXPORTER_OTLP_ENDPOINT",
  "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
  "OTEL_EXPORTER_OTLP_PROTOCOL",
  "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL",
  "OTEL_EXPORTER_OTLP_HEADERS",
  "OTEL_EXPORTER_OTLP_TRACES_HEADERS",
  "OTEL_EXPORTER_OTLP_TIMEOUT",
  "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT",
  "OTEL_TRACES_SAMPLER",
  "OTEL_TRACES_SAMPLER_ARG",
  "OTEL_RESOURCE_ATTRIBUTES",
  "OTEL_SERVICE_NAME",
] as const
