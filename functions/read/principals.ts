import { hash } from "node:crypto"
import type { Principal } from "../../core/access.ts"
import { Refusal } from "../../core/errors.ts"
import type { ScopeId, TokenId } from "../../core/ids.ts"
import { authenticate, keptToken } from "../http/auth.ts"
import type { FunctionUrlEvent } from "../http/events.ts"
import type { Failures } from "../http/failures.ts"
import type { JwtVerifier } from "../http/jwt.ts"
import type { ReaderClaims } from "../http/tokens.ts"
import type { Clock } from "../platform/clock.ts"
import type { Log } from "../platform/log.ts"
import { createLru } from "../platform/lru.ts"
import type { Reading } from "../platform/reading.ts"
import { unavailable } from "./unavailable.ts"

/** An API token's row is read again after this long, so that revoking it holds. */
export const RECHECK_MS = 5_000
const REMEMBERED_MAX = 10_000

interface Remembered {
  principal: Principal
  expiresAtMs: number
  /** `Infinity` where nothing in the database could change the answer. */
  recheckAtMs: number
  checkedAtMs: number
}

/** Who is asking. A token is checked once and remembered by its digest, never by itself. */
export interface Principals {
  /** At once for a remembered token. Throws UNAUTHENTICATED, AUTHENTICATION_LIMITED or DATABASE_UNAVAILABLE. */
  of(authorization: string | undefined, event: FunctionUrlEvent): Principal | Promise<Principal>
}

export const createPrincipals = (deps: {
  clock: Clock
  log: Log
  reading: Pick<Reading, "findToken">
  verifyReader: (token: string, now: Date) => Promise<ReaderClaims | null>
  verifyJwt?: JwtVerifier | null
  startupTokenHash: string | null
  failures: Failures
  used: (scope: ScopeId, tokenId: TokenId) => void
  /** How long an API token that was good may serve while the database cannot be asked. */
  lastKnownMs: number
}): Principals => {
  const { clock } = deps
  const remembered = createLru<string, Remembered>(REMEMBERED_MAX)
  const checking = new Map<string, Promise<Principal>>()

  const check = async (digest: string, authorization: string | undefined): Promise<Principal> => {
    const checkedAtMs = clock.nowMs()
    const facts = { expiresAtMs: Number.POSITIVE_INFINITY, recheckAtMs: Number.POSITIVE_INFINITY }
    const principal = await authenticate(
      {
        startupTokenHash: deps.startupTokenHash,
        used: deps.used,
        now: () => clock.now(),
        async verifyReader(token, now) {
          const claims = await deps.verifyReader(token, now)
          if (claims) facts.expiresAtMs = claims.expiresAt * 1_000
          return claims
        },
        verifyJwt:
          deps.verifyJwt == null
            ? null
            : async (token, now) => {
                const found = await deps.verifyJwt!(token, now)
                if (found) facts.expiresAtMs = found.expiresAt * 1_000
                // Its issuer may have withdrawn the key meanwhile.
                facts.recheckAtMs = checkedAtMs + RECHECK_MS
                return found
              },
        async findToken(scope, tokenId) {
          const kept = await deps.reading.findToken(scope, tokenId)
          if (kept) facts.expiresAtMs = Date.parse(kept.expiresAt)
          facts.recheckAtMs = checkedAtMs + RECHECK_MS
          return kept && keptToken(kept, scope)
        },
      },
      authorization,
    )
    remembered.set(digest, { principal, checkedAtMs, ...facts })
    return principal
  }

  const recheck = async (
    digest: string,
    authorization: string | undefined,
    known: Remembered | undefined,
  ): Promise<Principal> => {
    try {
      return await check(digest, authorization)
    } catch (error) {
      if (error instanceof Refusal && error.code === "UNAUTHENTICATED") {
        remembered.delete(digest)
        throw error
      }
      const now = clock.nowMs()
      if (!known || now >= known.expiresAtMs || now - known.checkedAtMs > deps.lastKnownMs)
        throw unavailable(error, deps.log)
      deps.log.warn("a token could not be checked again and holds for now", { error })
      // Nobody else is to wait for the database in the meantime.
      remembered.set(digest, { ...known, recheckAtMs: now + RECHECK_MS })
      return known.principal
    }
  }

  const single = (
    digest: string,
    authorization: string | undefined,
    known: Remembered | undefined,
  ): Promise<Principal> => {
    const running = checking.get(digest)
    if (running !== undefined) return running
    const started = recheck(digest, authorization, known).finally(() => checking.delete(digest))
    checking.set(digest, started)
    return started
  }

  return {
    of(authorization, event) {
      const digest = hash("sha256", authorization ?? "", "base64")
      const known = remembered.get(digest)
      const now = clock.nowMs()
      if (known && now < known.recheckAtMs && now < known.expiresAtMs) return known.principal
      return deps.failures.watch(event, authorization, () => single(digest, authorization, known))
    },
  }
}
