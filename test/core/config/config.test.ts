import { expect, test } from "vitest"
import { configDocument, typeOf, type ValueType } from "../../../core/config/config.ts"
import { DEFAULT_ENVIRONMENTS } from "../../../core/environment.ts"
import { type ConfigKey, PLATFORM } from "../../../core/ids.ts"
import type { Json } from "../../../core/json.ts"

test.each<[Json, ValueType]>([
  [true, "boolean"],
  [false, "boolean"],
  ["", "string"],
  [0, "number"],
  [1.5, "number"],
  [{}, "object"],
  [[], "array"],
  [null, "null"],
  [{ $secret: true, version: 1 }, "secret"],
])("the type of %j is %s", (value, type) => {
  expect(typeOf(value)).toBe(type)
})

test("a config is shown with its id, its type and what is known about it, and null for what is not", () => {
  const where = { scope: PLATFORM, environment: DEFAULT_ENVIRONMENTS[2]!, key: "a.b" as ConfigKey }
  const shown = {
    configId: "~platform:Staging:a.b",
    tenantId: "~platform",
    environment: "Staging",
    key: "a.b",
  }
  const entry = { value: [1], version: 3 }
  expect(configDocument(where, entry)).toStrictEqual({
    ...shown,
    value: [1],
    type: "array",
    version: 3,
    locked: false,
    secret: false,
    schema: null,
    description: null,
    owner: null,
  })
  const full = configDocument(where, { ...entry, locked: true, schema: {} }, { description: "d", owner: "o" })
  expect(full).toMatchObject({ locked: true, schema: {}, description: "d", owner: "o" })
})
