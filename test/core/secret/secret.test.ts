import { format, inspect } from "node:util"
import { expect, test } from "vitest"
import { isMarker, looksMarked, markedVersion, markerOf } from "../../../core/secret/marker.ts"
import { Secret } from "../../../core/secret/secret.ts"
import { jsonLog } from "../../../functions/platform/log.ts"
import { handClock } from "../../functions/platform/fakes.ts"

const SENTINEL = "sentinel-5f2c"

test("whatever is made of a secret by accident does not hold it", () => {
  const secret = new Secret({ password: SENTINEL })
  const lines: string[] = []
  const log = jsonLog({ clock: handClock(0), functionName: "test", write: (line) => void lines.push(line) })
  log.info("told", { secret, nested: { edits: [{ value: secret }] } })
  const made = [
    String(secret),
    `${secret as unknown as string}`,
    "".concat(secret as unknown as string),
    JSON.stringify({ secret }),
    inspect({ secret }, { depth: null, showHidden: true }),
    format("%s %o %O %j", secret, secret, secret, secret),
    JSON.stringify({ ...secret }),
    inspect(structuredClone({ ...secret })),
    inspect(Object.entries(secret)),
    new Error(`of ${secret}`, { cause: secret }).stack!,
    ...lines,
  ]
  for (const text of made) expect(text).not.toContain(SENTINEL)
  expect(lines[0]).toContain("[secret]")
  expect(secret.reveal()).toEqual({ password: SENTINEL })
})

test("a marker names a version, and nothing else is one", () => {
  expect(markedVersion(markerOf(3))).toBe(3)
  const others = [
    null,
    "$secret",
    3,
    [],
    {},
    { $secret: true },
    { $secret: 1, version: 3 },
    { $secret: true, version: 0 },
    { $secret: true, version: 1.5 },
    { $secret: true, version: "3" },
    { $secret: true, version: 3, more: 1 },
    [{ $secret: true, version: 3 }],
    Object.create({ $secret: true, version: 3 }),
  ]
  for (const value of others) expect(isMarker(value), JSON.stringify(value)).toBe(false)
})

test("whatever has the marker's member looks like one", () => {
  expect(looksMarked({ $secret: null })).toBe(true)
  expect(looksMarked({ inner: { $secret: true } })).toBe(false)
  expect(looksMarked(["$secret"])).toBe(false)
})
