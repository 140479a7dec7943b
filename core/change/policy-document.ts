import type { Role } from "../access.ts"
import type { Environment } from "../environment.ts"
import { Refusal } from "../errors.ts"
import { GATE_BOUNDS, type GateThresholds } from "../gate/thresholds.ts"
import { isTenant, type ScopeId } from "../ids.ts"
import type { Json } from "../json.ts"
import { rulesReader } from "../rule/rule-document.ts"
import type { Stage, StrategyType } from "./change.ts"
import { isTimeZone } from "./local-time.ts"
import { isSuitable } from "./plan.ts"
import type { FreezeWindow, PolicyDocument, Weekday } from "./policy.ts"
import { boolean, list, number, oneOf, orNull, type Reader, readAll, record, set, text } from "./shape.ts"
import { STRATEGY_TYPES, strategyOf } from "./strategy-document.ts"

const MINUTE = 60_000
const DAY = 86_400_000

/** What a policy may say, in numbers: how many, or how long in milliseconds. */
export const POLICY_BOUNDS = {
  stages: { min: 0, max: 10 },
  required: { min: 1, max: 10 },
  allowedStrategies: { min: 1, max: STRATEGY_TYPES.length },
  expiresAfterMs: { min: MINUTE, max: 90 * DAY },
  remindEveryMs: { min: MINUTE, max: 30 * DAY },
  rollbackWindowMs: { min: 0, max: 30 * DAY },
  reviewWithinMs: { min: MINUTE, max: 7 * DAY },
  freezes: { min: 0, max: 50 },
  snsTopics: { min: 0, max: 20 },
} as const

/** Whom a policy may name. */
export const POLICY_ROLES = ["engineer", "manager", "compliance", "tenant_admin"] as const satisfies Role[]
const WEEKDAYS = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"] as const satisfies Weekday[]

const TOPIC = /^arn:aws(?:-[a-z]+)*:sns:[a-z0-9-]{1,40}:\d{12}:[A-Za-z0-9_-]{1,256}(?:\.fifo)?$/
const LOCAL = /^2\d{3}-\d{2}-\d{2}T(?:[01]\d|2[0-3]):[0-5]\d$/
const BEGINS = /^(?:[01]\d|2[0-3]):[0-5]\d$/
const ENDS = /^(?:(?:[01]\d|2[0-3]):[0-5]\d|24:00)$/

/**
 * A scope's own policy as somebody wrote it. Throws Refusal `POLICY_INVALID`, naming every member that is wrong; one
 * that is not known is wrong too, so that nobody relies on what is not there.
 */
export const parsePolicy = (
  value: Json,
  where: { scope: ScopeId; environment: Environment },
): PolicyDocument => {
  const { scope, environment } = where
  const { value: document, errors } = readAll(policyOf(scope), value)
  if (errors.length === 0) return document
  const members = [...new Set(errors.map(({ path }) => path.split("/")[1] ?? "the document"))]
  throw new Refusal(
    "POLICY_INVALID",
    `The policy of ${scope} in ${environment} is not valid: ${members.join(", ").slice(0, 300)}.`,
    { errors },
  )
}

const within = ({ min, max }: { min: number; max: number }): Reader<number> => number(min, max)

const stage = record<Stage>({ role: oneOf(POLICY_ROLES), required: within(POLICY_BOUNDS.required) })

const zone = text<string>(isTimeZone, "is the name of a time zone, such as Europe/Berlin")
const name = text<string>((given) => /^[^\p{Cc}]{1,100}$/u.test(given), "is a text of 1 to 100 characters")

const isLocal = (given: string): boolean => {
  if (!LOCAL.test(given)) return false
  // Date.parse takes 30 February for 1 March.
  const at = new Date(`${given}Z`)
  return !Number.isNaN(at.getTime()) && at.toISOString().startsWith(given)
}
const local = text<string>(isLocal, "is a local time, such as 2026-12-24T18:00")

type Weekly = Extract<FreezeWindow, { days: unknown }>
type Once = Exclude<FreezeWindow, Weekly>

const once = record<Once>({ name, timeZone: zone, from: local, until: local })
const weekly = record<Weekly>({
  name,
  timeZone: zone,
  days: set(oneOf(WEEKDAYS), { min: 1, max: WEEKDAYS.length }),
  from: text((given) => BEGINS.test(given), "is a time of day from 00:00 to 23:59"),
  until: text((given) => ENDS.test(given), "is a time of day from 00:00 to 24:00"),
})

const freeze: Reader<FreezeWindow> = (value, path, wrong) => {
  const isWeekly = typeof value === "object" && value !== null && Object.hasOwn(value, "days")
  if (isWeekly) return weekly(value, path, wrong)
  const window = once(value, path, wrong)
  // Local times of one form sort as text.
  if (isLocal(String(window.from)) && isLocal(String(window.until)) && window.until <= window.from)
    wrong(`${path}/until`, "comes after from")
  return window
}

const gateReaders = Object.fromEntries(
  Object.entries(GATE_BOUNDS).map(([threshold, { min, max, kind }]) => [threshold, number(min, max, kind)]),
) as { [Name in keyof GateThresholds]: Reader<number> }

const strategyTypes = (scope: ScopeId): Reader<StrategyType[]> => {
  const types = set<StrategyType>(oneOf(STRATEGY_TYPES), POLICY_BOUNDS.allowedStrategies)
  return (value, path, wrong) => {
    const allowed = types(value, path, wrong)
    if (isTenant(scope) && allowed.length > 0 && !allowed.some((type) => isSuitable(type, scope)))
      wrong(path, `names one that suits ${scope}`)
    return allowed
  }
}

const policyOf = (scope: ScopeId): Reader<PolicyDocument> => {
  const members = record<PolicyDocument>(
    {
      stages: list(stage, POLICY_BOUNDS.stages),
      strategy: strategyOf(scope),
      allowedStrategies: strategyTypes(scope),
      promoteFromAny: boolean,
      expiresAfterMs: within(POLICY_BOUNDS.expiresAfterMs),
      remindEveryMs: orNull(within(POLICY_BOUNDS.remindEveryMs)),
      rollbackWindowMs: within(POLICY_BOUNDS.rollbackWindowMs),
      reviewWithinMs: within(POLICY_BOUNDS.reviewWithinMs),
      breakGlass: set<Role>(oneOf(POLICY_ROLES), { min: 0, max: POLICY_ROLES.length }),
      freezes: list(freeze, POLICY_BOUNDS.freezes),
      gate: record<Partial<GateThresholds>>(gateReaders, "all"),
      snsTopics: set(
        text<string>((given) => TOPIC.test(given), "is the ARN of an SNS topic"),
        POLICY_BOUNDS.snsTopics,
      ),
      rules: rulesReader,
    },
    "all",
  )
  return (value, path, wrong) => {
    const document = members(value, path, wrong)
    const { strategy, allowedStrategies } = document
    if (strategy?.type && allowedStrategies?.length && !allowedStrategies.includes(strategy.type))
      wrong(`${path}/strategy`, "is one of those that allowedStrategies names")
    return document
  }
}
