import fc from "fast-check"
import { expect } from "vitest"
import type { JsonObject } from "../../../core/json.ts"
import { must } from "../manage/world.ts"
import type { RestoreWorld } from "./into-world.ts"

const ENVIRONMENT = "Development"
const KEYS = ["a", "b.c", "d", "e", "f"]
const FLAG = "flag"

/** What may happen to a tenant; what is refused, such as deleting what is not there, happens to nobody. */
const step = fc.oneof(
  fc.record({
    kind: fc.constant("set" as const),
    key: fc.constantFrom(...KEYS),
    value: fc.oneof(fc.string({ maxLength: 20 }), fc.integer(), fc.constant({ deep: ["é", null] })),
    secret: fc.constantFrom(undefined, true, false),
    schema: fc.constantFrom(undefined, null, { type: ["string", "integer", "object"] }, { type: "string" }),
    description: fc.constantFrom(undefined, null, "said"),
    owner: fc.constantFrom(undefined, "web"),
    locked: fc.constantFrom(undefined, true, false),
  }),
  fc.record({ kind: fc.constant("delete" as const), key: fc.constantFrom(...KEYS, FLAG) }),
  fc.record({ kind: fc.constant("flag" as const), percentage: fc.integer({ min: 0, max: 100 }) }),
  fc.record({ kind: fc.constant("restore" as const), to: fc.nat(1_000) }),
)
type Step = typeof step extends fc.Arbitrary<infer S> ? S : never

/** One instant of a tenant's history, and all of what was to be read then. */
interface Moment {
  at: string
  values: JsonObject
  configs: JsonObject[]
  secrets: JsonObject
}

const told = ({ key, schema, description, owner, locked, secret }: JsonObject): JsonObject =>
  ({ key, schema, description, owner, locked, secret }) as JsonObject

/** What there is to read now: by the read function as readers do, in the list of configs, and of secrets the plain text. */
const readNow = async (world: RestoreWorld, tenantId: string, at: string | null) => {
  const configs = Object.values(await world.configs(tenantId, ENVIRONMENT))
  const secrets: JsonObject = {}
  for (const { key, configId, secret } of configs)
    if (secret === true)
      secrets[String(key)] = (await must(world.call("GET", `/api/v1/configs/${configId}/secret`), 200)).body
        .value as string
  return { values: await world.read(tenantId, ENVIRONMENT, at), configs: configs.map(told), secrets }
}

const take = async (world: RestoreWorld, tenantId: string, done: Step, moments: readonly Moment[]) => {
  switch (done.kind) {
    case "set": {
      const { kind: _, ...edit } = done
      return world.call("POST", "/api/v1/changes", {
        body: { tenantId, environment: ENVIRONMENT, edits: [edit] },
      })
    }
    case "delete":
      return world.call("DELETE", `/api/v1/configs/${tenantId}:${ENVIRONMENT}:${done.key}`)
    case "flag":
      return world.call("PUT", `/api/v1/tenants/${tenantId}/flags/${FLAG}?environment=${ENVIRONMENT}`, {
        body: { enabled: true, percentage: done.percentage },
      })
    case "restore":
      return restoreTo(world, tenantId, moments[done.to % moments.length]!)
  }
}

const withoutNumbers = (values: JsonObject): JsonObject =>
  Object.fromEntries(
    Object.entries(values).map(([key, value]) => [
      key,
      typeof value === "object" && value !== null && "$secret" in value ? "secret" : value,
    ]),
  )

/** Restores as of then; what is to be read afterwards is what was to be read then. */
const restoreTo = async (world: RestoreWorld, tenantId: string, moment: Moment): Promise<void> => {
  const body = { asOf: moment.at, environments: [ENVIRONMENT] }
  const { [ENVIRONMENT]: restored } = await world.restoreAsOf(tenantId, body)
  expect(["live", "unchanged"]).toContain(restored!.state)
  const now = await readNow(world, tenantId, null)
  // A secret that had to be sealed anew has another number; what it is, is compared.
  expect(withoutNumbers(now.values)).toEqual(withoutNumbers(moment.values))
  expect(withoutNumbers(await world.read(tenantId, ENVIRONMENT, moment.at))).toEqual(
    withoutNumbers(now.values),
  )
  expect(now.configs).toEqual(moment.configs)
  expect(now.secrets).toEqual(moment.secrets)
  const again = await world.restoreAsOf(tenantId, body)
  expect(again[ENVIRONMENT]).toMatchObject({ changeId: null, state: "unchanged", set: 0, deleted: 0 })
}

/** Random histories of tenants of their own, each restored as of some of its moments. Returns how many restores there were. */
export const restoreHistories = async (
  world: RestoreWorld,
  options: { histories: number; steps: number; restores: number; seed: number },
): Promise<number> => {
  const { steps, restores } = options
  const history = fc.record({
    steps: fc.array(step, { minLength: steps, maxLength: steps }),
    to: fc.array(fc.nat(1_000), { minLength: restores, maxLength: restores }),
  })
  let count = 0
  for (const [nth, { steps: all, to }] of fc
    .sample(history, { numRuns: options.histories, seed: options.seed })
    .entries()) {
    const tenantId = `history-${options.seed}-${nth}`
    await must(world.call("POST", "/api/v1/tenants", { body: { tenantId, name: tenantId } }), 201)
    const moments: Moment[] = []
    const remember = async () => {
      const at = await world.instant()
      moments.push({ at, ...(await readNow(world, tenantId, at)) })
    }
    await remember()
    for (const one of all) {
      await take(world, tenantId, one, moments)
      await remember()
    }
    for (const choice of to) {
      await restoreTo(world, tenantId, moments[choice % moments.length]!)
      count++
    }
  }
  return count
}
