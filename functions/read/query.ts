import { type FieldError, Refusal } from "../../core/errors.ts"
import { misspeltParameter, type ViewParameter } from "../../core/release/view-parameters.ts"

/** The parameters of the hot read, decoded, none of them judged. */
export type Query = Record<ViewParameter, string | null>

const NONE: Query = {
  environment: null,
  key: null,
  targetingKey: null,
  arms: null,
  asOf: null,
  detail: null,
  preview: null,
}

const NEEDS_DECODING = /[%+]/

export const queryRefusal = (path: string, message: string): Refusal => {
  const errors: FieldError[] = [{ path, message }]
  return new Refusal("QUERY_INVALID", `\`${path}\` ${message}.`, { errors })
}

const decode = (text: string): string => {
  if (!NEEDS_DECODING.test(text)) return text
  try {
    return decodeURIComponent(text.replaceAll("+", " "))
  } catch {
    throw new Refusal("QUERY_INVALID", "The query is not percent-encoded UTF-8.")
  }
}

const isKnown = (name: string): name is keyof Query => Object.hasOwn(NONE, name)

const checkUnknown = (name: string): void => {
  const meant = misspeltParameter(name)
  if (meant !== null) throw queryRefusal(name, `is not known; \`${meant}\` is`)
}

/** Reads a raw query string; other parameters are ignored. Throws QUERY_INVALID for one that is given twice, or nearly right. */
export const readQuery = (raw: string): Query => {
  const query: Query = { ...NONE }
  let from = 0
  while (from < raw.length) {
    let end = raw.indexOf("&", from)
    if (end === -1) end = raw.length
    const equals = raw.indexOf("=", from)
    const nameEnd = equals === -1 || equals > end ? end : equals
    const name = decode(raw.slice(from, nameEnd))
    if (isKnown(name)) {
      if (query[name] !== null) throw queryRefusal(name, "is given twice")
      query[name] = nameEnd === end ? "" : decode(raw.slice(nameEnd + 1, end))
    } else checkUnknown(name)
    from = end + 1
  }
  return query
}
