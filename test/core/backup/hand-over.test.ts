import { describe, expect, test } from "vitest"
import {
  HAND_OVER_FORMAT,
  type HandOver,
  type HandOverChecks,
  handOverText,
  mustBeHandedOver,
  parseHandOver,
  type SignedHandOver,
} from "../../../core/backup/hand-over.ts"
import type { Json } from "../../../core/json.ts"

const key = (letter: string): string => `${letter.repeat(42)}A`
const NOW = new Date("2026-05-01T12:00:00.000Z")
const statement: HandOver = {
  format: HAND_OVER_FORMAT,
  backupId: "01890a5d-ac96-774b-bcce-b302099a8057",
  source: "acme-corp",
  manifestHash: "ab".repeat(32),
  from: { name: "first", signingKey: key("s") },
  to: key("r"),
  signedAt: "2026-05-01T11:00:00.000Z",
}
const signed: SignedHandOver = { statement, signature: "x".repeat(86) }
const checks: HandOverChecks = {
  now: NOW,
  manifestHash: statement.manifestHash,
  trusted: [key("t"), key("s")],
  receivingKeys: [key("q"), key("r")],
  checkSignature: (publicKey, text) => publicKey === key("s") && text === handOverText(statement),
}

const codeOf = (given: Partial<HandOverChecks> = {}, said: Partial<HandOver> = {}): string => {
  try {
    mustBeHandedOver({ ...signed, statement: { ...statement, ...said } }, { ...checks, ...given })
    return "taken"
  } catch (error) {
    return (error as { code: string }).code
  }
}

describe("a hand-over is taken in", () => {
  test("when a trusted deployment signed it for this one, lately, about this manifest", () => {
    expect(codeOf()).toBe("taken")
  })

  test("not when one of these is not so", () => {
    const at = (instant: string) => codeOf({ now: new Date(instant) })
    expect({
      untrusted: codeOf({ trusted: [key("t")] }),
      "nobody trusted": codeOf({ trusted: [] }),
      unsigned: codeOf({ checkSignature: () => false }),
      altered: codeOf({}, { source: "other" }),
      "another manifest": codeOf({ manifestHash: "cd".repeat(32) }),
      "another deployment": codeOf({ receivingKeys: [key("q")] }),
      "seven days": at("2026-05-08T11:00:00.000Z"),
      "a moment more": at("2026-05-08T11:00:00.001Z"),
      "five minutes early": at("2026-05-01T10:55:00.000Z"),
      earlier: at("2026-05-01T10:54:59.999Z"),
      "no time": codeOf({ checkSignature: () => true }, { signedAt: "2026-99-01T11:00:00.000Z" }),
    }).toEqual({
      untrusted: "HAND_OVER_UNTRUSTED",
      "nobody trusted": "HAND_OVER_UNTRUSTED",
      unsigned: "HAND_OVER_INVALID",
      altered: "HAND_OVER_INVALID",
      "another manifest": "HAND_OVER_INVALID",
      "another deployment": "HAND_OVER_MISADDRESSED",
      "seven days": "taken",
      "a moment more": "HAND_OVER_STALE",
      "five minutes early": "taken",
      earlier: "HAND_OVER_STALE",
      "no time": "HAND_OVER_STALE",
    })
  })

  test("and of what a stranger says nothing but that is told", () => {
    const stranger = { trusted: [], checkSignature: () => false, receivingKeys: [], manifestHash: "" }
    expect(codeOf(stranger, { signedAt: "2020-01-01T00:00:00.000Z" })).toBe("HAND_OVER_UNTRUSTED")
  })
})

describe("a signed hand-over", () => {
  const plain = signed as unknown as Record<string, Json>
  const said = (changed: Record<string, unknown>): Json =>
    ({ ...plain, statement: { ...statement, ...changed } }) as unknown as Json

  test("is read as it was written", () => {
    expect(parseHandOver(JSON.parse(JSON.stringify(signed)))).toEqual(signed)
  })

  test.each<[string, Json]>([
    ["nothing", null],
    ["a list", []],
    ["text", "signed"],
    ["no signature", { statement: plain.statement! }],
    ["a member more", { ...plain, more: 1 }],
    ["a member of the statement more", said({ more: 1 })],
    ["a member less", said({ to: undefined })],
    ["a signature of another length", { ...plain, signature: "x".repeat(87) }],
    ["another format", said({ format: "hotswap-hand-over/2" })],
    ["an id with a path", said({ backupId: "../../01890a5d-ac96-774b-bcce-b302099a" })],
    ["a source that is no scope", said({ source: "../acme" })],
    ["a key that is too short", said({ to: "r" })],
    ["a key whose last letter holds more bits than there are", said({ to: `${"r".repeat(42)}B` })],
    ["a hash in capitals", said({ manifestHash: "AB".repeat(32) })],
    ["a time without a zone", said({ signedAt: "2026-05-01T11:00:00.000" })],
    ["no name", said({ from: { signingKey: key("s") } })],
    ["a very long name", said({ from: { name: "n".repeat(101), signingKey: key("s") } })],
  ])("is not %s", (_what, given) => {
    expect(() => parseHandOver(given)).toThrow(expect.objectContaining({ code: "HAND_OVER_INVALID" }))
  })
})
