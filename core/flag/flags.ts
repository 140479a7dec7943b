import type { Context, Evaluation, FlagDefinition, Prerequisite, SimpleFlag } from "./definition.ts"
import { type CompiledFlag, compileFlag, NOT_FOUND, unmet } from "./flag.ts"

export type Definition = FlagDefinition | SimpleFlag

/** A flag may need so many others, and those what they need, together. */
const NEEDED_MAX = 100

interface Ready {
  flag: CompiledFlag
  /** How many flags are looked at for it, at most. */
  cost: number
  /** Why it cannot be told, for it and for whatever needs it. */
  problem?: string
}

/** All flags of one view. Each is compiled when it is first asked for. */
export class Flags {
  readonly #definitions: ReadonlyMap<string, Definition>
  readonly #ready = new Map<string, Ready>()

  constructor(definitions: ReadonlyMap<string, Definition>) {
    this.#definitions = definitions
  }

  get keys(): Iterable<string> {
    return this.#definitions.keys()
  }

  /** Never throws. `nowSeconds` is what `$flagd.timestamp` is. */
  evaluate(key: string, context: Context, nowSeconds: number): Evaluation {
    return (this.#ready.get(key) ?? this.#prepare(key, [])).flag(context, nowSeconds)
  }

  #prepare(key: string, path: readonly string[]): Ready {
    const known = this.#ready.get(key)
    const definition = this.#definitions.get(key)
    if (known || !definition) return known ?? ABSENT
    const ready = this.#prepared(key, definition, [...path, key])
    this.#ready.set(key, ready)
    return ready
  }

  #prepared(key: string, definition: Definition, path: readonly string[]): Ready {
    const { prerequisites = [] } = definition
    const flag = compileFlag(key, definition)
    if (prerequisites.length === 0) return { flag, cost: 1 }
    const circle = prerequisites.find((each) => path.includes(each.flag))
    if (circle) return broken(`its prerequisites go round in a circle: ${[...path, circle.flag].join(" → ")}`)
    const needed = prerequisites.map((each) => this.#prepare(each.flag, path))
    const problem = needed.find((each) => each.problem)?.problem
    const cost = needed.reduce((sum, each) => sum + each.cost, 1)
    if (problem) return broken(problem)
    if (cost > NEEDED_MAX) return broken(`it needs more than ${NEEDED_MAX} other flags`)
    return { flag: guarded(flag, unmet(definition), prerequisites, needed), cost }
  }
}

const ABSENT: Ready = { flag: () => NOT_FOUND, cost: 1 }

const broken = (problem: string): Ready => {
  const evaluation: Evaluation = {
    reason: "ERROR",
    errorCode: "PARSE_ERROR",
    errorMessage: problem,
    metadata: {},
  }
  return { flag: () => evaluation, cost: 1, problem }
}

const guarded = (
  flag: CompiledFlag,
  off: Evaluation,
  prerequisites: readonly Prerequisite[],
  needed: readonly Ready[],
): CompiledFlag => {
  return (context, nowSeconds) => {
    for (let index = 0; index < needed.length; index++) {
      const { variant } = needed[index]!.flag(context, nowSeconds)
      if (variant === undefined || !prerequisites[index]!.variants.includes(variant)) return off
    }
    return flag(context, nowSeconds)
  }
}
