import fc from "fast-check"
import { describe, expect, test } from "vitest"
import type { ArchiveHeader, Manifest } from "../../../core/backup/manifest.ts"
import { parseArchiveHeader, parseManifest } from "../../../core/backup/manifest-format.ts"
import { Refusal } from "../../../core/errors.ts"
import type { ScopeId } from "../../../core/ids.ts"
import type { Json, JsonObject } from "../../../core/json.ts"

const source = "acme-corp" as ScopeId
const backupId = "019ab3c4-0000-7000-8000-000000000001"
const HEADER: ArchiveHeader = {
  format: "hotswap-archive/1",
  source,
  backupId,
  key: { by: "ring", generation: 1 },
}
const hash = (letter: string) => letter.repeat(64)
const MANIFEST: Manifest = {
  format: "hotswap-archive/1",
  backupId,
  source,
  at: "2026-11-21T08:00:00.123456Z",
  schemaVersion: 14,
  environments: ["Staging", "Production"],
  revisions: { Staging: 3 },
  options: { includeEmptyTables: true },
  fingerprint: "ab12",
  partsKey: "0".repeat(32),
  tables: [
    { name: "heads", rows: 0, sha256: hash("a"), parts: [] },
    {
      name: "chunks",
      rows: 2,
      sha256: hash("b"),
      parts: [{ id: hash("c"), sha256: hash("d"), plainBytes: 900, packedBytes: 300 }],
      fingerprint: "",
    },
  ],
}

const paths = (value: Json, path: string[] = []): string[][] =>
  typeof value === "object" && value !== null
    ? [path, ...Object.entries(value).flatMap(([key, member]) => paths(member, [...path, key]))]
    : [path]

const withMember = (value: Json, path: readonly string[], member: Json): Json => {
  const [key, ...rest] = path
  if (key === undefined) return member
  const inner = withMember((value as JsonObject)[key]!, rest, member)
  return Array.isArray(value) ? value.with(Number(key), inner) : { ...(value as JsonObject), [key]: inner }
}

/** What is no refusal of an archive is a fault of ours. */
const read = <T>(parse: () => T): T | Refusal => {
  try {
    return parse()
  } catch (error) {
    if (error instanceof Refusal && /^ARCHIVE_/.test(error.code)) return error
    throw error
  }
}

const ODD: Json[] = [
  null,
  true,
  0,
  -1,
  1.5,
  2 ** 53,
  "",
  "__proto__",
  "../x",
  [],
  {},
  "a".repeat(64),
  [null],
  { a: 1 },
]

describe("what a manifest says", () => {
  test("comes back as it was written, what is not known passed over", () => {
    const text = JSON.stringify({ ...MANIFEST, later: { much: [1] } })
    expect(parseManifest(text, HEADER)).toEqual(MANIFEST)
    expect(parseArchiveHeader(JSON.stringify(HEADER))).toEqual(HEADER)
  })

  test("is either what it may be or refused, whatever stands anywhere in it", () => {
    const whole = MANIFEST as unknown as Json
    const anything = fc.oneof(
      fc.constantFrom(...ODD),
      fc.jsonValue({ maxDepth: 3 }).map((value) => value as Json),
    )
    fc.assert(
      fc.property(fc.constantFrom(...paths(whole)), anything, (path, member) => {
        const text = JSON.stringify(withMember(whole, path, member))
        const found = read(() => parseManifest(text, HEADER))
        // What was taken says the same when it is read again: nothing odd came through half read.
        if (!(found instanceof Refusal)) expect(parseManifest(JSON.stringify(found), HEADER)).toEqual(found)
      }),
      { seed: 6, numRuns: 2_000 },
    )
  })

  test("in clear is either what it may be or refused", () => {
    const whole = HEADER as unknown as Json
    const anything = fc.oneof(
      fc.constantFrom(...ODD),
      fc.jsonValue({ maxDepth: 3 }).map((value) => value as Json),
    )
    fc.assert(
      fc.property(fc.constantFrom(...paths(whole)), anything, (path, member) => {
        const found = read(() => parseArchiveHeader(JSON.stringify(withMember(whole, path, member))))
        if (!(found instanceof Refusal)) expect(typeof found.key.by).toBe("string")
      }),
      { seed: 7, numRuns: 1_000 },
    )
    for (const text of ["", "null", "[]", "{", '"hotswap-archive/1"', "\0"])
      expect(
        read(() => parseArchiveHeader(text)),
        text,
      ).toBeInstanceOf(Refusal)
  })

  test.each<[string, string, Json, string]>([
    ["another archive's id", "backupId", "019ab3c4-0000-7000-8000-000000000002", "ARCHIVE_DAMAGED"],
    ["another scope", "source", "globex", "ARCHIVE_DAMAGED"],
    ["a later format", "format", "hotswap-archive/2", "ARCHIVE_NEWER"],
    ["too many environments", "environments", Array.from({ length: 65 }, () => "QA"), "ARCHIVE_TOO_LARGE"],
    ["a revision of no environment", "revisions", { "../x": 1 }, "ARCHIVE_DAMAGED"],
    ["a time that is none", "at", "2026-11-21", "ARCHIVE_DAMAGED"],
    ["too many tables", "tables", Array.from({ length: 65 }, () => ({})), "ARCHIVE_TOO_LARGE"],
  ])("with %s is refused", (_, name, member, code) => {
    const text = JSON.stringify({ ...MANIFEST, [name]: member })
    expect(read(() => parseManifest(text, HEADER))).toMatchObject({ code })
  })
})
