import { list, type Reader, readAll, record, text } from "../change/shape.ts"
import { Refusal } from "../errors.ts"
import { checkCondition } from "../flag/rule-check.ts"
import { byteLength, canonical, type Json } from "../json.ts"
import { keysOfRule, tryRule } from "./evaluate.ts"
import { parseReference, resolved } from "./references.ts"
import { RULE_KEYS_MAX, RULES_BYTES_MAX, RULES_MAX, type Rule } from "./rule.ts"

const ID = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/
/** A short rule may be wrong in many places: what is said of it stays short. */
const ERRORS_MAX = 20
const REFERENCE = "names a config by a text, such as pool.max, or a part of its value, such as pool/max"

const condition: Reader<Json> = (value, path, wrong) => {
  let isWrong = false
  const note = (at: string, message: string) => {
    isWrong = true
    wrong(at, message)
  }
  checkCondition(value, path, note)
  // Only of operators that are known, with as many operands as they take, is it known which are references.
  if (!isWrong)
    resolved(
      value,
      (reference, at) => {
        if (parseReference(reference) === null) note(at, REFERENCE)
        return "v"
      },
      path,
    )
  return value
}

const members = record<Rule>(
  {
    id: text((given) => ID.test(given), "is a text of 1 to 63 of A-Z a-z 0-9 . _ -"),
    description: text(
      (given) => /^[^\p{Cc}]{1,500}$/u.test(given) && given.trim() !== "",
      "is a text of 1 to 500 characters that says what is asked, and why",
    ),
    when: condition,
    require: condition,
    forbid: condition,
  },
  ["when", "require", "forbid"],
)

const one: Reader<Rule> = (value, path, wrong) => {
  let isWrong = false
  const rule = members(value, path, (at, message) => {
    isWrong = true
    wrong(at, message)
  })
  if (isWrong) return rule
  if ((rule.require === undefined) === (rule.forbid === undefined))
    wrong(path, "has either require or forbid")
  else checkWhole(rule, path, wrong)
  return rule
}

const checkWhole = (rule: Rule, path: string, wrong: (path: string, message: string) => void): void => {
  const { length } = keysOfRule(rule)
  if (length === 0 || length > RULE_KEYS_MAX) {
    wrong(path, `is about 1 to ${RULE_KEYS_MAX} configs, not ${length}`)
    return
  }
  try {
    tryRule(rule)
  } catch (error) {
    wrong(path, `does not evaluate: ${(error as Error).message}`)
  }
}

const all = list(one, { min: 0, max: RULES_MAX })

/** The rules of a scope × environment as somebody wrote them. */
export const rulesReader: Reader<readonly Rule[]> = (value, path, wrong) => {
  const bytes = byteLength(canonical(value))
  if (bytes > RULES_BYTES_MAX) {
    wrong(path, `is ${bytes} bytes long, and may be ${RULES_BYTES_MAX}`)
    return []
  }
  const rules = all(value, path, wrong)
  const ids = rules.map((rule) => rule?.id)
  for (const [index, id] of ids.entries())
    if (id !== undefined && ids.indexOf(id) < index) wrong(`${path}/${index}/id`, "is there already")
  return rules
}

/** Throws Refusal `RULE_INVALID`, naming what is wrong with which of them: what passes evaluates. */
export const parseRules = (value: Json): readonly Rule[] => {
  const { value: rules, errors } = readAll((given, _, wrong) => rulesReader(given, "/rules", wrong), value)
  const [first, ...more] = errors
  if (first === undefined) return rules
  throw new Refusal(
    "RULE_INVALID",
    `${first.path.slice(0, 300)} ${first.message}${more.length > 0 ? `, and ${more.length} more` : ""}.`,
    { errors: errors.slice(0, ERRORS_MAX) },
  )
}
