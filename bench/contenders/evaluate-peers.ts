// The others, offline and with nothing to report to. They are installed apart: npm ci --prefix bench/peers
import { createRequire } from "node:module"
import {
  type Condition,
  type Entity,
  type Evaluator,
  PERCENTAGES,
  RULES,
  RULES_KEY,
} from "./evaluate-flags.ts"
import { flagdFlags } from "./evaluate-own.ts"

const require = createRequire(new URL("../peers/package.json", import.meta.url))

/** Everything evaluates in memory; this is where nothing listens, for those that want a name all the same. */
const NOWHERE = "http://127.0.0.1:9"

const load = <Module>(name: string): Module => require(name) as Module

/** The file that somebody who loads it gets; `null`: it is not installed. */
export const pathOf = (name: string): string | null => {
  try {
    return require.resolve(name)
  } catch {
    return null
  }
}
export const isInstalled = (name: string): boolean => pathOf(name) !== null

interface FlagdCore {
  setConfigurations(flags: string): void
  resolveBooleanEvaluation(key: string, otherwise: boolean, context: unknown): { value: boolean }
}

const flagd = (disableDynamicCodeGeneration: boolean): Evaluator => {
  const { FlagdCore } = load<{
    FlagdCore: new (storage: undefined, logger: undefined, options: object) => FlagdCore
  }>("@openfeature/flagd-core")
  const core = new FlagdCore(undefined, undefined, { disableDynamicCodeGeneration })
  core.setConfigurations(JSON.stringify({ flags: flagdFlags() }))
  return {
    contextOf: ({ id, attributes }) => ({ targetingKey: id, ...attributes }),
    isOn: (key, context) => core.resolveBooleanEvaluation(key, false, context).value,
  }
}

const unleashConstraint = (condition: Condition): object => {
  const contextName = condition.attribute
  if ("endsWith" in condition) return { contextName, operator: "STR_ENDS_WITH", values: [condition.endsWith] }
  return { contextName, operator: "IN", values: "is" in condition ? [condition.is] : condition.oneOf }
}

const unleash = async (): Promise<Evaluator> => {
  interface Unleash {
    on(event: string, listener: () => void): void
    isEnabled(key: string, context: unknown): boolean
  }
  const { Unleash, InMemStorageProvider } = load<{
    Unleash: new (options: object) => Unleash
    InMemStorageProvider: new () => object
  }>("unleash-client")
  const rollout = PERCENTAGES.map(({ key, percentage }) => ({
    name: key,
    enabled: true,
    strategies: [
      {
        name: "flexibleRollout",
        parameters: { rollout: String(percentage), stickiness: "userId", groupId: key },
        constraints: [],
      },
    ],
  }))
  const rules = {
    name: RULES_KEY,
    enabled: true,
    strategies: RULES.map((condition) => ({
      name: "default",
      parameters: {},
      constraints: [unleashConstraint(condition)],
    })),
  }
  const client = new Unleash({
    appName: "bench",
    url: NOWHERE,
    refreshInterval: 0,
    disableMetrics: true,
    skipInstanceCountWarning: true,
    storageProvider: new InMemStorageProvider(),
    bootstrap: { data: [...rollout, rules] },
  })
  client.on("error", () => {})
  client.on("warn", () => {})
  await new Promise<void>((resolve) => client.on("ready", resolve))
  return {
    contextOf: ({ id, attributes }: Entity) => ({ userId: id, properties: attributes }),
    isOn: (key, context) => client.isEnabled(key, context),
  }
}

const growthbookCondition = (condition: Condition): object => {
  if ("is" in condition) return { [condition.attribute]: condition.is }
  if ("oneOf" in condition) return { [condition.attribute]: { $in: condition.oneOf } }
  return { [condition.attribute]: { $regex: `${condition.endsWith.replaceAll(".", "\\.")}$` } }
}

const growthbook = (): Evaluator => {
  interface GrowthBookClient {
    initSync(options: object): void
    isOn(key: string, context: unknown): boolean
  }
  const { GrowthBookClient } = load<{ GrowthBookClient: new () => GrowthBookClient }>(
    "@growthbook/growthbook",
  )
  const client = new GrowthBookClient()
  const features = {
    ...Object.fromEntries(
      PERCENTAGES.map(({ key, percentage }) => [
        key,
        {
          defaultValue: false,
          rules: [{ force: true, coverage: percentage / 100, hashAttribute: "id", seed: key }],
        },
      ]),
    ),
    [RULES_KEY]: {
      defaultValue: false,
      rules: RULES.map((condition) => ({ condition: growthbookCondition(condition), force: true })),
    },
  }
  client.initSync({ payload: { features } })
  return {
    contextOf: ({ id, attributes }) => ({ attributes: { id, ...attributes } }),
    isOn: (key, context) => client.isOn(key, context),
  }
}

const launchdarklyClause = (condition: Condition): object => {
  const to = { contextKind: "user", attribute: condition.attribute, negate: false }
  if ("endsWith" in condition) return { ...to, op: "endsWith", values: [condition.endsWith] }
  return { ...to, op: "in", values: "is" in condition ? [condition.is] : condition.oneOf }
}

/** Its only way to ask answers with a promise, and that is what is measured. */
const launchdarkly = async (): Promise<Evaluator> => {
  interface Client {
    waitForInitialization(options: object): Promise<unknown>
    boolVariation(key: string, context: unknown, otherwise: boolean): Promise<boolean>
  }
  const { init, basicLogger } = load<{
    init(key: string, options: object): Client
    basicLogger(options: object): object
  }>("@launchdarkly/node-server-sdk")
  const { TestData } = load<{
    TestData: new () => { usePreconfiguredFlag(flag: object): Promise<unknown>; getFactory(): unknown }
  }>("@launchdarkly/node-server-sdk/integrations")
  const data = new TestData()
  const whole = {
    version: 1,
    on: true,
    variations: [true, false],
    offVariation: 1,
    salt: "bench",
    targets: [],
  }
  for (const { key, percentage } of PERCENTAGES) {
    const variations = [
      { variation: 0, weight: percentage * 1_000 },
      { variation: 1, weight: (100 - percentage) * 1_000 },
    ]
    await data.usePreconfiguredFlag({ ...whole, key, rules: [], fallthrough: { rollout: { variations } } })
  }
  await data.usePreconfiguredFlag({
    ...whole,
    key: RULES_KEY,
    rules: RULES.map((condition, index) => ({
      id: `rule-${index}`,
      variation: 0,
      clauses: [launchdarklyClause(condition)],
    })),
    fallthrough: { variation: 1 },
  })
  const client = init("sdk-bench", {
    updateProcessor: data.getFactory(),
    sendEvents: false,
    diagnosticOptOut: true,
    logger: basicLogger({ level: "none" }),
  })
  await client.waitForInitialization({ timeout: 10 })
  return {
    contextOf: ({ id, attributes }) => ({ kind: "user", key: id, ...attributes }),
    isOn: (key, context) => client.boolVariation(key, context, false),
  }
}

export interface Peer {
  name: string
  /** The package it comes from. */
  from: string
  load(): Evaluator | Promise<Evaluator>
}

export const PEERS: readonly Peer[] = [
  { name: "flagd-core", from: "@openfeature/flagd-core", load: () => flagd(false) },
  { name: "flagd-core without code generation", from: "@openfeature/flagd-core", load: () => flagd(true) },
  { name: "unleash-client", from: "unleash-client", load: unleash },
  { name: "growthbook", from: "@growthbook/growthbook", load: growthbook },
  { name: "launchdarkly", from: "@launchdarkly/node-server-sdk", load: launchdarkly },
]
