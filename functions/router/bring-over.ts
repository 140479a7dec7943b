import {
  type Compared,
  comparedWindow,
  narrowed,
  type Pass,
  type Window,
  windowOf,
} from "../../core/provisioning/pass.ts"
import { addLine, countSamples, missingTimes, type Samples } from "../../core/provisioning/samples.ts"
import { ask, TooMuch } from "../platform/deployments/ask.ts"
import type { BackendClient } from "../platform/deployments/clients.ts"
import { NoAnswer } from "../platform/deployments/exchange.ts"

/** Held in memory of each side at once. */
const WINDOW_BYTES_MAX = 4 * 1_048_576
const NOTHING_BYTES_MAX = 65_536

const seconds = (ms: number): string => (ms / 1_000).toFixed(3)

/** Every series, both ends included. */
const rangeOf = ({ fromMs, toMs }: Window): Record<string, string> => ({
  "match[]": '{__name__!=""}',
  start: seconds(fromMs),
  end: seconds(toMs),
})

const samplesIn = async (
  backend: BackendClient,
  window: Window,
  nowMs: number,
): Promise<{ samples: Samples; bytes: number }> => {
  const query = { ...rangeOf(window), reduce_mem_usage: "1" }
  const question = { path: "/api/v1/export", query, bytesMax: WINDOW_BYTES_MAX }
  const answer = await ask("metrics", backend, question, nowMs)
  const samples: Samples = new Map()
  try {
    for (const line of answer.toString().split("\n")) if (line !== "") addLine(samples, line)
  } catch (error) {
    throw new NoAnswer("broken", false, "What it exports cannot be read.", { cause: error })
  }
  return { samples, bytes: answer.byteLength }
}

/** In VictoriaMetrics' own form, which alters nothing: also not that a series has ended. */
const copy = async (
  source: BackendClient,
  target: BackendClient,
  window: Window,
  nowMs: number,
): Promise<void> => {
  const question = { path: "/api/v1/export/native", query: rangeOf(window), bytesMax: WINDOW_BYTES_MAX }
  const bytes = await ask("metrics", source, question, nowMs)
  const body = { type: "application/octet-stream", bytes }
  await ask("metrics", target, { path: "/api/v1/import/native", body, bytesMax: NOTHING_BYTES_MAX }, nowMs)
}

/** `dense`: the smallest window holds more than can be compared at once. */
export type Brought = { kind: "window"; pass: Pass } | { kind: "through" } | { kind: "dense"; atMs: number }

/**
 * Takes a pass one window further: what is missing of it at the target is copied. Nothing is altered at the source. Done again
 * after it was cut off, it compares again, and copies what is still missing. Throws NoAnswer.
 */
export const bringOver = async (
  source: BackendClient,
  target: BackendClient,
  pass: Pass,
  nowMs: number,
): Promise<Brought> => {
  const window = windowOf(pass)
  if (window === null) return { kind: "through" }
  try {
    const there = await samplesIn(source, window, nowMs)
    const missingMs =
      there.samples.size === 0
        ? []
        : missingTimes(there.samples, (await samplesIn(target, window, nowMs)).samples)
    if (missingMs.length > 0) await copy(source, target, window, nowMs)
    const compared: Compared = {
      samples: countSamples(there.samples),
      missingMs,
      share: there.bytes / WINDOW_BYTES_MAX,
    }
    return { kind: "window", pass: comparedWindow(pass, window, compared) }
  } catch (error) {
    if (!(error instanceof TooMuch)) throw error
    const less = narrowed(pass)
    return less === null ? { kind: "dense", atMs: window.fromMs } : { kind: "window", pass: less }
  }
}
