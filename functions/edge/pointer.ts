import type { Environment } from "../../core/environment.ts"
import {
  parseChangeId,
  parseTenantId,
  parseTier,
  parseTokenId,
  type TokenId,
  type ViewId,
} from "../../core/ids.ts"
import {
  bothArmsTag,
  POLL_HEADER,
  type PointerDocument,
  pollPace,
  type Staleness,
  stalenessOf,
} from "../../core/release/pointer-document.ts"
import { isNewer, parseRevision, type Revision } from "../../core/release/revision.ts"
import { parseViewId, viewBits } from "../../core/release/view-id.ts"
import type { Scope } from "./scope.ts"
import { SECURITY_HEADERS } from "./security.ts"

/** What was last written to the last known good, so that it is not written again for nothing. */
export interface KeptNote {
  revision: string
  atMs: number
}

/** A pointer document as it travels between isolates and rests in a cache. */
export interface StoredPointer {
  /** `readAtMs` is by this edge's clock. */
  document: PointerDocument
  kept: KeptNote | null
}

/** One of the two views there are, with all of its answer that does not depend on the question. */
export interface Arm {
  name: "stable" | "candidate"
  view: ViewId
  bits: number
  /** The answer's JSON up to the value of `configs`. */
  opening: string
  etag: string
  /** Of a 200; a 304 has the same without a content type. */
  headers: Headers
  notModified: Headers
}

/** A pointer document in memory, made ready to answer from. */
export interface HeldPointer {
  document: PointerDocument
  revision: Revision
  staleness: Staleness
  revoked: ReadonlySet<TokenId>
  stable: Arm
  candidate: Arm | null
  /** The stable arm as it is told with its difference to the candidate. */
  both: Arm
  kept: KeptNote | null
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const textWith = <T>(value: unknown, parse: (text: string) => T | null): T | null =>
  typeof value === "string" ? parse(value) : null

const candidateOf = (value: unknown): PointerDocument["candidate"] | undefined => {
  if (value === null || value === undefined) return null
  if (!isObject(value)) return undefined
  const view = textWith(value.view, parseViewId)
  const change = textWith(value.changeId, parseChangeId)
  const { step, weightBp } = value
  if (!view || !change || !Number.isInteger(step) || !Number.isInteger(weightBp)) return undefined
  return { view, changeId: change.changeId, step: step as number, weightBp: weightBp as number }
}

/**
 * The pointer document if this is one, and of this scope; `null` for anything else, whoever sent it.
 * `readAtMs` is handed in: the origin tells an age, because clocks differ.
 */
export const parsePointer = (value: unknown, scope: Scope, readAtMs: number): PointerDocument | null => {
  if (!isObject(value) || !Number.isFinite(readAtMs)) return null
  const { status, revision, moving, revoked } = value
  const tenantId = textWith(value.tenantId, parseTenantId)
  const tier = textWith(value.tier, parseTier)
  const stable = textWith(value.stable, parseViewId)
  const candidate = candidateOf(value.candidate)
  if (tenantId !== scope.tenantId || value.environment !== scope.environment) return null
  if (!tier || !stable || candidate === undefined) return null
  if (status !== "active" && status !== "suspended") return null
  if (!textWith(revision, parseRevision) || typeof moving !== "boolean") return null
  if (!Array.isArray(revoked) || !revoked.every((id) => textWith(id, parseTokenId))) return null
  const environment = scope.environment as Environment
  return {
    tenantId,
    environment,
    tier,
    status,
    revision: revision as string,
    stable,
    candidate,
    flags: typeof value.flags === "string" ? value.flags : undefined,
    moving,
    readAtMs,
    revoked: revoked as TokenId[],
  }
}

const armOf = (document: PointerDocument, name: Arm["name"], view: ViewId, etag: string): Arm => {
  const { tenantId, environment, revision } = document
  const told = JSON.stringify({ tenantId, environment, revision, view, arm: name })
  const notModified = {
    etag,
    "hotswap-revision": revision,
    "hotswap-arm": name,
    [POLL_HEADER]: pollPace(document),
    "cache-control": "private, no-cache",
    vary: "Authorization",
  }
  return {
    name,
    view,
    bits: viewBits(view),
    opening: `${told.slice(0, -1)},"configs":`,
    etag,
    headers: new Headers({
      ...SECURITY_HEADERS,
      "content-type": "application/json; charset=utf-8",
      ...notModified,
    }),
    notModified: new Headers(notModified),
  }
}

const armsOf = (document: PointerDocument): Pick<HeldPointer, "stable" | "candidate" | "both"> => {
  const { stable, candidate } = document
  const etag = `W/"${stable}"`
  return {
    stable: armOf(document, "stable", stable, etag),
    candidate: candidate && armOf(document, "candidate", candidate.view, `W/"${candidate.view}"`),
    both: armOf(document, "stable", stable, bothArmsTag(document)),
  }
}

/** The views that it is answered from. */
export const viewsIn = (pointer: HeldPointer | null): ViewId[] =>
  [pointer?.stable.view, pointer?.candidate?.view].filter((view) => view !== undefined)

const sameViews = (one: PointerDocument, other: PointerDocument): boolean =>
  one.revision === other.revision &&
  one.stable === other.stable &&
  one.moving === other.moving &&
  JSON.stringify(one.candidate) === JSON.stringify(other.candidate)

/** Makes a pointer ready; arms that say the same as `before` keep their prepared answers. */
export const holdPointer = ({ document, kept }: StoredPointer, before: HeldPointer | null): HeldPointer => {
  const arms = before !== null && sameViews(before.document, document) ? before : armsOf(document)
  return {
    document,
    revision: parseRevision(document.revision)!,
    staleness: stalenessOf(document),
    revoked: new Set(document.revoked),
    stable: arms.stable,
    candidate: arms.candidate,
    both: arms.both,
    kept,
  }
}

/** May `next` take the place of `held`? A newer revision may, and the same one read later; nothing older ever. */
export const supersedes = (next: PointerDocument, held: HeldPointer): boolean =>
  next.revision === held.document.revision
    ? next.readAtMs >= held.document.readAtMs
    : isNewer(parseRevision(next.revision)!, held.revision)

/** Clocks of machines that share a cache differ by less. */
const SKEW_MS = 1_000

/**
 * Milliseconds since PostgreSQL was read. A pointer from the future was read before the clock was set back;
 * how old it really is nobody can tell, so it counts as just beyond its bound from now on.
 */
export const ageOf = ({ document, staleness }: HeldPointer, nowMs: number): number => {
  if (document.readAtMs - nowMs > SKEW_MS) document.readAtMs = nowMs - staleness.staleMs - 1
  return Math.max(0, nowMs - document.readAtMs)
}
