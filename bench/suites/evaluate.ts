import { type ChildProcess, fork } from "node:child_process"
import type { Answer, Pairs, Question } from "../contenders/evaluate.ts"
import { ENTITIES, meetsRules, PERCENTAGES, RULES } from "../contenders/evaluate-flags.ts"
import { isInstalled, PEERS } from "../contenders/evaluate-peers.ts"
import { median, pairedRatio, round } from "../statistics.ts"
import type { Report, Suite } from "./suite.ts"

const ROUNDS = 15
const MILLIS_A_ROUND = 60
const WARM_UP_MILLIS = 1_500
/** So many of one flag, one entity pairs at most: those that all contenders agree on. */
const PAIRS_MAX = 2_000
/** Young objects may fill so much before anything is collected, so that what was made can be counted. */
const NURSERY_MIB = 1_024
const COUNTED = 100_000

/** A contender's process. */
class Contender {
  readonly name: string
  readonly #child: ChildProcess

  private constructor(name: string, child: ChildProcess) {
    this.name = name
    this.#child = child
  }

  static async start(name: string, execArgv: readonly string[]): Promise<Contender> {
    const script = new URL("../contenders/evaluate.ts", import.meta.url)
    const contender = new Contender(name, fork(script, [name], { execArgv: [...execArgv] }))
    await contender.#answer()
    return contender
  }

  ask(question: Question): Promise<Answer> {
    this.#child.send(question)
    return this.#answer() as Promise<Answer>
  }

  stop(): void {
    this.#child.disconnect()
  }

  #answer(): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const ended = (code: number | null) => reject(new Error(`${this.name} ended with ${code}`))
      this.#child.once("exit", ended)
      this.#child.once("message", (message) => {
        this.#child.off("exit", ended)
        resolve(message)
      })
    })
  }
}

const everyFlag = (): Pairs =>
  PERCENTAGES.flatMap((_, flag) => ENTITIES.map((_, entity) => [flag, entity] as const))

/** Hashes differ, so everybody is asked for everything, and those pairs are kept for which all say the same. */
const agreedPairs = async (contenders: readonly Contender[]): Promise<{ pairs: Pairs; onShare: number }> => {
  const all = everyFlag()
  const answers: Answer[] = []
  for (const contender of contenders) {
    const values = await contender.ask({ ask: "values", pairs: all })
    for (const [flag, { percentage }] of PERCENTAGES.entries()) {
      const of = values.slice(flag * ENTITIES.length, (flag + 1) * ENTITIES.length)
      const share = (of.reduce((sum, value) => sum + value, 0) / of.length) * 100
      if (Math.abs(share - percentage) > 8)
        throw new Error(`${contender.name} makes ${share} of the ${percentage} % of ${flag}`)
    }
    answers.push(values)
  }
  const agreed = all
    .map((pair, index) => ({ pair, index }))
    .filter(({ index }) => answers.every((values) => values[index] === answers[0]![index]))
  // Spread over all flags, in an order that is no flag's.
  const step = Math.max(1, Math.floor(agreed.length / PAIRS_MAX))
  const chosen = agreed
    .filter((_, index) => index % step === 0)
    .sort((a, b) => ((a.index * 7_919) % all.length) - ((b.index * 7_919) % all.length))
  const on = chosen.filter(({ index }) => answers[0]![index] === 1).length
  return { pairs: chosen.map(({ pair }) => pair), onShare: on / chosen.length }
}

const rulesPairs = async (contenders: readonly Contender[]): Promise<Pairs> => {
  const pairs: Pairs = ENTITIES.map((_, entity) => [PERCENTAGES.length, entity] as const)
  for (const contender of contenders) {
    const values = await contender.ask({ ask: "values", pairs })
    const wrong = values.findIndex((value, entity) => (value === 1) !== meetsRules(entity))
    if (wrong !== -1) throw new Error(`${contender.name} is wrong about entity ${wrong}`)
  }
  return pairs
}

const measure = async (contenders: readonly Contender[], pairs: Pairs): Promise<Map<string, number[]>> => {
  const counts = new Map<string, number>()
  for (const contender of contenders) {
    let [nanos = 1_000] = await contender.ask({ ask: "time", pairs, evaluations: 20_000 })
    const warmUp = Math.ceil((WARM_UP_MILLIS * 1e6) / nanos)
    ;[nanos = nanos] = await contender.ask({ ask: "time", pairs, evaluations: warmUp })
    counts.set(contender.name, Math.ceil((MILLIS_A_ROUND * 1e6) / nanos))
  }
  const times = new Map<string, number[]>(contenders.map(({ name }) => [name, []]))
  for (let index = 0; index < ROUNDS; index++)
    for (const contender of contenders) {
      const evaluations = counts.get(contender.name)!
      const [nanos] = await contender.ask({ ask: "time", pairs, evaluations })
      times.get(contender.name)!.push(nanos!)
    }
  return times
}

/** In another process, as there nothing is collected while it is counted. */
const bytesOf = async (name: string, pairs: Pairs): Promise<number> => {
  const nursery = [`--min-semi-space-size=${NURSERY_MIB}`, `--max-semi-space-size=${NURSERY_MIB}`]
  const contender = await Contender.start(name, ["--expose-gc", ...nursery])
  await contender.ask({ ask: "time", pairs, evaluations: 300_000 })
  const samples: number[] = []
  for (let index = 0; index < 5; index++) {
    const [bytes] = await contender.ask({ ask: "bytes", pairs, evaluations: COUNTED })
    samples.push(bytes!)
  }
  contender.stop()
  return median(samples)
}

const compare = async (
  report: Report,
  what: string,
  contenders: readonly Contender[],
  pairs: Pairs,
): Promise<void> => {
  const times = await measure(contenders, pairs)
  // The others are asked as applications ask them, and so compared with what applications ask of ours.
  const [ours, floor] = [times.get("hotswap client")!, times.get("floor")!]
  for (const { name } of contenders) {
    const nanos = times.get(name)!
    const isOwn = name.startsWith("hotswap")
    const ratio = round(pairedRatio(nanos, isOwn ? floor : ours))
    const bytes = Math.max(0, round(await bytesOf(name, pairs), 1))
    const values = { nanos: round(median(nanos), 1), bytes }
    const figure = { suite: "evaluate", name: `${what}: ${name}` }
    if (name === "hotswap") {
      const text = "≤ 2 × the floor, nothing allocated"
      report.figure({
        ...figure,
        values: { ...values, timesTheFloor: ratio },
        goal: { text, met: ratio <= 2 && bytes < 1 },
      })
    } else if (isOwn) report.figure({ ...figure, values: { ...values, timesTheFloor: ratio } })
    else if (name === "floor") report.figure({ ...figure, values })
    else {
      const goal = { text: "at least 4 × as long as our client", met: ratio >= 4 }
      report.figure({ ...figure, values: { ...values, timesOurs: ratio }, goal })
    }
  }
}

/** Nanoseconds and bytes of one evaluation in process, ours beside others' and the least there can be. */
export const evaluate: Suite = {
  name: "evaluate",
  run: async (report) => {
    const peers = PEERS.filter(({ from }) => isInstalled(from))
    if (peers.length < PEERS.length) {
      const absent = PEERS.filter((peer) => !peers.includes(peer)).map(({ name }) => name)
      console.log(
        `Not installed, so left out: ${absent.join(", ")}. Install them: npm ci --prefix bench/peers`,
      )
    }
    const contenders: Contender[] = []
    for (const name of ["hotswap", "hotswap client", "floor", ...peers.map((peer) => peer.name)])
      contenders.push(await Contender.start(name, []))
    const { pairs, onShare } = await agreedPairs(contenders)
    console.log(
      `${contenders.length} contenders agree on ${pairs.length} flags of entities, ${Math.round(onShare * 100)} % on`,
    )
    await compare(report, "one of 100 percentages", contenders, pairs)
    await compare(report, `${RULES.length} rules`, contenders, await rulesPairs(contenders))
    for (const contender of contenders) contender.stop()
  },
}
