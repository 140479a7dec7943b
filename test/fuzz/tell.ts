import type { FuzzResult } from "./run.ts"
import { neverAnswered } from "./run.ts"

const MB = 1_048_576
const mb = (bytes: number): string => `${(bytes / MB).toFixed(1)} MB`

/** What a run has counted, for people. */
export const told = (result: FuzzResult, seed: number): string => {
  const { memory, loop, reached } = result
  const rows = [...reached].map(([id, statuses]) => {
    const each = [...statuses].sort(([a], [b]) => a - b).map(([status, times]) => `${status}×${times}`)
    const refused = [...result.refusals].filter(([name]) => name.startsWith(`${id} `))
    const codes = refused.map(([name, times]) => `${name.split(" ")[1]}×${times}`)
    return `  ${id.padEnd(24)} ${each.join(" ")}  ${codes.join(" ")}`
  })
  const changed = (["heapUsed", "external", "arrayBuffers", "rss"] as const).map(
    (name) => `${name} ${mb(memory.before[name])} → ${mb(memory.after[name])}`,
  )
  return [
    `seed ${seed}: ${result.requests} requests, ${result.throughWorker} of them through the Worker, ${JSON.stringify(result.kinds)}`,
    ...rows,
    `answers that a deadline had passed, asked for again: ${result.busy}`,
    `never answered well: ${neverAnswered(result).join(", ") || "none"}`,
    `rounds of refusals after which every table was compared: ${result.compared}`,
    `memory: ${changed.join(", ")}, descriptors ${memory.before.descriptors} → ${memory.after.descriptors}`,
    `resources: ${JSON.stringify(memory.before.resources)} → ${JSON.stringify(memory.after.resources)}`,
    `event loop: ${loop.turns} turns, longest ${loop.longestCpuMs.toFixed(0)} ms on the processor (${loop.longestWallMs.toFixed(0)} by the clock), collecting ${loop.longestGcMs.toFixed(0)}; delay p99 ${loop.delayP99Ms.toFixed(1)}, most ${loop.delayMaxMs.toFixed(0)}`,
    ...loop.stalls.map(
      (stall) =>
        `  late: ${stall.wallMs.toFixed(0)} ms, on the processor ${stall.cpuMs.toFixed(0)}, collecting ${stall.gcMs.toFixed(0)}: ${stall.during.slice(0, 6).join(" | ")}`,
    ),
    ...result.slow.map((line) => `  slow alone: ${Math.round(line.ms)} ms: ${line.words}`),
    ...[...new Set(result.errors)].slice(0, 20).map((line) => `  logged: ${line.slice(0, 1_500)}`),
    ...result.found.map(
      ({ operation, kind, words, times, curl }) => `  ${times} × ${operation} ${kind}: ${words}\n    ${curl}`,
    ),
  ].join("\n")
}
