import { layerOf, PLATFORM, type ScopeId } from "../../core/ids.ts"
import { linesOf } from "./event-stream.ts"
import { backoffMs, pause } from "./pause.ts"
import { warn } from "./runtime.ts"

/** What is told on every channel of moves; the publisher's names for them are `hotswap:{scope}:events`. */
const PATTERN = "hotswap:{*}:events"
const CHANNEL = /^hotswap:\{([^}]+)\}:events$/
const CONNECT_MS = 5_000
/** Upstash sends nothing while nothing happens: only a new connection tells a quiet one from a dead one. */
const SILENCE_MS = 300_000
const FIRST_PAUSE_MS = 50
const LONGEST_PAUSE_MS = 5_000

/** A move as the publisher tells it; not yet checked. */
export interface Move {
  /** Of a tier's, which shares the platform's channel, the message says so. */
  scope: string
  environment: unknown
  revision: unknown
  /** What all who listen are to look at again, moved or not. */
  reload: unknown
}

export interface Heard {
  /** The subscription stands; whatever was told before is lost. */
  subscribed(): void
  moved(move: Move): void
}

interface Redis {
  url: string
  token: string
}

/** `pmessage,{pattern},{channel},{message}`: only the message may hold commas. */
const moveOf = (data: string): Move | null => {
  const [, , channel = "", ...message] = data.split(",")
  const channelled = CHANNEL.exec(channel)?.[1]
  if (channelled === undefined) return null
  try {
    const told = JSON.parse(message.join(",")) as Record<string, unknown>
    const { environment, revision, reload, type } = told
    const isTiers = channelled === PLATFORM && layerOf(String(told.scope) as ScopeId) === "tier"
    const scope = isTiers ? String(told.scope) : channelled
    return { scope, environment, revision, reload: reload === true ? type : undefined }
  } catch {
    return null
  }
}

const hear = (line: string, heard: Heard): void => {
  if (!line.startsWith("data:")) return
  const data = line.slice(5).trim()
  if (data.startsWith("psubscribe,")) heard.subscribed()
  if (!data.startsWith("pmessage,")) return
  const move = moveOf(data)
  if (move) heard.moved(move)
  else warn("Redis told something that is no move", { data: data.slice(0, 200) })
}

/** One subscription from its beginning to its end, which always is a failure unless it is `over`. */
const subscribe = async ({ url, token }: Redis, heard: Heard, over: AbortSignal): Promise<void> => {
  const ending = new AbortController()
  const end = (): void => ending.abort()
  over.addEventListener("abort", end)
  let timer = setTimeout(end, CONNECT_MS)
  try {
    const response = await fetch(`${url.replace(/\/$/, "")}/psubscribe/${encodeURIComponent(PATTERN)}`, {
      method: "POST",
      headers: { authorization: `Bearer ${token}`, accept: "text/event-stream" },
      signal: ending.signal,
    })
    if (response.status !== 200 || response.body === null) {
      await response.body?.cancel()
      throw new Error(`Redis answered ${response.status}`)
    }
    for await (const line of linesOf(response.body, ending.signal)) {
      clearTimeout(timer)
      timer = setTimeout(end, SILENCE_MS)
      hear(line, heard)
    }
  } finally {
    clearTimeout(timer)
    over.removeEventListener("abort", end)
  }
}

/** Hears of every move until it is over, through as many subscriptions as that takes. Never throws. */
export const hearMoves = async (redis: Redis, heard: Heard, over: AbortSignal): Promise<void> => {
  let failures = 0
  const counted: Heard = {
    ...heard,
    subscribed: () => {
      failures = 0
      heard.subscribed()
    },
  }
  while (!over.aborted) {
    const error = await subscribe(redis, counted, over).then(
      () => "it ended",
      (thrown: unknown) => String(thrown),
    )
    if (over.aborted) return
    failures++
    if (failures === 1) warn("the subscription to Redis is lost", { error })
    await pause(backoffMs(failures, FIRST_PAUSE_MS, LONGEST_PAUSE_MS), over)
  }
}
