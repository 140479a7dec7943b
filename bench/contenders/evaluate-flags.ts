// What all contenders of `npm run bench -- evaluate` are asked: the same flags, each in the contender's own format.

export interface Entity {
  id: string
  attributes: Readonly<Record<string, string>>
}

export interface PercentageFlag {
  key: string
  percentage: number
}

/** A condition of the one flag with rules: it is on for whom any of them holds. */
export type Condition =
  | { attribute: string; is: string }
  | { attribute: string; oneOf: readonly string[] }
  | { attribute: string; endsWith: string }

/** The whole percentages are all that every contender knows. */
export const PERCENTAGES: readonly PercentageFlag[] = Array.from({ length: 100 }, (_, index) => ({
  key: `checkout.feature_${index}`,
  percentage: 1 + (index % 99),
}))

export const RULES_KEY = "checkout.rules"
export const RULES: readonly Condition[] = [
  { attribute: "country", is: "CH" },
  { attribute: "plan", is: "enterprise" },
  { attribute: "role", is: "admin" },
  { attribute: "device", is: "tablet" },
  { attribute: "language", oneOf: ["sv", "da", "nb"] },
  { attribute: "region", oneOf: ["eu-north", "eu-west"] },
  { attribute: "email", endsWith: "@example.org" },
  { attribute: "team", is: "growth" },
  { attribute: "segment", is: "trial" },
  { attribute: "beta", is: "yes" },
]

const NOBODY: Readonly<Record<string, string>> = {
  country: "FR",
  plan: "free",
  role: "reader",
  device: "phone",
  language: "fr",
  region: "us-east",
  email: "someone@example.com",
  team: "sales",
  segment: "paying",
  beta: "no",
}

const meeting = (condition: Condition): string => {
  if ("is" in condition) return condition.is
  return "oneOf" in condition ? condition.oneOf[1]! : `someone${condition.endsWith}`
}

/** For as many of them as for any other, each rule is the first that holds, and for as many none does. */
export const ENTITIES: readonly Entity[] = Array.from({ length: 1_100 }, (_, index) => {
  const rule = RULES[index % (RULES.length + 1)]
  const attributes = { ...NOBODY, ...(rule ? { [rule.attribute]: meeting(rule) } : {}) }
  return { id: `user-${100_000 + index * 37}`, attributes }
})

/** Is the flag with rules on for this one? */
export const meetsRules = (entity: number): boolean => entity % (RULES.length + 1) < RULES.length

/** What a contender makes of the flags: loaded once, then asked. */
export interface Evaluator {
  /** Its own form of whom a flag is evaluated for. */
  contextOf(entity: Entity): unknown
  isOn(key: string, context: never): boolean | Promise<boolean>
}
