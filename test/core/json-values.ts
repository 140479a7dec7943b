import fc from "fast-check"
import type { Json } from "../../core/json.ts"

/** JSON values of every kind, but for -0, which JSON.stringify would not keep. */
export const jsonValues = (maxDepth = 5): fc.Arbitrary<Json> =>
  fc.jsonValue({ maxDepth }).map((value) => JSON.parse(JSON.stringify(value)) as Json)
