import type { OutcomeReport } from "../../core/gate/evidence.ts"
import type { Json } from "../../core/json.ts"
import { parseRevision } from "../../core/release/revision.ts"
import { type Field, latencyUpTo, listIn, wholeUpTo, wrongIn } from "./fields.ts"

const REPORTS_MAX = 500
const COUNT_MAX = 1_000_000
const INSTANCE_CHARACTERS_MAX = 200
const COUNT = wholeUpTo(COUNT_MAX)

const FIELDS: Readonly<Record<keyof OutcomeReport, Field>> = {
  revision: {
    test: (value) => typeof value === "string" && parseRevision(value) !== null,
    wanted: "a revision like 1.4.2.17",
  },
  arm: { test: (value) => value === "stable" || value === "candidate", wanted: '"stable" or "candidate"' },
  instance: {
    test: (value) => typeof value === "string" && value !== "" && value.length <= INSTANCE_CHARACTERS_MAX,
    wanted: `1 to ${INSTANCE_CHARACTERS_MAX} characters`,
  },
  seq: {
    test: (value) => Number.isSafeInteger(value) && (value as number) >= 0,
    wanted: "a whole number that rises from report to report",
  },
  ok: COUNT,
  errors: COUNT,
  latency: latencyUpTo(COUNT_MAX),
  guard: {
    test: (value) => value === "unparsable" || value === "invalid",
    wanted: '"unparsable" or "invalid"',
    optional: true,
  },
}

/** The reports of a body. Throws BODY_INVALID. */
export const reportsOf = (body: Json): readonly OutcomeReport[] =>
  listIn(body, "reports", REPORTS_MAX, (report, path) =>
    wrongIn(report, path, FIELDS),
  ) as unknown as OutcomeReport[]
