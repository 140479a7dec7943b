import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { importJWK, jwtVerify, SignJWT } from "jose"
import { afterEach, beforeEach, expect, test } from "vitest"
import { keepSecrets, keySets } from "../../local/secrets.ts"

let home: string
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), "hotswap-secrets-"))
})
afterEach(() => rm(home, { recursive: true, force: true }))

test("secrets are made once and are there again the next time", async () => {
  const first = await keepSecrets(home)
  expect(await keepSecrets(home)).toEqual(first)
  expect(first.adminToken.length).toBeGreaterThan(40)
  expect(
    new Set([first.adminToken, first.edgeSecret, first.redisToken, ...Object.values(first.databasePasswords)])
      .size,
  ).toBe(6)
})

test("two homes share no secret", async () => {
  const first = await keepSecrets(home)
  await rm(join(home, "secrets.json"))
  const second = await keepSecrets(home)
  for (const name of ["adminToken", "edgeSecret", "redisToken"] as const)
    expect(second[name]).not.toBe(first[name])
  expect(second.readerKey.d).not.toBe(first.readerKey.d)
})

test.skipIf(process.platform === "win32")("nobody else can read them", async () => {
  await keepSecrets(home)
  expect((await stat(join(home, "secrets.json"))).mode & 0o777).toBe(0o600)
})

test("a secret that is new to a home is added to those it has", async () => {
  const { redisToken: _removed, ...older } = await keepSecrets(home)
  await writeFile(join(home, "secrets.json"), JSON.stringify(older))
  expect(await keepSecrets(home)).toMatchObject(older)
})

test("a damaged file is told of, and left as it is", async () => {
  const path = join(home, "secrets.json")
  await writeFile(path, '{"adminToken": "hs')
  await expect(keepSecrets(home)).rejects.toThrow(/is damaged: put it back, or remove it/)
  expect(await readFile(path, "utf8")).toBe('{"adminToken": "hs')
})

test("what one key set signs the other verifies, and cannot sign", async () => {
  const { signing, verifying } = keySets(await keepSecrets(home))
  const [privateKey] = (JSON.parse(signing) as { keys: [Record<string, string>] }).keys
  const [publicKey] = (JSON.parse(verifying) as { keys: [Record<string, string>] }).keys
  expect(publicKey).not.toHaveProperty("d")
  expect(publicKey.kid).toBe(privateKey.kid)
  const token = await new SignJWT({})
    .setProtectedHeader({ alg: "EdDSA" })
    .sign(await importJWK(privateKey, "EdDSA"))
  await expect(jwtVerify(token, await importJWK(publicKey, "EdDSA"))).resolves.toBeDefined()
})
