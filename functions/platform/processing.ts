import type { OperatorSays } from "../../core/report/processing-record.ts"

const TEXT_MAX = 1_000
const LIST_MAX = 100

type Check = (value: unknown) => boolean

const isText: Check = (value) => typeof value === "string" && value !== "" && value.length <= TEXT_MAX
const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value)
const isList =
  (check: Check): Check =>
  (value) =>
    Array.isArray(value) && value.length <= LIST_MAX && value.every(check)

/** All of the required members, and no other than these. */
const hasTexts =
  (required: readonly string[], optional: readonly string[] = []): Check =>
  (value) =>
    isObject(value) &&
    required.every((name) => isText(value[name])) &&
    Object.entries(value).every(
      ([name, text]) => required.includes(name) || (optional.includes(name) && isText(text)),
    )

const MEMBERS: Readonly<Record<keyof OperatorSays, Check>> = {
  processor: isText,
  contact: isText,
  dataProtectionOfficer: isText,
  representative: isText,
  location: isText,
  subprocessors: isList(hasTexts(["name", "purpose", "country"], ["safeguards"])),
  transfers: isList(hasTexts(["country", "safeguards"])),
  securityMeasures: isList(isText),
}

/** What the operator says for records of processing. Throws an Error that names the member that is wrong. */
export const parseProcessing = (text: string): OperatorSays => {
  let says: unknown
  try {
    says = JSON.parse(text)
  } catch {
    throw new Error("is not JSON")
  }
  if (!isObject(says)) throw new Error("is not an object")
  for (const [name, value] of Object.entries(says))
    if (!(Object.hasOwn(MEMBERS, name) && MEMBERS[name as keyof OperatorSays](value)))
      throw new Error(`has a member ${name.slice(0, 50)} that is not what it should be`)
  return says as OperatorSays
}
