import { execFile } from "node:child_process"
import { readFileSync } from "node:fs"
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { promisify } from "node:util"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { buildCommand } from "../../sdk/build.ts"
import {
  asked,
  type Deployment,
  handedOver,
  keysOfNobody,
  signedBy,
} from "../functions/manage/hand-over-world.ts"
import { type RunningHotswap, removeHome, startHotswap } from "../support/hotswap.ts"
import { ROOT } from "../support/source-tree.ts"

const run = promisify(execFile)
const NODE = join(ROOT, "node_modules/.bin/node")
const page = readFileSync(join(ROOT, "docs/cli.md"), "utf8")
const commands = [...page.matchAll(/<!-- commands: [^>]* -->\n```sh\n([\s\S]*?)```/g)]
  .map(([, code]) => code)
  .join("\n")

let folder: string
let here: RunningHotswap
let there: RunningHotswap
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "hotswap-cli-"))
  const env = { HOTSWAP_MANAGEMENT_LIMITS: "off" }
  const signing = keysOfNobody("ed25519")
  const keys = { keys: [{ ...signing.privateKey.export({ format: "jwk" }), kid: "1" }] }
  ;[here, there] = await Promise.all([
    startHotswap({ env: { ...env, HOTSWAP_AUDIT_KEY: JSON.stringify(keys) } }),
    startHotswap({ env: { ...env, HOTSWAP_TRUSTED_DEPLOYMENTS: signing.publicKey } }),
    buildCommand(join(folder, "dist")),
    mkdir(join(folder, "bin")),
  ])
  const shim = (command: string) => `#!/bin/sh\nexec ${command} "$@"\n`
  await writeFile(join(folder, "bin/node"), shim(`'${NODE}'`), { mode: 0o755 })
  await writeFile(join(folder, "bin/hotswap"), shim(`'${NODE}' '${join(folder, "dist/hotswap.js")}'`), {
    mode: 0o755,
  })
}, 120_000)
afterAll(async () => {
  await Promise.all([here, there].map((hotswap) => hotswap?.stop()))
  for (const hotswap of [here, there]) if (hotswap) await removeHome(hotswap.home)
  await rm(folder, { recursive: true, force: true })
})

describe("docs/cli.md", () => {
  test("every command works as written", async () => {
    await asked(here, "POST", "/api/v1/tenants", { tenantId: "acme-corp", name: "ACME", tier: "Enterprise" })
    const config = { tenantId: "acme-corp", environment: "Staging", key: "greeting", value: "hello" }
    await asked(here, "POST", "/api/v1/configs", config)
    const env = {
      PATH: `${folder}/bin:${process.env.PATH}`,
      HOTSWAP_URL: here.url,
      HOTSWAP_TOKEN: here.adminToken,
      OTHER_URL: there.url,
      HOTSWAP_TO_TOKEN: there.adminToken,
    }
    const { stdout } = await run("bash", ["-euo", "pipefail", "-c", commands], { cwd: folder, env })
    expect(stdout).toContain("acme-corp is at")
    expect((await there.call("GET", "/api/v1/configs/acme-corp:Staging:greeting")).status).toBe(200)
  }, 180_000)

  test("tells of every command that the tool has", async () => {
    const { stdout } = await run(NODE, [join(folder, "dist/hotswap.js"), "--help"])
    const names = [...stdout.matchAll(/^ {2}(\w+(?: [a-z]+)?)/gm)].map(
      ([, name]) => `hotswap ${name!.trim()}`,
    )
    expect(names.length).toBeGreaterThan(15)
    expect(names.filter((name) => !page.includes(name))).toEqual([])
  })
})

test("whom a deployment trusts is its operator's to list, and no call makes the list longer", async () => {
  await asked(here, "POST", "/api/v1/tenants", { tenantId: "moved", name: "Moved", tier: "Free" })
  const { receivingKey } = await asked<Deployment>(there, "GET", "/api/v1/deployment")
  const { manifest, handOver } = await handedOver(here, "moved", receivingKey)
  const nobody = keysOfNobody("ed25519")
  const from = { name: "nobody", signingKey: nobody.publicKey }
  const offer = (body: object) => there.call<{ code?: string }>("POST", "/api/v1/backups/imports", { body })
  const theirs = signedBy(nobody.privateKey, { ...handOver!.statement, from })
  const refused = await offer({ manifest, handOver: theirs, trustedSigningKey: nobody.publicKey })
  expect(refused.body.code).toBe("HAND_OVER_UNTRUSTED")
  expect((await offer({ manifest, handOver })).status).toBe(201)
})
