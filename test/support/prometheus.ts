import { spawn } from "node:child_process"
import { existsSync } from "node:fs"
import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { delimiter, join, resolve } from "node:path"
import { freePort } from "./hotswap.ts"

const [SERVER, LINTER] = ["prometheus", "promtool"] as const

/** Where there is no Prometheus these tests are left out, but never unseen: with `CI=true` they fail instead. */
export const isPrometheusMissing =
  process.env.CI !== "true" &&
  ![SERVER, LINTER].every((name) =>
    (process.env.PATH ?? "").split(delimiter).some((directory) => existsSync(join(directory, name))),
  )

/** What Prometheus' own linter says of a page of metrics; nothing, and 0, is well. */
export const checkMetrics = async (text: string): Promise<{ code: number; output: string }> => {
  const linter = spawn(LINTER, ["check", "metrics"])
  let output = ""
  for (const stream of [linter.stdout, linter.stderr])
    stream.on("data", (chunk) => {
      output += chunk
    })
  linter.stdin.end(text)
  const code = await new Promise<number>((done, failed) => linter.once("close", done).once("error", failed))
  return { code, output }
}

export interface RunningPrometheus {
  /** The value of an instant query that has one series; `null` where it has none. */
  value(query: string): Promise<number | null>
  stop(): Promise<void>
}

/** A Prometheus of this test's own, which scrapes that address with that token several times a second. */
export const startPrometheus = async (target: string, token: string): Promise<RunningPrometheus> => {
  const directory = await mkdtemp(join(tmpdir(), "hotswap-prometheus-"))
  const port = await freePort()
  const config = {
    global: { scrape_interval: "200ms", scrape_timeout: "200ms" },
    scrape_configs: [
      {
        job_name: "hotswap",
        authorization: { credentials: token },
        static_configs: [{ targets: [new URL(target).host] }],
      },
    ],
  }
  // JSON is YAML.
  await writeFile(join(directory, "prometheus.yml"), JSON.stringify(config))
  const server = spawn(
    resolve("local/with-parent.sh"),
    [
      SERVER,
      `--config.file=${join(directory, "prometheus.yml")}`,
      `--storage.tsdb.path=${join(directory, "data")}`,
      `--web.listen-address=127.0.0.1:${port}`,
    ],
    { stdio: "ignore" },
  )
  const gone = new Promise<void>((done) => server.once("exit", () => done()).once("error", () => done()))
  const value = async (query: string): Promise<number | null> => {
    const url = `http://127.0.0.1:${port}/api/v1/query?query=${encodeURIComponent(query)}`
    const answer = await fetch(url, { signal: AbortSignal.timeout(2_000) }).catch(() => null)
    if (answer?.status !== 200) return null
    const { data } = (await answer.json()) as { data: { result: { value: [number, string] }[] } }
    const [first] = data.result
    return first ? Number(first.value[1]) : null
  }
  return {
    value,
    stop: async () => {
      server.kill("SIGTERM")
      await gone
      await rm(directory, { recursive: true, force: true, maxRetries: 5 })
    },
  }
}
