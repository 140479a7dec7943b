import { PROBLEMS, type ProblemCode, Refusal } from "../errors.ts"
import { byteLength, type Json, type JsonObject, parseJson } from "../json.ts"
import { problemDocument, problemHeaders } from "../problem.ts"
import type { Context, Evaluation, FlagErrorCode } from "./definition.ts"
import { type Definition, type Definitions, Flags } from "./flags.ts"
import { isFlag } from "./is-flag.ts"
import { partsOf } from "./rule-size.ts"
import { workSpent } from "./run.ts"

// The OpenFeature Remote Evaluation Protocol 0.3 (github.com/open-feature/protocol, service/openapi.yaml), but for HTTP itself.

const FLAGS_PATH = "/ofrep/v1/evaluate/flags"
/** A request's body, which is little more than a context: some hundred bytes of it are usual. */
export const CONTEXT_BYTES_MAX = 262_144

/** What is asked of a path of the protocol's: all flags, or the one of this key. `null`: another path. */
export const parseOfrepPath = (path: string): { key: string | null } | null => {
  if (path === FLAGS_PATH) return { key: null }
  if (!path.startsWith(`${FLAGS_PATH}/`)) return null
  const text = path.slice(FLAGS_PATH.length + 1)
  // Some clients send a key as it is: with a slash in it there is no such flag, rather than no such route.
  return text === "" ? null : { key: decoded(text) }
}

const decoded = (text: string): string => {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

export const contextTooLarge = (): Refusal =>
  new Refusal("CONTEXT_TOO_LARGE", `The body is longer than ${CONTEXT_BYTES_MAX} bytes.`)

const invalid = (path: string, message: string): Refusal =>
  new Refusal("BODY_INVALID", `Not as expected: ${path} ${message}.`, { errors: [{ path, message }] })

const isObject = (value: Json | undefined): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** The context out of a request's body. Throws a Refusal; what may be wrong with JSON stands at `parseJson`. */
export const parseContext = (body: string): Context => {
  if (body.length > CONTEXT_BYTES_MAX || byteLength(body) > CONTEXT_BYTES_MAX) throw contextTooLarge()
  const value = parseJson(body)
  if (!isObject(value)) throw invalid("/", "is not an object")
  const { context } = value
  if (!isObject(context)) throw invalid("/context", "is not an object")
  return context
}

/** Whom the context is about, for picking the arm: a number is the entity that is called so. */
export const subjectOf = ({ targetingKey }: Context): string | null =>
  typeof targetingKey === "string" || typeof targetingKey === "number" ? String(targetingKey) || null : null

/** An answer's status and JSON text. */
export interface Told {
  status: 200 | 400 | 404
  body: string
}

/** After so many flags, or so much work, whoever evaluates them all lets others have a turn. */
const SLICE = 250
const SLICE_WORK = 100_000
/** What evaluating all flags may cost together: what a context makes of many rules must not keep a process busy. */
const ALL_WORK_MAX = 5_000_000

const TOO_MUCH: Evaluation = {
  reason: "ERROR",
  errorCode: "GENERAL",
  errorMessage: "All flags together are too much work for this context.",
  metadata: {},
}

/** Rules of so many parts are kept ready of one view, some 50 MB at the worst. Beyond that they are made ready anew. */
const READY_PARTS_MAX = 500_000

/** The flags of one view, evaluated as the protocol words it. Parses and compiles a flag when it is first asked for. */
export class RemoteFlags {
  readonly #members: ReadonlyMap<string, string>
  readonly #keys: readonly string[]
  #flags: Flags
  #readyParts = 0
  /** What an evaluation says of a flag, as text: there are only so many, and they are shared. */
  readonly #texts = new WeakMap<Evaluation, string>()
  /** Does any rule read the time? Then the same flags do not say the same for ever. */
  readonly isTimed: boolean
  /** How long all definitions are together, in characters. */
  readonly characters: number
  /** And all of the view, which is kept as long as they are: its members are parts of one text. */
  readonly viewCharacters: number

  /** `members`: the view, key to the text of its value, which is canonical JSON. */
  constructor(members: ReadonlyMap<string, string>) {
    const keys: string[] = []
    let characters = 0
    let viewCharacters = 0
    let isTimed = false
    for (const [key, text] of members) {
      viewCharacters += key.length + text.length
      if (!mayBeFlag(text)) continue
      keys.push(key)
      characters += text.length
      isTimed ||= READS_TIME.test(text)
    }
    this.#keys = keys
    this.isTimed = isTimed
    this.characters = characters
    this.viewCharacters = viewCharacters
    this.#members = members
    this.#flags = this.#fresh()
  }

  /** How many parts the rules have that are kept ready: what they take in memory goes by that. */
  get readyParts(): number {
    return this.#readyParts
  }

  #fresh(): Flags {
    const counted = new Set<string>()
    this.#readyParts = 0
    const read = (key: string, definition: Definition): void => {
      if (counted.has(key)) return
      counted.add(key)
      this.#readyParts += partsOf(definition)
    }
    return new Flags(definitionsOf(this.#keys, this.#members, read))
  }

  #evaluate(key: string, context: Context, nowSeconds: number): Evaluation {
    if (this.#readyParts > READY_PARTS_MAX) this.#flags = this.#fresh()
    return this.#flags.evaluate(key, context, nowSeconds)
  }

  one(key: string, context: Context, nowSeconds: number): Told {
    const evaluation = this.#evaluate(key, context, nowSeconds)
    const { errorCode } = evaluation
    const status = errorCode === undefined ? 200 : errorCode === "FLAG_NOT_FOUND" ? 404 : 400
    return { status, body: this.#text(key, evaluation) }
  }

  /** All of them, as a JSON array's text; stops for a turn now and then. */
  *all(context: Context, nowSeconds: number): Generator<undefined, string> {
    let text = ""
    let workLeft = ALL_WORK_MAX
    let slice = 0
    for (const key of this.#keys) {
      const isTooMuch = workLeft < 0
      const evaluation = isTooMuch ? TOO_MUCH : this.#evaluate(key, context, nowSeconds)
      const work = isTooMuch ? 0 : workSpent()
      workLeft -= work
      slice += 1 / SLICE + work / SLICE_WORK
      if (evaluation.errorCode !== "FLAG_NOT_FOUND")
        text += text === "" ? this.#text(key, evaluation) : `,${this.#text(key, evaluation)}`
      if (slice < 1) continue
      slice = 0
      yield
    }
    return `[${text}]`
  }

  #text(key: string, evaluation: Evaluation): string {
    const known = this.#texts.get(evaluation)
    if (known !== undefined) return known
    const text = JSON.stringify(toldOf(key, evaluation))
    // Of every key these are one and the same evaluation.
    if (evaluation.errorCode !== "FLAG_NOT_FOUND" && evaluation !== TOO_MUCH)
      this.#texts.set(evaluation, text)
    return text
  }
}

/** Cheaper than parsing every config to find that it is none; `isFlag` has the last word. */
const mayBeFlag = (text: string): boolean =>
  text.startsWith("{") && text.includes('"state":"') && text.includes('"variants":{')

/** The time by its name, or by a name that is put together. The flag's key, which is beside it, stays what it is. */
const READS_TIME = /\$flagd(?!\.flagKey")|"var":\[?\{/

/** As much of a map as flags need, that is read one by one. */
const definitionsOf = (
  keys: readonly string[],
  members: ReadonlyMap<string, string>,
  read: (key: string, definition: Definition) => void,
): Definitions => ({
  keys: () => keys.values(),
  get: (key) => {
    const text = members.get(key)
    if (text === undefined || !mayBeFlag(text)) return undefined
    const value = JSON.parse(text) as Json
    if (!isFlag(value)) return undefined
    read(key, value)
    return value
  },
})

const isPlain = (value: Json): boolean => ["string", "number", "boolean"].includes(typeof value)

/** The protocol's metadata are flat. */
const metadataOf = (metadata: JsonObject): { metadata?: JsonObject } => {
  const plain = Object.entries(metadata).filter(([, value]) => isPlain(value))
  return plain.length === 0 ? {} : { metadata: Object.fromEntries(plain) }
}

const toldOf = (key: string, evaluation: Evaluation): JsonObject => {
  const { reason, value, variant, errorCode, errorMessage, metadata } = evaluation
  if (errorCode !== undefined)
    return {
      key: key.slice(0, SHOWN_MAX),
      errorCode,
      ...(errorMessage === undefined ? {} : { errorDetails: errorMessage }),
      ...metadataOf(metadata),
    }
  return {
    key,
    // Without a value the caller's own default stands.
    ...(value === undefined ? {} : { value }),
    reason,
    ...(variant === undefined ? {} : { variant }),
    ...metadataOf(metadata),
  }
}

const SHOWN_MAX = 200
/** The statuses of which the protocol says how the body looks; of others it says none, and ours is as everywhere. */
const WORDED = [400, 404, 500]

const NOT_JSON: readonly ProblemCode[] = [
  "BODY_NOT_JSON",
  "JSON_NUL",
  "JSON_LONE_SURROGATE",
  "JSON_NUMBER_INEXACT",
  "JSON_DUPLICATE_KEY",
]
const OF_CONTEXT: readonly ProblemCode[] = [
  "BODY_INVALID",
  "CONTEXT_TOO_LARGE",
  "JSON_TOO_DEEP",
  "JSON_TOO_MANY",
]

const errorCodeOf = (code: ProblemCode): FlagErrorCode => {
  if (NOT_JSON.includes(code)) return "PARSE_ERROR"
  return OF_CONTEXT.includes(code) ? "INVALID_CONTEXT" : "GENERAL"
}

/** A refusal in the protocol's shape, with what a problem document says besides. `key`: of the flag that was asked for. */
export const ofrepRefusal = (
  refusal: Refusal,
  key: string | null,
  instance: string,
): { status: number; headers: Record<string, string>; body: string } => {
  const { status } = PROBLEMS[refusal.code]
  const headers = { ...problemHeaders(refusal.code), ...refusal.headers }
  if (WORDED.includes(status)) headers["content-type"] = "application/json; charset=utf-8"
  const body = {
    ...(key === null ? {} : { key: key.slice(0, SHOWN_MAX) }),
    errorCode: errorCodeOf(refusal.code),
    errorDetails: refusal.message,
    ...problemDocument(refusal, instance),
  }
  return { status, headers, body: JSON.stringify(body) }
}
