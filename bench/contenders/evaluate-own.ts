import type { Context } from "../../core/flag/definition.ts"
import { type Definition, Flags } from "../../core/flag/flags.ts"
import type { Json } from "../../core/json.ts"
import { HotswapClient } from "../../sdk/src/index.ts"
import {
  type Condition,
  type Entity,
  type Evaluator,
  PERCENTAGES,
  RULES,
  RULES_KEY,
} from "./evaluate-flags.ts"

const contextOf = ({ id, attributes }: Entity): Context => ({ targetingKey: id, ...attributes })

/** A condition in JSON Logic, as flagd and Hotswap have it. */
const logicOf = (condition: Condition): Json => {
  const attribute = { var: condition.attribute }
  if ("is" in condition) return { "==": [attribute, condition.is] }
  return "oneOf" in condition
    ? { in: [attribute, [...condition.oneOf]] }
    : { ends_with: [attribute, condition.endsWith] }
}

/** In flagd's format, its percentages in `fractional`. */
export const flagdFlags = (): Record<string, Definition> => {
  const variants = { on: true, off: false }
  const rules = RULES.flatMap((condition): Json[] => [logicOf(condition), "on"])
  return {
    ...Object.fromEntries(
      PERCENTAGES.map(({ key, percentage }): [string, Definition] => [
        key,
        {
          state: "ENABLED",
          variants,
          defaultVariant: "off",
          targeting: {
            fractional: [
              ["on", percentage],
              ["off", 100 - percentage],
            ],
          },
        },
      ]),
    ),
    [RULES_KEY]: { state: "ENABLED", variants, defaultVariant: "off", targeting: { if: [...rules, "off"] } },
  }
}

const NOW_SECONDS = 1_700_000_000

/** Percentages in the short form, as they are stored. */
const ownFlags = (): Record<string, Definition> => {
  const short = PERCENTAGES.map(({ key, percentage }): [string, Definition] => [
    key,
    { enabled: true, percentage, ...{ state: "ENABLED", variants: { on: true, off: false } } },
  ])
  return { ...flagdFlags(), ...Object.fromEntries(short) }
}

/** What applications call, as of most of the others: a client, here with what it would have read from the service. */
export const hotswapClient = async (): Promise<Evaluator> => {
  const snapshot = { tenantId: "bench", environment: "Production", revision: "1.0.0.1", view: "0" }
  const client = new HotswapClient({
    url: "http://127.0.0.1:9",
    token: "none",
    tenantId: "bench",
    bootstrap: { ...snapshot, configs: ownFlags() as unknown as Record<string, Json>, candidate: null },
    stream: false,
    report: false,
    fetch: () => new Promise(() => {}),
  })
  await client.ready()
  return { contextOf, isOn: (key, context: Context) => client.isEnabled(key, context) }
}

export const hotswap = (): Evaluator => {
  const flags = new Flags(new Map(Object.entries(ownFlags())))
  return {
    contextOf,
    isOn: (key, context: Context) => flags.evaluate(key, context, NOW_SECONDS).value === true,
  }
}

// The floor: what remains if somebody writes these very flags by hand, still as closures, and murmur3 for strings of ASCII.

interface Outcome {
  value: boolean
}
const ON: Outcome = Object.freeze({ value: true })
const OFF: Outcome = Object.freeze({ value: false })

const rotated = (value: number, bits: number): number => (value << bits) | (value >>> (32 - bits))
const mixed = (block: number): number => Math.imul(rotated(Math.imul(block, 0xcc9e2d51), 15), 0x1b873593)

/** Hashes `head` once, and whatever follows it each time. */
const murmur3 = (head: string): ((text: string) => number) => {
  const step = (hash: number, block: number): number =>
    (Math.imul(rotated(hash ^ mixed(block), 13), 5) + 0xe6546b64) | 0
  let start = 0
  const whole = head.length & ~3
  for (let i = 0; i < whole; i += 4)
    start = step(
      start,
      head.charCodeAt(i) |
        (head.charCodeAt(i + 1) << 8) |
        (head.charCodeAt(i + 2) << 16) |
        (head.charCodeAt(i + 3) << 24),
    )
  const rest = head.slice(whole)
  let begun = 0
  for (let i = rest.length; i-- > 0; ) begun = (begun << 8) | rest.charCodeAt(i)
  return (text) => {
    let hash = start
    let block = begun
    let bits = rest.length * 8
    for (let i = 0; i < text.length; i++) {
      block |= text.charCodeAt(i) << bits
      bits += 8
      if (bits === 32) {
        hash = step(hash, block)
        block = 0
        bits = 0
      }
    }
    hash ^= mixed(block)
    hash ^= head.length + text.length
    hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
    hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
    return hash ^ (hash >>> 16)
  }
}

type Test = (attributes: Readonly<Record<string, string>>) => boolean

const testOf = (condition: Condition): Test => {
  const { attribute } = condition
  if ("is" in condition) {
    const { is } = condition
    return (attributes) => attributes[attribute] === is
  }
  if ("oneOf" in condition) {
    const values = new Set(condition.oneOf)
    return (attributes) => values.has(attributes[attribute]!)
  }
  const { endsWith } = condition
  return (attributes) => attributes[attribute]!.endsWith(endsWith)
}

export const floor = (): Evaluator => {
  type Flag = (context: Readonly<Record<string, string>>) => Outcome
  const flags = new Map<string, Flag>()
  for (const { key, percentage } of PERCENTAGES) {
    const hash = murmur3(key)
    const below = Math.ceil((percentage * 0x1_0000_0000) / 100)
    flags.set(key, (context) => (hash(context.targetingKey!) >>> 0 < below ? ON : OFF))
  }
  const tests = RULES.map(testOf)
  flags.set(RULES_KEY, (context) => {
    for (let index = 0; index < tests.length; index++) if (tests[index]!(context)) return ON
    return OFF
  })
  return {
    contextOf,
    isOn: (key, context: Readonly<Record<string, string>>) => flags.get(key)!(context).value,
  }
}
