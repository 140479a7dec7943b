import { generateKeyPairSync } from "node:crypto"
import { readFile, rm, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { type RunningHotswap, removeHome, startHotswap } from "../support/hotswap.ts"
import { ROOT } from "../support/source-tree.ts"
import { commandsOf, must, type RunbookWorld, runbookWorld } from "./runbook-world.ts"

const PAGE = "docs/runbooks/audit-request.md"
const PATIENTLY = { timeout: 150_000, interval: 250 }
const TENANT = "/api/v1/tenants/acme-corp"

let world: RunbookWorld
let hotswap: RunningHotswap
let auditor: string

/** Two questions about the same tenant: the commands of the page under that name, by the auditor unless told otherwise. */
const shell = (name: string, more: Record<string, string> = {}): Promise<string> =>
  world.shell(hotswap, `${commandsOf(PAGE, "first")}\n${commandsOf(PAGE, name)}`, {
    HOTSWAP_TOKEN: auditor,
    STAGE: "prod",
    ...more,
  })
const ask = async (method: string, path: string, body?: unknown, token?: string) =>
  await must(
    hotswap.call(method, path, { ...(body === undefined ? {} : { body }), ...(token ? { token } : {}) }),
  )
const tokenOf = async (subject: string, role: string): Promise<string> =>
  String((await ask("POST", `${TENANT}/tokens`, { subject, roles: [role] })).token)

/** What may be handed out of a tenant: a limit in Production that three people had to agree to. */
const change = async (value: number): Promise<void> => {
  const [engineer, manager, compliance] = await Promise.all(
    [
      ["erin", "engineer"],
      ["max", "manager"],
      ["carla", "compliance"],
    ].map(([subject, role]) => tokenOf(subject!, role!)),
  )
  const { changeId } = await ask("POST", "/api/v1/changes", {
    tenantId: "acme-corp",
    environment: "Production",
    edits: [{ key: "checkout.limit", value }],
    strategy: { type: "direct" },
  })
  for (const token of [engineer, manager, compliance])
    await ask("POST", `/api/v1/approvals/${changeId}/approve`, {}, token)
}

beforeAll(async () => {
  world = await runbookWorld()
  const { scripts } = JSON.parse(await readFile(join(ROOT, "package.json"), "utf8")) as {
    scripts: Record<string, string>
  }
  // The commands are for the repository; here they leave their files elsewhere.
  const here = Object.entries(scripts).map(([name, script]) => [
    name,
    script.replace("local/", `${ROOT}/local/`),
  ])
  await writeFile(join(world.folder, "package.json"), JSON.stringify({ scripts: Object.fromEntries(here) }))
  // Of every 64 keys one begins with a dash, as options do.
  const made = () => generateKeyPairSync("ed25519").privateKey.export({ format: "jwk" })
  let { d, ...open } = made()
  while (!open.x!.startsWith("-")) ({ d, ...open } = made())
  const [secret, key] = [
    { ...open, d, kid: "1" },
    { ...open, kid: "1" },
  ].map((one) => JSON.stringify({ keys: [one] }))
  await world.putSecret("hotswap/prod/audit-key", { private: secret, public: key })
  hotswap = await startHotswap({ env: { HOTSWAP_MANAGEMENT_LIMITS: "off", HOTSWAP_AUDIT_KEY: secret! } })
  for (const tenantId of ["acme-corp", "erased"])
    await ask("POST", "/api/v1/tenants", { tenantId, name: tenantId, tier: "Enterprise" })
  await ask("DELETE", "/api/v1/tenants/erased?erase=now&confirm=erased")
  await change(7)
  const secretConfig = { tenantId: "acme-corp", environment: "Staging", key: "password", secret: true }
  await ask("POST", "/api/v1/configs", { ...secretConfig, value: "correct horse" })
  await ask("GET", "/api/v1/configs/acme-corp:Staging:password/secret")
  auditor = (await shell("token", { HOTSWAP_TOKEN: hotswap.adminToken })).trim()
}, 120_000)
afterAll(async () => {
  await hotswap?.stop()
  if (hotswap) await removeHome(hotswap.home)
  await rm(world.folder, { recursive: true, force: true })
})

describe("an auditor who follows the runbook, with a token for the audit alone,", {
  timeout: 180_000,
}, () => {
  test("is told who changed a key, who agreed to it, what it was, and every entry that this rests on", async () => {
    const said = await shell("who")
    expect(said).toMatch(
      /^\S+ acme-corp:chg_\w+ platform approved by erin \(engineer\), max \(manager\), carla \(compliance\) live $/m,
    )
    expect(said).toMatch(/^1 \S+ platform acme-corp:chg_\w+ 7$/m)
    expect(said).toContain('"checkout.limit":7')
    for (const name of ["erin", "max", "carla"])
      expect(said).toMatch(new RegExp(` ${name} \\S+ change\\.approve `))
  })

  test("is told who saw a secret, and leaves word of having looked", async () => {
    const said = await shell("seen", { HOTSWAP_TOKEN: auditor })
    expect(said).toMatch(/^\S+ platform acme-corp:Staging:password/m)
    expect(said).toContain("Looked through for the audit")
    expect(await readFile(join(world.folder, "access.csv"), "utf8")).toContain("secret.read")
    expect(await readFile(join(world.folder, "gdpr.md"), "utf8")).toContain("Article 30")
  })

  test("proves without the service that nothing was altered, and finds the one byte that was", async () => {
    const signed = async () => {
      const { signed: upTo, head } = await ask("POST", "/api/v1/audit/verify", { tenantId: "acme-corp" })
      return upTo === (head as { seq: number }).seq
    }
    await expect.poll(signed, PATIENTLY).toBe(true)
    const said = await shell("proof")
    expect(said.match(/^ok: /gm)).toHaveLength(3)
    const file = join(world.folder, "acme-corp.jsonl")
    await writeFile(file, (await readFile(file, "utf8")).replace("change.approve", "change.comment"))
    await expect(
      world.shell(hotswap, "npm run verify:audit --silent -- acme-corp.jsonl key.json"),
    ).rejects.toMatchObject({ code: 1, stdout: expect.stringMatching(/^BROKEN at entry \d+ of acme-corp/) })
  })

  test("has the same fingerprint of the key from the service and from where it is kept", async () => {
    const fetched = `${commandsOf(PAGE, "first")}\napi GET /api/v1/audit/key > key.json`
    await world.shell(hotswap, fetched, { HOTSWAP_TOKEN: auditor })
    const prints = (await shell("key")).trim().split("\n")
    expect(prints).toHaveLength(2)
    expect(prints[0]).toMatch(/^([0-9a-f]{4} ){15}[0-9a-f]{4}$/)
    expect(prints[1]).toBe(prints[0])
  })

  test("has the certificate of a tenant that was erased, signed, and the entry that names it", async () => {
    const state = async () => (await ask("GET", "/api/v1/tenants/erased/erasure")).certificate != null
    await expect.poll(state, PATIENTLY).toBe(true)
    const said = await shell("erased", { HOTSWAP_TOKEN: hotswap.adminToken, ERASED: "erased" })
    expect(said).toMatch(/^ok: erased was erased at /m)
    expect(said).toMatch(/\n([0-9a-f]{64})\n\1\n$/)
  })
})
