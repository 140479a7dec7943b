import type { BackendName } from "../../core/deployment/deployments.ts"
import type { Probe } from "../../core/provisioning/state.ts"
import type { RouterPlatform } from "../platform/compose-router.ts"
import { ask } from "../platform/deployments/ask.ts"
import type { BackendClient, TenantClients } from "../platform/deployments/clients.ts"
import { NoAnswer } from "../platform/deployments/exchange.ts"
import { answerOf } from "../platform/deployments/look.ts"

/** `probe`: it was written just now; `waiting`: not yet, for people. */
export type Validated =
  | { kind: "valid" }
  | { kind: "probe"; probe: Probe }
  | { kind: "waiting"; words: string }

const NONCES = 1_000_000_000
/** Whoever has not shown it by then may have lost it: another one is written. */
const PROBE_MS = 60_000
const PROBE_NAME = "hotswap_provisioning_probe"
const ANSWER_BYTES_MAX = 65_536
const TEXT = "text/plain"

/** How one kind of backend is tried by its own user's ways. */
interface Trial {
  write?: (probe: Probe) => Parameters<typeof ask>[2]
  read: (probe: Probe) => Parameters<typeof ask>[2]
  /** Does the answer show what was written? */
  shows: (answer: string, probe: Probe) => boolean
}

const seconds = (ms: number): string => (ms / 1_000).toFixed(3)
const bytesOf = (text: string): Uint8Array => Buffer.from(text)

const TRIALS: Readonly<Record<BackendName, Trial>> = {
  metrics: {
    write: ({ nonce, atMs }) => ({
      path: "/api/v1/import/prometheus",
      body: { type: TEXT, bytes: bytesOf(`${PROBE_NAME} ${nonce} ${atMs}\n`) },
      bytesMax: ANSWER_BYTES_MAX,
    }),
    read: ({ atMs }) => ({
      path: "/api/v1/export",
      query: { "match[]": PROBE_NAME, start: seconds(atMs - 1_000), end: seconds(atMs + 1_000) },
      bytesMax: ANSWER_BYTES_MAX,
    }),
    shows: (answer, { nonce }) =>
      answer.split("\n").some((line) => line !== "" && valuesIn(line).includes(nonce)),
  },
  logs: {
    write: ({ nonce, atMs }) => ({
      path: "/insert/jsonline",
      query: { _stream_fields: "service", _time_field: "_time", _msg_field: "_msg" },
      body: {
        type: "application/stream+json",
        bytes: bytesOf(
          `${JSON.stringify({ _time: new Date(atMs).toISOString(), service: "hotswap", _msg: wordOf(nonce) })}\n`,
        ),
      },
      bytesMax: ANSWER_BYTES_MAX,
    }),
    read: ({ nonce }) => ({
      path: "/select/logsql/query",
      query: { query: `"${wordOf(nonce)}"`, limit: "1" },
      bytesMax: ANSWER_BYTES_MAX,
    }),
    shows: (answer, { nonce }) => answer.includes(wordOf(nonce)),
  },
  // Spans are taken in a binary form alone: what it may be asked is asked.
  traces: {
    read: () => ({ path: "/select/jaeger/api/services", bytesMax: ANSWER_BYTES_MAX }),
    shows: () => true,
  },
}

const wordOf = (nonce: number): string => `${PROBE_NAME}_${nonce}`

const valuesIn = (line: string): unknown[] => {
  try {
    return (JSON.parse(line) as { values: unknown[] }).values
  } catch {
    return []
  }
}

/**
 * Whether the backends are what a tenant may be led to: every target says that it is well, and what is written is there to be
 * read, by the very ways that the tenant's own requests take.
 */
export const validate = async (
  { clock, chance }: RouterPlatform,
  { backends }: TenantClients,
  probe: Probe | null,
): Promise<Validated> => {
  const each = Object.entries(backends) as [BackendName, BackendClient][]
  const nowMs = clock.nowMs()
  const looked = await Promise.all(
    each.flatMap(([name, backend]) =>
      backend.targets.map(async (client) => ({
        name,
        url: client.target.url,
        ...(await answerOf(backend, client, nowMs)),
      })),
    ),
  )
  const unwell = looked.find(({ ok }) => !ok)
  if (unwell) return { kind: "waiting", words: `${unwell.name} at ${unwell.url}: ${unwell.words}` }
  const unread =
    probe &&
    (await tried(
      each,
      nowMs,
      ({ read }) => read(probe),
      ({ shows }, answer) => shows(answer, probe),
    ))
  if (probe && (unread === null || nowMs - probe.atMs <= PROBE_MS)) return unread ?? { kind: "valid" }
  const fresh = { nonce: Math.floor(chance() * NONCES), atMs: nowMs }
  return (await tried(each, nowMs, ({ write }) => write?.(fresh))) ?? { kind: "probe", probe: fresh }
}

/** `null`: each of them did. */
const tried = async (
  each: readonly [BackendName, BackendClient][],
  nowMs: number,
  questionOf: (trial: Trial) => Parameters<typeof ask>[2] | undefined,
  isAnswered: (trial: Trial, answer: string) => boolean = () => true,
): Promise<Validated | null> => {
  for (const [name, backend] of each) {
    const question = questionOf(TRIALS[name])
    if (!question) continue
    try {
      const answer = await ask(name, backend, question, nowMs)
      if (!isAnswered(TRIALS[name], answer.toString()))
        return { kind: "waiting", words: `${name}: what was written is not there to be read yet.` }
    } catch (error) {
      if (!(error instanceof NoAnswer)) throw error
      return { kind: "waiting", words: `${name}: ${error.message}` }
    }
  }
  return null
}
