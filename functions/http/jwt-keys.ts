import { type CryptoKey, importJWK, type JWK } from "jose"
import { Refusal } from "../../core/errors.ts"
import type { Background } from "../platform/background.ts"
import type { Clock } from "../platform/clock.ts"
import type { JwtAlgorithm, JwtIssuer } from "../platform/jwt-issuers.ts"
import type { Log } from "../platform/log.ts"

/** Keys this old are looked up again, while they go on serving. */
const REFRESH_MS = 5 * 60_000
/** Keys this old were asked for by nobody for a while: before one of them is believed its issuer is asked again. */
const IDLE_MS = 2 * REFRESH_MS
/** Keys this old serve no more, if their issuer has not been reached since. */
const LAST_KNOWN_MS = 24 * 60 * 60_000
/** However many unknown `kid`s are shown, the issuer is not asked again before. */
const REST_MS = 30_000
/** With no keys at all, nobody waits for an issuer that has just failed. */
const FIRST_REST_MS = 5_000

/** The keys that an issuer signs with. */
export interface JwtKeys {
  /** `null` if the issuer has no such key for this algorithm. Throws ISSUER_UNAVAILABLE while none are known at all. */
  find(kid: string, algorithm: JwtAlgorithm): Promise<CryptoKey | null>
}

type KeyType = Pick<JWK, "kty" | "crv">
const TYPES: Readonly<Record<JwtAlgorithm, KeyType>> = {
  RS256: { kty: "RSA" },
  RS384: { kty: "RSA" },
  RS512: { kty: "RSA" },
  PS256: { kty: "RSA" },
  PS384: { kty: "RSA" },
  PS512: { kty: "RSA" },
  ES256: { kty: "EC", crv: "P-256" },
  ES384: { kty: "EC", crv: "P-384" },
  ES512: { kty: "EC", crv: "P-521" },
  EdDSA: { kty: "OKP", crv: "Ed25519" },
  Ed25519: { kty: "OKP", crv: "Ed25519" },
}

const fits = (key: JWK, algorithm: JwtAlgorithm): boolean => {
  const { kty, crv } = TYPES[algorithm]
  return (
    key.kty === kty &&
    (crv === undefined || key.crv === crv) &&
    (key.alg === undefined || key.alg === algorithm)
  )
}

/** Of one fetch: what is found in it is imported once. */
const createKeyring = (keys: readonly JWK[]) => {
  const imported = new Map<string, Promise<CryptoKey | null>>()
  const load = async (kid: string, algorithm: JwtAlgorithm): Promise<CryptoKey | null> => {
    const [key, another] = keys.filter((one) => one.kid === kid && fits(one, algorithm))
    // Two of one name: which of them is meant cannot be told.
    if (key === undefined || another !== undefined) return null
    return await (importJWK(key, algorithm) as Promise<CryptoKey>).catch(() => null)
  }
  const has = (kid: string): boolean => keys.some((key) => key.kid === kid)
  return {
    has,
    find: async (kid: string, algorithm: JwtAlgorithm): Promise<CryptoKey | null> => {
      // What is not there is not remembered: anybody could fill the memory with names.
      if (!has(kid)) return null
      const name = `${algorithm} ${kid}`
      const known = imported.get(name) ?? load(kid, algorithm)
      imported.set(name, known)
      return await known
    },
  }
}

const unavailable = (name: string, cause?: unknown): Refusal =>
  new Refusal("ISSUER_UNAVAILABLE", `The keys of the issuer "${name}" could not be had.`, { cause })

/**
 * The keys of an issuer, fetched when they are first needed and kept. They are renewed in the background; for a
 * `kid` that is not among them the issuer is asked again, but not more than once in {@link REST_MS}.
 */
export const createJwtKeys = (
  issuer: Pick<JwtIssuer, "name" | "keys">,
  deps: { clock: Clock; log: Log; background: Background; fetchKeys: () => Promise<readonly JWK[]> },
): JwtKeys => {
  if (issuer.keys.kind === "set") return createKeyring(issuer.keys.keys)
  const { clock, log } = deps
  let kept: { ring: ReturnType<typeof createKeyring>; fetchedAtMs: number } | null = null
  let triedAtMs = Number.NEGATIVE_INFINITY
  /** Of the last time: nobody is to wait for an issuer that cannot be reached. */
  let isDown = false
  let running: Promise<boolean> | null = null

  const fetchNow = async (): Promise<boolean> => {
    try {
      kept = { ring: createKeyring(await deps.fetchKeys()), fetchedAtMs: clock.nowMs() }
      isDown = false
      return true
    } catch (error) {
      isDown = true
      log.warn("the keys of an issuer could not be fetched", { issuer: issuer.name, error })
      return false
    }
  }
  /** All who ask at once wait for the same. */
  const refresh = (): Promise<boolean> => {
    if (running !== null) return running
    triedAtMs = clock.nowMs()
    running = fetchNow().finally(() => {
      running = null
    })
    return running
  }
  const rested = (restMs: number): boolean => running !== null || clock.nowMs() - triedAtMs >= restMs
  const current = () => (kept && clock.nowMs() - kept.fetchedAtMs < LAST_KNOWN_MS ? kept : null)

  return {
    async find(kid, algorithm) {
      if (!current() && rested(FIRST_REST_MS)) await refresh()
      const known = current()
      if (!known) throw unavailable(issuer.name)
      const ageMs = clock.nowMs() - known.fetchedAtMs
      if (ageMs >= IDLE_MS && !isDown) await refresh()
      else if (!known.ring.has(kid) && rested(REST_MS)) await refresh()
      else if (ageMs >= REFRESH_MS && rested(REST_MS)) deps.background.waitUntil(refresh())
      return await (current() ?? known).ring.find(kid, algorithm)
    },
  }
}
