import type { Context, Evaluation, FlagDefinition, SimpleFlag } from "./definition.ts"
import { type CompiledFlag, compileFlag, failed } from "./flag.ts"
import type { Rules } from "./rules.ts"

export type Definition = FlagDefinition | SimpleFlag

/** As much of a map as is needed: whoever has only texts parses one when it is asked for. */
export type Definitions = Pick<ReadonlyMap<string, Definition>, "get" | "keys">

/** A flag may need so many others, itself and those that they need among them. */
export const NEEDED_MAX = 100

const ABSENT = failed("FLAG_NOT_FOUND", "There is no such flag.")

/** All flags of one view. Each is compiled when it is first asked for. */
export class FlagSet {
  readonly #definitions: Definitions
  readonly #rules: Rules
  readonly #ready = new Map<string, CompiledFlag>()

  constructor(definitions: Definitions, rules: Rules) {
    this.#definitions = definitions
    this.#rules = rules
  }

  get keys(): Iterable<string> {
    return this.#definitions.keys()
  }

  /** Never throws. `nowSeconds` is what `$flagd.timestamp` is. */
  evaluate(key: string, context: Context, nowSeconds: number): Evaluation {
    const flag = this.#ready.get(key) ?? this.#prepare(key)
    this.#rules.refillWork()
    return flag(context, nowSeconds)
  }

  #prepare(key: string): CompiledFlag {
    const definition = this.#definitions.get(key)
    if (!definition) return () => ABSENT
    let flag: CompiledFlag
    try {
      // Those that go round in a circle are too many, too.
      if (this.#left(key, NEEDED_MAX) < 0) throw new Error(`it needs more than ${NEEDED_MAX} flags`)
      const needed = definition.prerequisites?.map(
        (each) => [each, this.#ready.get(each.flag) ?? this.#prepare(each.flag)] as const,
      )
      this.#rules.refillWork()
      flag = compileFlag(key, definition, this.#rules, needed)
    } catch (error) {
      const broken = failed("PARSE_ERROR", (error as Error).message, definition.metadata)
      flag = () => broken
    }
    this.#ready.set(key, flag)
    return flag
  }

  /** Of so many, when it and all that it needs have been counted, those once more that several need. */
  #left(key: string, most: number): number {
    let left = most - 1
    for (const { flag } of this.#definitions.get(key)?.prerequisites ?? [])
      if (left >= 0) left = this.#left(flag, left)
    return left
  }
}
