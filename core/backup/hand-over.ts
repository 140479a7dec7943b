import type { Instant } from "../change/change.ts"
import { Refusal } from "../errors.ts"
import { parseScopeId } from "../ids.ts"
import { canonical, type Json, type JsonObject } from "../json.ts"
import { PUBLIC_KEY } from "../public-key.ts"

/** What one deployment says of an archive that it made for another one, and signs. */
export interface HandOver {
  format: typeof HAND_OVER_FORMAT
  backupId: string
  /** Whose rows are in it. */
  source: string
  /** Of the archive's manifest as it is stored, 64 hex digits. */
  manifestHash: string
  from: { name: string; signingKey: string }
  /** The key of the deployment it is for: nobody else can open it. */
  to: string
  signedAt: Instant
}

export interface SignedHandOver {
  statement: HandOver
  /** Ed25519 over {@link handOverText}, base64url. */
  signature: string
}

/** What is kept beside such an archive where it is made: nobody there can open its manifest to see which parts there are. */
export interface HandOverNote {
  signed: SignedHandOver
  parts: readonly { id: string; bytes: number }[]
}

export const HAND_OVER_FORMAT = "hotswap-hand-over/1"
/** So long after it was signed a hand-over is taken in. */
export const HAND_OVER_VALID_MS = 7 * 24 * 60 * 60_000
/** By which two deployments' clocks may differ. */
const CLOCKS_APART_MS = 5 * 60_000

/** The bytes that are signed. They begin with what they are, so that no other text that the key signs can be taken for them. */
export const handOverText = (statement: HandOver): string =>
  `${HAND_OVER_FORMAT}\n${canonical({ ...statement, from: { ...statement.from } })}\n`

const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/
const HASH = /^[0-9a-f]{64}$/
const INSTANT = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3,6}Z$/
const SIGNATURE = /^[A-Za-z0-9_-]{86}$/
const NAME_LENGTH_MAX = 100

const isObject = (value: Json | undefined): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value)
/** The value if it is an object with these members and no other. */
const object = (value: Json | undefined, members: readonly string[]): JsonObject | null =>
  isObject(value) && Object.keys(value).sort().join() === [...members].sort().join() ? value : null
const isText = (value: Json | undefined, form: RegExp): boolean =>
  typeof value === "string" && form.test(value)

const isStatement = (value: Json | undefined): boolean => {
  const statement = object(value, ["format", "backupId", "source", "manifestHash", "from", "to", "signedAt"])
  const from = object(statement?.from, ["name", "signingKey"])
  return (
    statement?.format === HAND_OVER_FORMAT &&
    isText(statement.backupId, UUID) &&
    typeof statement.source === "string" &&
    parseScopeId(statement.source) !== null &&
    isText(statement.manifestHash, HASH) &&
    typeof from?.name === "string" &&
    from.name.length <= NAME_LENGTH_MAX &&
    isText(from.signingKey, PUBLIC_KEY) &&
    isText(statement.to, PUBLIC_KEY) &&
    isText(statement.signedAt, INSTANT)
  )
}

/** Throws Refusal HAND_OVER_INVALID for anything with more or less in it than belongs there. */
export const parseHandOver = (given: Json): SignedHandOver => {
  const signed = object(given, ["statement", "signature"])
  if (!signed || !isText(signed.signature, SIGNATURE) || !isStatement(signed.statement))
    throw new Refusal("HAND_OVER_INVALID", "It is not a signed hand-over.")
  return signed as unknown as SignedHandOver
}

export interface HandOverChecks {
  now: Date
  /** Of the manifest that came with it. */
  manifestHash: string
  /** Signing keys of the deployments whose word is taken. */
  trusted: readonly string[]
  /** Keys that this deployment can open with. */
  receivingKeys: readonly string[]
  checkSignature(publicKey: string, text: string, signature: string): boolean
}

/**
 * Throws Refusal unless a trusted deployment signed it, for this one, lately, and about this very manifest. Trust and signature
 * come first: of what nobody trustworthy said, nothing else is told.
 */
export const mustBeHandedOver = ({ statement, signature }: SignedHandOver, checks: HandOverChecks): void => {
  const { from, to, signedAt, manifestHash } = statement
  if (!checks.trusted.includes(from.signingKey))
    throw new Refusal(
      "HAND_OVER_UNTRUSTED",
      `The key ${from.signingKey} is of no deployment that is trusted.`,
    )
  if (!checks.checkSignature(from.signingKey, handOverText(statement), signature))
    throw new Refusal("HAND_OVER_INVALID", "The signature does not fit what was handed over.")
  if (manifestHash !== checks.manifestHash)
    throw new Refusal("HAND_OVER_INVALID", "The manifest is not the one that was signed.")
  if (!checks.receivingKeys.includes(to))
    throw new Refusal("HAND_OVER_MISADDRESSED", `It is for the deployment with the key ${to}.`)
  const ageMs = checks.now.getTime() - Date.parse(signedAt)
  if (Number.isNaN(ageMs) || ageMs > HAND_OVER_VALID_MS)
    throw new Refusal("HAND_OVER_STALE", `It was signed at ${signedAt}, and is taken in for 7 days.`)
  if (ageMs < -CLOCKS_APART_MS)
    throw new Refusal("HAND_OVER_STALE", `It was signed at ${signedAt}, which is yet to come here.`)
}
