import { chmodSync, existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import type { ScopeId } from "../../../../core/ids.ts"
import { signedHeaders } from "../../../../functions/platform/keys/aws-request.ts"
import { composeKeys } from "../../../../functions/platform/keys/compose-keys.ts"
import { fileKeyRing } from "../../../../functions/platform/keys/file-key-ring.ts"
import { kmsKeyRing } from "../../../../functions/platform/keys/kms-key-ring.ts"
import {
  makeMasterKey,
  masterKeyPath,
  readMasterKey,
} from "../../../../functions/platform/keys/master-key.ts"
import { SettingsError } from "../../../../functions/platform/settings.ts"
import { keyRingContract } from "../../../contracts/key-ring.ts"
import { keyFolder } from "../../../support/keys.ts"
import { startKms } from "../../../support/kms.ts"
import { handClock } from "../fakes.ts"

const clock = handClock()
const NAME = { scope: "acme" as ScopeId, realm: "QA", generation: 1 }
const KEY = new Uint8Array(32)

keyRingContract("files", async () => {
  const directory = keyFolder()
  const ring = fileKeyRing(directory, makeMasterKey(directory))
  return { ring, again: () => fileKeyRing(directory, readMasterKey(directory)!), stop: async () => {} }
})

keyRingContract("KMS", async () => {
  const kms = await startKms()
  const again = () => kmsKeyRing({ alias: "hotswap/test", ...kms, clock })
  return { ring: again(), again, stop: kms.stop }
})

describe("keys in files", () => {
  test("are readable for their owner alone, and no secret is left of those that were shredded", async () => {
    const directory = keyFolder()
    const ring = fileKeyRing(directory, makeMasterKey(directory))
    await ring.wrap(NAME, KEY)
    const seed = join(directory, "scopes", "acme", "1.seed")
    for (const path of [masterKeyPath(directory), seed]) expect(statSync(path).mode & 0o777).toBe(0o600)
    await ring.shred(NAME.scope, [])
    expect(existsSync(seed)).toBe(false)
    expect(readdirSync(join(directory, "scopes", "acme"))).toEqual(["shredded"])
  })

  test("a master key is never made over another", () => {
    const directory = keyFolder()
    makeMasterKey(directory)
    expect(() => makeMasterKey(directory)).toThrow(/EEXIST/)
  })

  test("without the master key the seeds are of no use, and without the seed the master key is of none", async () => {
    const [directory, elsewhere] = [keyFolder(), keyFolder()]
    const wrapped = await fileKeyRing(directory, makeMasterKey(directory)).wrap(NAME, KEY)
    const other = makeMasterKey(elsewhere)
    await expect(fileKeyRing(directory, other).unwrap(NAME, wrapped)).rejects.toThrow("does not open")
    const sameId = { ...other, id: readMasterKey(directory)!.id }
    await expect(fileKeyRing(directory, sameId).unwrap(NAME, wrapped)).rejects.toThrow("does not open")
    const unseeded = fileKeyRing(elsewhere, readMasterKey(directory)!)
    await unseeded.wrap(NAME, KEY)
    await expect(unseeded.unwrap(NAME, wrapped)).rejects.toThrow("does not open")
  })

  test.each<[string, (directory: string) => void, RegExp]>([
    ["missing", () => {}, /^\S+master\.key is missing: put it back/],
    [
      "readable for others",
      (directory) => {
        makeMasterKey(directory)
        chmodSync(masterKeyPath(directory), 0o644)
      },
      /^\S+master\.key can be read by others on this machine: chmod 600/,
    ],
    [
      "damaged",
      (directory) => writeFileSync(masterKeyPath(directory), "abc", { mode: 0o600 }),
      /^\S+master\.key is damaged, not 64 hex digits: put it back/,
    ],
  ])("a master key that is %s is told in one line, and nothing starts", (_, spoil, words) => {
    const directory = keyFolder()
    spoil(directory)
    const compose = () =>
      composeKeys({}, { keyDirectory: directory, kmsAlias: null }, { db: {} as never, clock })
    expect(compose).toThrow(SettingsError)
    expect(compose).toThrow(words)
    try {
      compose()
    } catch (error) {
      expect((error as Error).message).not.toContain("\n")
      if (existsSync(masterKeyPath(directory)))
        expect((error as Error).message).not.toContain(readFileSync(masterKeyPath(directory), "utf8").trim())
    }
  })

  test("a deployment without keys does not start", () => {
    const none = { keyDirectory: null, kmsAlias: null }
    expect(() => composeKeys({ HOTSWAP_STAGE: "prod" }, none, { db: {} as never, clock })).toThrow(
      /HOTSWAP_KMS_ALIAS is not set/,
    )
  })
})

describe("keys in KMS", () => {
  let kms: Awaited<ReturnType<typeof startKms>>
  beforeAll(async () => {
    kms = await startKms()
  })
  afterAll(() => kms.stop())
  const ringOf = () => kmsKeyRing({ alias: "hotswap/test", ...kms, clock })

  test("carry the tag that policies go by", async () => {
    await ringOf().wrap(NAME, KEY)
    for (const { tags } of kms.keys.values())
      expect(tags).toEqual([{ TagKey: "hotswap:keys", TagValue: "hotswap/test" }])
  })

  test("a fault that passes is tried again, and one that does not is told as ours", async () => {
    kms.failing.push("ThrottlingException", "KMSInternalException")
    await ringOf().wrap(NAME, KEY)
    kms.failing.push("AccessDeniedException")
    const asked = kms.asked.length
    await expect(ringOf().wrap(NAME, KEY)).rejects.toMatchObject({ code: "SECRET_KEYS_UNAVAILABLE" })
    expect(kms.asked.length).toBe(asked + 1)
  })

  test("nobody answering is told as ours", async () => {
    const ring = kmsKeyRing({ alias: "hotswap/test", ...kms, endpoint: "http://127.0.0.1:9/", clock })
    await expect(ring.wrap(NAME, KEY)).rejects.toMatchObject({ code: "SECRET_KEYS_UNAVAILABLE" })
  })

  test("a request whose credentials are wrong is refused", async () => {
    const variables = { ...kms.variables, AWS_SECRET_ACCESS_KEY: "wrong" }
    const ring = kmsKeyRing({ alias: "hotswap/test", ...kms, variables, clock })
    await expect(ring.wrap(NAME, KEY)).rejects.toMatchObject({ code: "SECRET_KEYS_UNAVAILABLE" })
  })

  // "post-header-key-case" and "post-sts-header-before" of AWS's Signature Version 4 test suite.
  test("requests are signed as AWS's own examples are", () => {
    const example = {
      accessKeyId: "AKIDEXAMPLE",
      secretAccessKey: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
    }
    const request = {
      url: "https://example.amazonaws.com/",
      service: "service",
      region: "us-east-1",
      headers: {},
      body: "",
    }
    const at = new Date("2015-08-30T12:36:00Z")
    expect(signedHeaders(request, example, at).authorization).toBe(
      "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host;x-amz-date, Signature=5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
    )
  })
})
