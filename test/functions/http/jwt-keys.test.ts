import { generateKeyPairSync } from "node:crypto"
import type { JWK } from "jose"
import { beforeEach, describe, expect, test } from "vitest"
import { createJwtKeys, type JwtKeys } from "../../../functions/http/jwt-keys.ts"
import { createBackground } from "../../../functions/platform/background.ts"

const keyNamed = (kid: string): JWK => ({
  ...generateKeyPairSync("ed25519").publicKey.export({ format: "jwk" }),
  kid,
})
const quiet = { info: () => {}, warn: () => {}, error: () => {} }
const SECOND = 1_000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE

let nowMs: number
let shown: JWK[]
let down: boolean
let fetches: number
/** What a fetch waits for. */
let held: PromiseWithResolvers<void> | null
let keys: JwtKeys
const background = createBackground(quiet)
beforeEach(() => {
  nowMs = 0
  shown = [keyNamed("old")]
  down = false
  fetches = 0
  held = null
  keys = createJwtKeys(
    { name: "corp", keys: { kind: "discovered" } },
    {
      clock: { nowMs: () => nowMs, now: () => new Date(nowMs) },
      log: quiet,
      background,
      fetchKeys: async () => {
        fetches++
        await held?.promise
        if (down) throw new Error("down")
        return shown
      },
    },
  )
})
const has = async (kid: string): Promise<boolean> => (await keys.find(kid, "EdDSA")) !== null

describe("the keys of an issuer", () => {
  test("are fetched once, however many ask for them at once", async () => {
    expect(await Promise.all(Array.from({ length: 50 }, () => has("old")))).not.toContain(false)
    expect(fetches).toBe(1)
  })

  test("are asked for again at once for one that is not known, and then not for half a minute", async () => {
    await has("old")
    nowMs += 30 * SECOND
    shown = [keyNamed("new")]
    expect(await Promise.all(Array.from({ length: 50 }, () => has("new")))).not.toContain(false)
    expect(fetches).toBe(2)
    for (let guess = 0; guess < 50; guess++) expect(await has(`guess-${guess}`)).toBe(false)
    nowMs += 29 * SECOND
    expect(await has("guess")).toBe(false)
    expect(fetches).toBe(2)
    nowMs += SECOND
    expect(await has("guess")).toBe(false)
    expect(fetches).toBe(3)
  })

  test("are renewed in the background, so that nobody waits and a key that is withdrawn goes", async () => {
    await has("old")
    nowMs += 5 * MINUTE
    shown = [keyNamed("new")]
    expect(await has("old")).toBe(true)
    await background.settled()
    expect(fetches).toBe(2)
    expect(await has("old")).toBe(false)
    expect(await has("new")).toBe(true)
  })

  test("that nobody has looked at for long are asked for again before one of them is believed", async () => {
    await has("old")
    nowMs += 2 * HOUR
    shown = [keyNamed("new")]
    expect(await Promise.all(Array.from({ length: 50 }, () => has("old")))).not.toContain(true)
    expect(fetches).toBe(2)
    nowMs += 2 * HOUR
    down = true
    expect(await has("new")).toBe(true)
    nowMs += 31 * SECOND
    expect(await has("new")).toBe(true)
    await background.settled()
    expect(fetches).toBe(4)
  })

  test("are waited for by nobody while their issuer is down", async () => {
    await has("old")
    down = true
    nowMs += HOUR
    expect(await has("old")).toBe(true)
    held = Promise.withResolvers<void>()
    nowMs += MINUTE
    expect(await Promise.all(Array.from({ length: 50 }, () => has("old")))).not.toContain(false)
    held.resolve()
    await background.settled()
    expect(fetches).toBe(3)
  })

  test("serve for a day while their issuer is down, and no longer", async () => {
    await has("old")
    down = true
    nowMs += 24 * HOUR - 1
    expect(await has("old")).toBe(true)
    await background.settled()
    nowMs += 31 * SECOND
    await expect(has("old")).rejects.toMatchObject({ code: "ISSUER_UNAVAILABLE" })
  })

  test("that could never be had are asked for again after five seconds, by one", async () => {
    down = true
    const all = await Promise.allSettled(Array.from({ length: 50 }, () => has("old")))
    expect(all.every(({ status }) => status === "rejected")).toBe(true)
    expect(fetches).toBe(1)
    nowMs += 4_999
    await expect(has("old")).rejects.toMatchObject({ code: "ISSUER_UNAVAILABLE" })
    expect(fetches).toBe(1)
    down = false
    nowMs += 1
    expect(await has("old")).toBe(true)
  })

  test("of another type, or two of one name, are none", async () => {
    const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 }).publicKey.export({ format: "jwk" })
    shown = [
      { ...rsa, kid: "rsa" },
      keyNamed("twin"),
      keyNamed("twin"),
      { ...keyNamed("other"), alg: "ES256" },
    ]
    for (const kid of ["rsa", "twin", "other"]) expect(await has(kid)).toBe(false)
    expect(await keys.find("rsa", "RS256")).not.toBeNull()
  })
})
