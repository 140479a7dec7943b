import { type FieldError, Refusal } from "../../core/errors.ts"
import type { OutcomeReport } from "../../core/gate/evidence.ts"
import type { Json } from "../../core/json.ts"
import { parseRevision } from "../../core/release/revision.ts"

const REPORTS_MAX = 500
const COUNT_MAX = 1_000_000
const INSTANCE_CHARACTERS_MAX = 200
const LATENCY_ENTRIES_MAX = 64
const LATENCY_MS_MAX = 3_600_000

const isCount = (value: unknown): boolean =>
  Number.isInteger(value) && (value as number) >= 0 && (value as number) <= COUNT_MAX

const isTiming = (value: unknown): boolean =>
  Array.isArray(value) &&
  value.length === 2 &&
  typeof value[0] === "number" &&
  value[0] > 0 &&
  value[0] <= LATENCY_MS_MAX &&
  isCount(value[1])

const COUNT = { test: isCount, wanted: `a whole number from 0 to ${COUNT_MAX}` }

/** Every field of a report: what it has to be, in code and in words. */
const FIELDS: Readonly<
  Record<keyof OutcomeReport, { test: (value: unknown) => boolean; wanted: string; optional?: true }>
> = {
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
  latency: {
    test: (value) => Array.isArray(value) && value.length <= LATENCY_ENTRIES_MAX && value.every(isTiming),
    wanted: `at most ${LATENCY_ENTRIES_MAX} pairs [upToMs, count]`,
    optional: true,
  },
  guard: {
    test: (value) => value === "unparsable" || value === "invalid",
    wanted: '"unparsable" or "invalid"',
    optional: true,
  },
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const wrongWith = (report: unknown, path: string): FieldError[] => {
  if (!isObject(report)) return [{ path, message: "It is an object." }]
  const unknown = Object.keys(report)
    .filter((name) => !Object.hasOwn(FIELDS, name))
    .map((name) => ({ path: `${path}/${name}`, message: "There is no such field." }))
  const wrong = Object.entries(FIELDS).flatMap(([name, { test, wanted, optional }]) => {
    const value = Object.hasOwn(report, name) ? report[name] : undefined
    if ((value === undefined && optional) || test(value)) return []
    return [{ path: `${path}/${name}`, message: `It is ${wanted}.` }]
  })
  return [...unknown, ...wrong]
}

const ERRORS_MAX = 20

const invalid = (errors: readonly FieldError[]): Refusal => {
  const told = errors.slice(0, ERRORS_MAX)
  const words = told.map(({ path, message }) => (path === "" ? message : `${path}: ${message}`))
  return new Refusal("BODY_INVALID", words.join(" "), { errors: told })
}

/** The reports of a body. Checked by hand: a schema library would weigh more than all of this. Throws BODY_INVALID. */
export const reportsOf = (body: Json): readonly OutcomeReport[] => {
  if (!isObject(body)) throw invalid([{ path: "", message: "It is an object." }])
  const { reports, ...others } = body
  const unknown = Object.keys(others).map((name) => ({
    path: `/${name}`,
    message: "There is no such field.",
  }))
  if (!Array.isArray(reports) || reports.length === 0 || reports.length > REPORTS_MAX)
    throw invalid([...unknown, { path: "/reports", message: `It is a list of 1 to ${REPORTS_MAX} reports.` }])
  const errors = [...unknown, ...reports.flatMap((report, i) => wrongWith(report, `/reports/${i}`))]
  if (errors.length > 0) throw invalid(errors)
  return reports as unknown as OutcomeReport[]
}
