import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { DEFAULT_ENVIRONMENTS, type Environment } from "../../core/environment.ts"
import {
  backupIdOf,
  changeIdOf,
  configIdOf,
  isTenant,
  jobIdOf,
  layerOf,
  PLATFORM,
  parseBackupId,
  parseChangeId,
  parseConfigId,
  parseConfigKey,
  parseJobId,
  parseScopeId,
  parseTenantId,
  parseTier,
  parseTokenId,
  type ScopeId,
  TIERS,
  tierScope,
  tokenIdOf,
} from "../../core/ids.ts"

const seed = 20261110
const uuids = fc.uuid()
const slugs = fc.stringMatching(/^[a-z0-9](?:[a-z0-9-]{0,20}[a-z0-9])?$/)
const keys = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._-]{0,30}$/)
const scopes: fc.Arbitrary<ScopeId> = fc.oneof(
  slugs.map((slug) => parseTenantId(slug)!),
  fc.constantFrom(PLATFORM, ...TIERS.map(tierScope)),
)

describe("a tenant's id", () => {
  test.each(["a", "acme", "acme-corp", "a--b", "0", "a".repeat(63)])("may be %j", (text) => {
    expect(parseTenantId(text)).toBe(text)
  })

  test.each([
    "",
    "-a",
    "a-",
    "A",
    "a_b",
    "a.b",
    "a:b",
    "~platform",
    "a b",
    "ä",
    "a\n",
    "a".repeat(64),
    "a/b",
    "%61",
  ])("may not be %j", (text) => {
    expect(parseTenantId(text)).toBeNull()
  })
})

describe("a scope", () => {
  test("is the platform, a tier or a tenant, and on that floor", () => {
    expect(layerOf(parseScopeId("~platform")!)).toBe("platform")
    for (const tier of TIERS) expect(layerOf(parseScopeId(`~tier.${tier}`)!)).toBe("tier")
    expect(layerOf(parseScopeId("acme")!)).toBe("tenant")
    expect([PLATFORM, tierScope("Pro"), parseScopeId("acme")!].map(isTenant)).toEqual([false, false, true])
  })

  test.each(["~", "~tier", "~tier.", "~tier.pro", "~tier.Gold", "~Platform", "~platform "])(
    "is not %j",
    (text) => {
      expect(parseScopeId(text)).toBeNull()
    },
  )

  test("of a tier is found whatever the case of the tier's name", () => {
    expect(["free", "PRO", "Enterprise", "gold", ""].map(parseTier)).toEqual([
      "Free",
      "Pro",
      "Enterprise",
      null,
      null,
    ])
  })
})

describe("a key", () => {
  test.each(["a", "feature.new-checkout_2", "0", "constructor", "a".repeat(200)])("may be %j", (text) => {
    expect(parseConfigKey(text)).toBe(text)
  })

  test.each(["", ".a", "-a", "_a", "__proto__", "$a", "a b", "a:b", 'a"b', "é", "a\n", "a".repeat(201)])(
    "may not be %j",
    (text) => {
      expect(parseConfigKey(text)).toBeNull()
    },
  )
})

describe("ids that carry their address", () => {
  test("are read back as what they were made of", () => {
    fc.assert(
      fc.property(
        scopes,
        fc.constantFrom(...DEFAULT_ENVIRONMENTS),
        keys,
        uuids,
        (scope, environment, text, uuid) => {
          const key = parseConfigKey(text)!
          const configId = configIdOf(scope, environment, key)
          expect(parseConfigId(configId, DEFAULT_ENVIRONMENTS)).toEqual({ scope, environment, key })
          const changeId = changeIdOf(scope, uuid)
          expect(parseChangeId(changeId)).toEqual({ changeId, scope })
          expect(parseTokenId(changeId)).toBeNull()
          const tokenId = tokenIdOf(scope, uuid)
          expect(parseTokenId(tokenId)).toEqual({ tokenId, scope })
          expect(parseChangeId(tokenId)).toBeNull()
          expect(parseJobId(jobIdOf(scope, uuid))).toEqual({ scope, uuid })
          expect(parseBackupId(backupIdOf(scope, uuid))).toEqual({ scope, uuid })
          expect(parseJobId(backupIdOf(scope, uuid))).toBeNull()
          expect(parseBackupId(jobIdOf(scope, uuid))).toBeNull()
          expect(parseJobId(jobIdOf(scope, uuid).toUpperCase())).toBeNull()
        },
      ),
      { seed, numRuns: 300 },
    )
  })

  test("name the environment in any case, and come back with its own", () => {
    expect(parseConfigId("acme:staging:a", DEFAULT_ENVIRONMENTS)?.environment).toBe("Staging" as Environment)
  })

  test.each([
    "",
    "acme",
    "acme:Staging",
    "acme:Staging:a:b",
    ":Staging:a",
    "acme::a",
    "acme:Nowhere:a",
    "Acme:Staging:a",
  ])("of a config are not %j", (text) => {
    expect(parseConfigId(text, DEFAULT_ENVIRONMENTS)).toBeNull()
  })

  const hex = "0123456789abcdef0123456789abcdef"
  test.each([
    `chg_${hex}`,
    `acme:chg_${hex}0`,
    `acme:chg_${hex.slice(1)}`,
    `acme:chg_${hex.toUpperCase()}`,
    `-:chg_${hex}`,
    `a:b:chg_${hex}`,
    `acme:chg_${hex}\n`,
  ])("of a change are not %j", (text) => {
    expect(parseChangeId(text)).toBeNull()
  })
})
