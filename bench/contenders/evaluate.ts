// One contender of `npm run bench -- evaluate`, in a process of its own: it answers what its parent asks, one after the other.
import { ENTITIES, type Evaluator, PERCENTAGES, RULES_KEY } from "./evaluate-flags.ts"
import { floor, hotswap, hotswapClient } from "./evaluate-own.ts"
import { PEERS } from "./evaluate-peers.ts"

/** Which flags for which entities, by their numbers. */
export type Pairs = readonly (readonly [flag: number, entity: number])[]

export type Question =
  | { ask: "values"; pairs: Pairs }
  | { ask: "time" | "bytes"; pairs: Pairs; evaluations: number }

/** To `values` which are on, to `time` nanoseconds of CPU and to `bytes` bytes of heap, of one evaluation. */
export type Answer = readonly number[]

const [name = ""] = process.argv.slice(2)
const own: Record<string, () => Evaluator | Promise<Evaluator>> = {
  hotswap,
  "hotswap client": hotswapClient,
  floor,
}
const evaluator = await (own[name] ?? PEERS.find((peer) => peer.name === name)!.load)()

const contexts = ENTITIES.map((entity) => evaluator.contextOf(entity) as never)
/** The flag with rules comes after the percentages. */
const keys = [...PERCENTAGES.map(({ key }) => key), RULES_KEY]
const isAsync = evaluator.isOn(keys[0]!, contexts[0]!) instanceof Promise

const askedOf = (pairs: Pairs) => ({
  asked: pairs.map(([flag]) => keys[flag]!),
  of: pairs.map(([, entity]) => contexts[entity]!),
})

/** How many were on: nobody can leave out what has a result. */
const run = (asked: readonly string[], of: readonly never[], evaluations: number): number => {
  let on = 0
  for (let index = 0, at = 0; index < evaluations; index++) {
    if (evaluator.isOn(asked[at]!, of[at]!)) on++
    at = at + 1 === asked.length ? 0 : at + 1
  }
  return on
}

const runAwaiting = async (
  asked: readonly string[],
  of: readonly never[],
  count: number,
): Promise<number> => {
  let on = 0
  for (let index = 0, at = 0; index < count; index++) {
    if (await evaluator.isOn(asked[at]!, of[at]!)) on++
    at = at + 1 === asked.length ? 0 : at + 1
  }
  return on
}

const answer = async (question: Question): Promise<Answer> => {
  const { asked, of } = askedOf(question.pairs)
  if (question.ask === "values") {
    const values: number[] = []
    for (const [index, key] of asked.entries()) values.push((await evaluator.isOn(key, of[index]!)) ? 1 : 0)
    return values
  }
  const { ask, evaluations } = question
  if (ask === "bytes") globalThis.gc!()
  const bytes = process.memoryUsage().heapUsed
  const started = process.cpuUsage()
  const on = isAsync ? await runAwaiting(asked, of, evaluations) : run(asked, of, evaluations)
  // Not the clock's: what else runs on the machine would be measured, too.
  const { user, system } = process.cpuUsage(started)
  const used = process.memoryUsage().heapUsed - bytes
  return [(ask === "time" ? (user + system) * 1_000 : used) / evaluations, on / evaluations]
}

process.on("message", (question: Question) => {
  void answer(question).then((values) => process.send!(values))
})
process.once("disconnect", () => process.exit(0))
process.send!("ready")
