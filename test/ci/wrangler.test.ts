import { spawn } from "node:child_process"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, test } from "vitest"
import { parseWorkerConfig, readWorkerConfig } from "../../ci/wrangler-config.ts"
import { SETTINGS, STAGES } from "../../infra/settings.ts"
import { ROOT } from "../support/source-tree.ts"

const TEXT = readFileSync(join(ROOT, "wrangler.jsonc"), "utf8")

describe("what the Worker is deployed with", () => {
  test.each(STAGES)("agrees in %s with the settings of the functions behind it", (stage) => {
    const { vars } = readWorkerConfig(stage)
    const { environments, corsOrigins } = SETTINGS[stage]
    expect(vars).toEqual({
      HOTSWAP_ENVIRONMENTS: environments.join(","),
      HOTSWAP_CORS_ORIGINS: corsOrigins.join(","),
    })
  })

  test("differs between stages by its name and host name only", () => {
    const shapes = STAGES.map((stage) => {
      const { name, hostname, namespaceTitle, routes, vars, stage: _, ...same } = readWorkerConfig(stage)
      expect(name).toBe(`hotswap-edge-${stage}`)
      expect(namespaceTitle).toBe(`${name}-last-known-good`)
      expect(routes).toEqual([{ pattern: hostname, custom_domain: true }])
      return same
    })
    expect(shapes).toEqual(STAGES.map(() => shapes[0]))
  })

  test.each(["local/edge.ts", "test/support/edge.ts"])(
    "is as old, and has the same objects, as in %s",
    (path) => {
      const text = readFileSync(join(ROOT, path), "utf8")
      const { compatibilityDate, durable_objects, kv_namespaces } = readWorkerConfig("prod")
      const [{ name, class_name }] = durable_objects.bindings
      expect(text).toContain(`const COMPATIBILITY_DATE = "${compatibilityDate}"`)
      expect(text).toContain(`durableObjects: { ${name}: { className: "${class_name}", useSQLite: true } }`)
      expect(text).toContain(`kvNamespaces: ["${kv_namespaces[0].binding}"]`)
    },
  )

  test.each([
    ["a secret that is left out", '"EDGE_SECRET",', "", "secrets lack EDGE_SECRET"],
    ["a secret that nobody knows", '"EDGE_SECRET"', '"EDGE_SECRET", "OTHER"', "secrets have OTHER"],
    [
      "a variable that is a secret",
      '"HOTSWAP_CORS_ORIGINS": ""',
      '"EDGE_SECRET": "x"',
      "vars have EDGE_SECRET",
    ],
    [
      "a class without a migration",
      '"class_name": "StreamHub"',
      '"class_name": "Room"',
      "no migration makes Room",
    ],
    ["a second address", '"workers_dev": false', '"workers_dev": true', "workers_dev"],
    ["a word that it does not know", '"minify": true', '"minify": true, "minfy": true', "minfy"],
  ])("is refused with %s", (_, from, to, message) => {
    expect(TEXT).toContain(from)
    expect(() => parseWorkerConfig(TEXT.replaceAll(from, to), "prod")).toThrow(message)
  })

  test("is not guessed for a stage that it does not name", () => {
    expect(() => readWorkerConfig("production")).toThrow("no stage production, but dev, staging, prod")
  })
})

describe("the command that deploys it", () => {
  const run = async (args: string[], env: Record<string, string> = {}) => {
    const child = spawn(process.execPath, ["ci/worker.ts", ...args], { cwd: ROOT, env })
    let output = ""
    for (const stream of [child.stdout, child.stderr])
      stream.on("data", (text) => {
        output += text
      })
    const code = await new Promise<number | null>((resolve) => child.on("close", resolve))
    return { code, output }
  }

  test("shows without a network what would go up, and of a secret only where it is from", async () => {
    const { code, output } = await run(["prod", "--dry-run"], { WORKER_EDGE_SECRET: "not-to-be-seen" })
    expect(code).toBe(0)
    expect(output).toMatch(/^hotswap-edge-prod at hotswap\.example\.com: [0-9a-f]{12}, [0-9.]+ KiB/)
    expect(output).toContain("EDGE_SECRET: secret_text\n")
    expect(output).toContain("AWS_REGION: secret of the version before\n")
    expect(output).not.toContain("not-to-be-seen")
  })

  test("refuses a host name that is only an example, a stage it does not know, and no stage at all", async () => {
    expect(await run(["prod"])).toMatchObject({ code: 1, output: expect.stringContaining("is an example") })
    expect(await run(["live"])).toMatchObject({ code: 1, output: expect.stringContaining("no stage live") })
    expect(await run([])).toMatchObject({ code: 1, output: expect.stringContaining("usage: ") })
  })
})
