import type { Context, Evaluation, FlagDefinition, SimpleFlag } from "./definition.ts"
import { type CompiledFlag, compileFlag, failed } from "./flag.ts"
import { refillWork } from "./run.ts"

export type Definition = FlagDefinition | SimpleFlag

/** As much of a map as is needed: whoever has only texts parses one when it is asked for. */
export type Definitions = Pick<ReadonlyMap<string, Definition>, "get" | "keys">

/** A flag may need so many others, itself and those that they need among them. */
export const NEEDED_MAX = 100

const ABSENT = failed("FLAG_NOT_FOUND", "There is no such flag.")

/** All flags of one view. Each is compiled when it is first asked for. */
export class Flags {
  readonly #definitions: Definitions
  readonly #ready = new Map<string, CompiledFlag>()

  constructor(definitions: Definitions) {
    this.#definitions = definitions
  }

  get keys(): Iterable<string> {
    return this.#definitions.keys()
  }

  /** Never throws. `nowSeconds` is what `$flagd.timestamp` is. */
  evaluate(key: string, context: Context, nowSeconds: number): Evaluation {
    const flag = this.#ready.get(key) ?? this.#prepare(key)
    refillWork()
    return flag(context, nowSeconds)
  }

  #prepare(key: string): CompiledFlag {
    const definition = this.#definitions.get(key)
    if (!definition) return () => ABSENT
    let flag: CompiledFlag
    try {
      // Those that go round in a circle are too many, too.
      if (this.#left(key, NEEDED_MAX) < 0) throw new Error(`it needs more than ${NEEDED_MAX} flags`)
      const needed = definition.prerequisites?.map((each) => [each, this.#prepare(each.flag)] as const)
      refillWork()
      flag = compileFlag(key, definition, needed)
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
