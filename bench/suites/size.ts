import { execFileSync } from "node:child_process"
import { generateKeyPairSync } from "node:crypto"
import { mkdtemp, readFile, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { gzipSync } from "node:zlib"
import { build } from "esbuild"
import { FIRST_LOAD_KIB } from "../../ci/size-budgets.ts"
import { bundle } from "../../infra/constructs/bundling.ts"
import { buildSdk } from "../../sdk/build.ts"
import { PEERS, pathOf } from "../contenders/evaluate-peers.ts"
import { median, round } from "../statistics.ts"
import type { Report, Suite } from "./suite.ts"

const FUNCTIONS = ["read", "manage", "outcomes", "advance", "relay", "notify", "router"] as const
const IMPORTS = 9

/** Complete and pointing nowhere: a function reads its settings as it is loaded, and connects only when asked. */
const settingsOfNowhere = (): Record<string, string> => {
  const jwk = generateKeyPairSync("ed25519").privateKey.export({ format: "jwk" })
  const keys = JSON.stringify({ keys: [{ ...jwk, kid: "bench", alg: "EdDSA" }] })
  const database = "postgres://role:password@127.0.0.1:9/hotswap"
  return {
    DATABASE_URL: database,
    DATABASE_READ_URL: database,
    DATABASE_SYSTEM_URL: database,
    UPSTASH_REDIS_REST_URL: "http://127.0.0.1:9",
    UPSTASH_REDIS_REST_TOKEN: "bench-redis-token",
    HOTSWAP_READER_KEYS: keys,
    HOTSWAP_READER_PUBLIC_KEYS: keys,
    HOTSWAP_EDGE_SECRET: "bench-edge-secret-0123456789",
  }
}

/** Imports the module in a new process and prints how long that took; without one, what a bare start takes. */
const importMillis = (file: string): number => {
  // In a process of its own, as what was loaded once is loaded.
  const script = `const t = performance.now(); await import(${JSON.stringify(file)}); console.log(performance.now() - t)`
  const env = { ...process.env, ...settingsOfNowhere() }
  return Number(
    execFileSync(process.execPath, ["--input-type=module", "-e", script], { encoding: "utf8", env }),
  )
}

/** What the SDK's core weighs, and what importing it costs beside the others that are installed. */
const sizeSdk = async (directory: string, report: Report): Promise<void> => {
  const dist = join(directory, "sdk")
  await buildSdk(dist)
  const file = join(dist, "index.js")
  const bytes = await readFile(file)
  const gzippedBytes = gzipSync(bytes, { level: 9 }).length
  const peers = PEERS.flatMap(({ from }) => pathOf(from) ?? [])
  const files = [file, ...new Set(peers)]
  // By turns: what else the machine does meets all of them.
  const millis = Array.from({ length: IMPORTS }, () => files.map(importMillis))
  const [own, ...others] = files.map((_, index) => median(millis.map((round) => round[index]!)))
  report.figure({
    suite: "size",
    name: "the SDK's core entry",
    values: {
      minifiedKb: round(bytes.length / 1024, 1),
      gzippedBytes,
      importMs: round(own!, 1),
      ...(others.length > 0 ? { leastPeerMs: round(Math.min(...others), 1) } : {}),
    },
    goal: {
      text: "≤ 5,120 bytes gzipped, imported no slower than any peer",
      met: gzippedBytes <= 5_120 && others.every((other) => own! <= other),
    },
  })
}

/** What each function weighs as it is deployed, how much of it a start loads, and what that costs. */
export const size: Suite = {
  name: "size",
  run: async (report) => {
    const directory = await mkdtemp(join(tmpdir(), "hotswap-size-"))
    try {
      for (const name of FUNCTIONS) {
        const { file, all, first } = bundle(name, join(directory, name))
        const goalKb = FIRST_LOAD_KIB[name]
        report.figure({
          suite: "size",
          name: `${name} bundle`,
          values: {
            minifiedKb: round(all.bytes / 1024, 1),
            firstLoadKb: round(first.bytes / 1024, 1),
            importMs: round(median(Array.from({ length: IMPORTS }, () => importMillis(file))), 1),
          },
          goal: { text: `≤ ${goalKb} KB loaded at the start`, met: first.bytes <= goalKb * 1024 },
        })
      }
      const worker = join(directory, "worker.mjs")
      await build({
        entryPoints: [join(import.meta.dirname, "../../functions/edge/worker.ts")],
        outfile: worker,
        bundle: true,
        minify: true,
        format: "esm",
        conditions: ["workerd", "worker", "browser"],
        logLevel: "error",
      })
      const bytes = await readFile(worker)
      report.figure({
        suite: "size",
        name: "edge bundle",
        values: {
          minifiedKb: round(bytes.length / 1024, 1),
          gzippedKb: round(gzipSync(bytes).length / 1024, 1),
        },
      })
      await sizeSdk(directory, report)
    } finally {
      await rm(directory, { recursive: true })
    }
  },
}
