import { generateKeyPairSync } from "node:crypto"
import { readFile, rm } from "node:fs/promises"
import { join } from "node:path"
import { exportJWK, SignJWT } from "jose"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import type { Environment } from "../../core/environment.ts"
import { tokenIdOf } from "../../core/ids.ts"
import { readerSigner } from "../../functions/http/tokens.ts"
import { type RunningHotswap, removeHome, startHotswap, temporaryHome } from "../support/hotswap.ts"
import { commandsOf, must, type RunbookWorld, runbookWorld } from "./runbook-world.ts"

const PAGE = "docs/runbooks/key-compromised.md"
const ROLES = ["hotswap_app", "hotswap_read", "hotswap_system"]
const PATIENTLY = { timeout: 70_000, interval: 100 }
const SECRETS = ["reader-keys", "audit-key", "hand-over", "edge", "admin", ...ROLES] as const

let world: RunbookWorld
let home: string
let hotswap: RunningHotswap
let adminToken: string

const jwksOf = (type: "ed25519" | "x25519") => {
  const { privateKey } = type === "ed25519" ? generateKeyPairSync(type) : generateKeyPairSync(type)
  const { d, ...open } = { ...privateKey.export({ format: "jwk" }), kid: "the first" }
  const set = (key: object) => JSON.stringify({ keys: [key] })
  return { private: set({ ...open, d }), public: set(open) }
}

const secretOf = (name: string) => world.secretOf(`hotswap/prod/${name}`)

/** Hands out what the secrets hold, as the stage's deployment does. */
const deployed = async (more: Record<string, string> = {}): Promise<void> => {
  const [readers, audit, handOver, edge, admin] = await Promise.all(SECRETS.slice(0, 5).map(secretOf))
  adminToken = admin!.token!
  hotswap = await startHotswap({
    home,
    env: {
      HOTSWAP_MANAGEMENT_LIMITS: "off",
      HOTSWAP_READER_KEYS: readers!.private!,
      HOTSWAP_READER_PUBLIC_KEYS: readers!.public!,
      HOTSWAP_AUDIT_KEY: audit!.private!,
      HOTSWAP_AUDIT_PUBLIC_KEY: audit!.public!,
      HOTSWAP_HAND_OVER_KEY: handOver!.private!,
      HOTSWAP_EDGE_SECRET: edge!.secret!,
      HOTSWAP_ADMIN_TOKEN: adminToken,
      ...more,
    },
  })
}

const call = async (method: string, path: string, body?: unknown, token = adminToken) =>
  await must(hotswap.call(method, path, { token, ...(body === undefined ? {} : { body }) }))
const statusOf = async (path: string, token: string): Promise<number> =>
  (await hotswap.call("GET", path, { token })).status

const isSigned = async (scope: string): Promise<boolean> => {
  const url = `${hotswap.url}/api/v1/audit/checkpoint/latest?tenantId=${scope}`
  return (await fetch(url, { headers: { authorization: `Bearer ${adminToken}` } })).ok
}

const TENANT = "/api/v1/tenants/acme-corp"
const READ = "/api/v1/configs/tenant/acme-corp"
const issue = async (body: object, token?: string): Promise<string> =>
  String((await call("POST", `${TENANT}/tokens`, body, token)).token)
const READER = { subject: "shop", roles: ["reader"], environment: "Staging" }

const prelude = () => `${commandsOf(PAGE, "first")}\n${commandsOf(PAGE, "secrets")}`
/** Only what the first commands define, which are not to be run again. */
const defined = () => prelude().replace(/\nfor SCOPE in '~platform'[\s\S]*?key\.json\n/, "\n")
const shell = (name: string, more: Record<string, string> = {}) =>
  world.shell(hotswap, `${defined()}\n${commandsOf(PAGE, name)}`, { HOTSWAP_TOKEN: adminToken, ...more })

const issuer = generateKeyPairSync("ed25519")
const person = async (): Promise<string> =>
  await new SignJWT({ tenant: "acme-corp", roles: ["tenant_admin"] })
    .setProtectedHeader({ alg: "EdDSA", kid: "corp" })
    .setIssuer("https://login.corp.example")
    .setAudience("hotswap")
    .setSubject("alice")
    .setJti("forged-1")
    .setIssuedAt()
    .setExpirationTime("1h")
    .sign(issuer.privateKey)

beforeAll(async () => {
  world = await runbookWorld()
  home = await temporaryHome()
  const random = () => generateKeyPairSync("ed25519").privateKey.export({ format: "jwk" }).d!
  const secrets: Record<(typeof SECRETS)[number], object> = {
    "reader-keys": jwksOf("ed25519"),
    "audit-key": jwksOf("ed25519"),
    "hand-over": jwksOf("x25519"),
    edge: { secret: random() },
    admin: { token: random() },
  }
  for (const name of SECRETS)
    await world.putSecret(`hotswap/prod/${name}`, secrets[name] ?? { username: name, password: random() })
  const jwks = { keys: [{ ...(await exportJWK(issuer.publicKey)), kid: "corp", alg: "EdDSA" }] }
  const issuers = [
    { name: "corp", issuer: "https://login.corp.example", audience: "hotswap", algorithms: ["EdDSA"], jwks },
  ]
  await deployed({ HOTSWAP_JWT_ISSUERS: JSON.stringify(issuers) })
  await call("POST", "/api/v1/tokens", { subject: "pipeline", roles: ["platform_admin"] })
  await call("POST", "/api/v1/tenants", { tenantId: "acme-corp", name: "ACME", tier: "Enterprise" })
  const config = { tenantId: "acme-corp", environment: "Staging" }
  await call("POST", "/api/v1/configs", { ...config, key: "greeting", value: "hello" })
  await call("POST", "/api/v1/configs", { ...config, key: "password", value: "correct horse", secret: true })
}, 120_000)
afterAll(async () => {
  await hotswap?.stop()
  await removeHome(home)
  await rm(world.folder, { recursive: true, force: true })
})

describe("when a key is in somebody else's hands its runbook", { timeout: 120_000 }, () => {
  test("ends a token and what was issued with it, waits until nobody takes it, and shows what was done with it", async () => {
    const stolen = await issue({ subject: "mallory", roles: ["tenant_admin"] })
    const issued = await issue({ subject: "helper", roles: ["viewer"] }, stolen)
    await call("GET", "/api/v1/configs/acme-corp:Staging:password/secret", undefined, stolen)
    const said = await shell("token", { STOLEN: stolen })
    expect(said).toMatch(/^401$/m)
    expect(said).toMatch(/mallory secret\.read acme-corp:Staging:password$/m)
    expect(await statusOf(TENANT, issued)).toBe(401)
    const reader = await issue(READER)
    expect(await statusOf(READ, reader)).toBe(200)
    expect(await shell("token", { STOLEN: reader })).toMatch(/^401$/m)
  })

  test("keeps what the audit says, signed, before anything is replaced", async () => {
    for (const scope of ["~platform", "acme-corp"])
      await expect.poll(() => isSigned(scope), PATIENTLY).toBe(true)
    await world.shell(hotswap, prelude(), { HOTSWAP_TOKEN: adminToken })
    expect(await readFile(join(world.folder, "acme-corp.note"), "utf8")).toMatch(
      /^hotswap\/audit\/acme-corp\n/,
    )
  })

  test("renews what the stage signs, opens and is known by, and everything the thief had made is turned away", async () => {
    const readers = await secretOf("reader-keys")
    const sign = await readerSigner(JSON.parse(readers.private!))
    const nowSeconds = Math.floor(Date.now() / 1_000)
    const forged = await sign({
      tokenId: tokenIdOf("acme-corp" as never, crypto.randomUUID()),
      subject: "nobody",
      tenants: "*",
      environment: "Staging" as Environment,
      issuedAt: nowSeconds,
      expiresAt: nowSeconds + 3_600,
    })
    const honest = await issue(READER)
    expect([await statusOf(READ, forged), await statusOf(READ, honest)]).toEqual([200, 200])
    const former = adminToken
    const further = await call("POST", "/api/v1/tokens", { subject: "back-door", roles: ["platform_admin"] })
    const byPerson = await issue({ subject: "side-door", roles: ["viewer"] }, await person())
    const { receivingKey } = await call("GET", "/api/v1/deployment")
    const before = Object.fromEntries(
      await Promise.all(SECRETS.map(async (name) => [name, await secretOf(name)])),
    )

    expect(await shell("reader-keys")).toMatch(/^acme-corp:tok_\w+ shop Staging$/m)
    for (const name of ["start-up", "audit-key", "hand-over", "edge", "database"]) await shell(name)
    for (const name of SECRETS) expect(await secretOf(name)).not.toEqual(before[name])
    for (const role of ROLES) expect(await secretOf(role)).toMatchObject({ username: role })
    await hotswap.stop()
    await deployed()

    expect(await statusOf("/api/v1/tenants", former)).toBe(401)
    expect([await statusOf(READ, forged), await statusOf(READ, honest)]).toEqual([401, 401])
    // The edge is believed by its new secret: what it knew from before would not have this.
    const reader = await issue(READER)
    await call("PUT", "/api/v1/configs/acme-corp:Staging:greeting", { value: "hello again" })
    const read = async () => (await call("GET", READ, undefined, reader)).configs
    await expect.poll(read, PATIENTLY).toMatchObject({ greeting: "hello again" })
    expect((await call("GET", "/api/v1/deployment")).receivingKey).not.toBe(receivingKey)

    expect(await statusOf(TENANT, String(further.token))).toBe(200)
    expect(await statusOf(TENANT, byPerson)).toBe(200)
    const looked = await world.shell(
      hotswap,
      ["start-up, then", "issuer"]
        .map((name) => commandsOf(PAGE, name))
        .reduce((all, next) => `${all}\n${next}`, defined()),
      { HOTSWAP_TOKEN: adminToken },
    )
    expect(looked).toMatch(/ platform token\.issue ~platform:tok_/)
    expect(looked).toMatch(/ corp\|alice token\.issue acme-corp:tok_/)
    expect(await statusOf(TENANT, String(further.token))).toBe(401)
    expect(await statusOf(TENANT, byPerson)).toBe(401)
  })

  test("leaves an audit that fits what was kept of it, and goes on being signed, by the new key", async () => {
    const said = await shell("audit-key, then")
    expect(said).toContain('"ok":true')
    const verified = async () => {
      const { ok, signed, head } = await call("POST", "/api/v1/audit/verify", { tenantId: "acme-corp" })
      return ok === true && signed === (head as { seq: number }).seq
    }
    await expect.poll(verified, PATIENTLY).toBe(true)
  })

  test("renews the edge's secret while the one before is still good, and then takes that away", async () => {
    const [next] = (await secretOf("edge")).secret!.split(",")
    expect((await secretOf("edge")).secret!.split(",")).toHaveLength(2)
    await shell("edge, then")
    expect((await secretOf("edge")).secret).toBe(next)
  })

  test("gives a tenant new keys, and names each secret that has to be thought of anew", async () => {
    const said = await shell("tenant-keys")
    expect(said).toMatch(/"realm":"Staging","generation":2/)
    expect(await shell("tenant-keys")).toMatch(/"realm":"~backups","generation":2/)
    expect(said).toMatch(/^acme-corp:Staging:password$/m)
    const secret = await call("GET", "/api/v1/configs/acme-corp:Staging:password/secret")
    expect(secret.value).toBe("correct horse")
  })
})
