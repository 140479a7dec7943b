import { type Chance, chanceOf } from "./chance.ts"
import type { Sent } from "./client.ts"
import type { Document, Operation, Parameter } from "./document.ts"
import { faulty, NAUGHTY } from "./faults.ts"
import { HEAVY, MONSTROUS } from "./heavy.ts"
import { hostileHeaders, hostilePath } from "./hostile.ts"
import { ENVIRONMENTS, type KnownChange, type Scene } from "./scene.ts"
import { valid, type Wanted } from "./values.ts"
import { isEnding, OF_TENANTS, strangerFor, suits, whoFor } from "./who.ts"

/**
 * `valid`: as the document has it, from somebody who may · `faulty`: one thing wrong · `stranger`: from somebody who
 * may not · `hostile`: against the door itself · `heavy`: as large as may be · `replay`: under a key that was used.
 */
export type Kind = "valid" | "faulty" | "stranger" | "hostile" | "heavy" | "replay"

export interface FuzzRequest extends Sent {
  number: number
  operation: Operation
  kind: Kind
  /** What is wrong with it, or special. */
  words: string
  who: string
  tenant: string
  /** The document has no such request: to take it is a fault. */
  forbidden: boolean
}

const filled = (path: string, values: ReadonlyMap<string, string>): string =>
  path.replaceAll(/\{(.+?)\}/g, (_, name: string) => encodeURIComponent(values.get(name) ?? ""))

const worded = (value: unknown): string => (typeof value === "string" ? value : String(value))

interface Draft {
  path: Map<string, string>
  query: [name: string, value: string][]
  headers: Record<string, string>
  body: unknown
}

const draftOf = (operation: Operation, wanted: Wanted, serial: number): Draft => {
  const { chance, tenant } = wanted
  const draft: Draft = { path: new Map(), query: [], headers: {}, body: undefined }
  const made = ({ name, schema }: Parameter) => worded(valid(wanted, schema, name))
  for (const parameter of operation.parameters) {
    if (parameter.in === "path") draft.path.set(parameter.name, made(parameter))
    if (parameter.in !== "query" || !(parameter.required || chance.of(0.3))) continue
    const value = made(parameter)
    if (value !== "" && value !== "undefined") draft.query.push([parameter.name, value])
  }
  headersOf(operation, wanted, draft, serial)
  if (operation.body) draft.body = valid(wanted, operation.body, "")
  const body = draft.body as Record<string, unknown> | undefined
  if (operation.id === "createTenant" && body) body.tenantId = `${tenant}-x${serial}`
  const spare = wanted.scene.told.known(tenant, "spareToken")
  if (operation.id === "revokeToken" && spare.length > 0) draft.path.set("tokenId", String(chance.one(spare)))
  const dead = wanted.scene.told.known(tenant, "deadDelivery")
  if (operation.id === "retryDelivery" && dead.length > 0) draft.path.set("deliveryId", String(dead.at(-1)))
  if (operation.id === "readSecret") draft.path.set("configId", `${tenant}:${wanted.environment}:secret.0`)
  if (operation.id === "docsAsset") draft.path.set("name", chance.one(["swagger-ui.css", "reference.js"]))
  return draft
}

const headersOf = (operation: Operation, { chance, scene, tenant }: Wanted, draft: Draft, serial: number) => {
  const has = (name: string) =>
    operation.parameters.some((parameter) => parameter.in === "header" && parameter.name === name)
  const tags = scene.told.known(tenant, `etag ${filled(operation.path, draft.path)}`)
  if (has("Idempotency-Key") && chance.of(0.2)) draft.headers["idempotency-key"] = `key-${serial}`
  if (has("If-Match") && chance.of(0.2))
    draft.headers["if-match"] = tags.length > 0 ? String(tags.at(-1)) : chance.one(["*", '"1"'])
  if (has("If-None-Match") && chance.of(0.4)) draft.headers["if-none-match"] = String(tags.at(-1) ?? '"1"')
  if (has("X-Tenant-ID") && chance.of(0.1) && !tenant.startsWith("~")) draft.headers["x-tenant-id"] = tenant
}

const tenantFor = (operation: Operation, scene: Scene, chance: Chance): string => {
  if (isEnding(operation)) {
    const made = scene.told.known(scene.tenants[0]!, "spareTenant").slice(-4)
    return made.length > 0 ? String(chance.one(made)) : scene.spare
  }
  const ofPlatform = operation.action !== "public" && !OF_TENANTS.has(operation.id)
  if (ofPlatform && chance.of(0.06)) return chance.one(["~platform", "~tier.Pro", "~tier.Enterprise"])
  return chance.of(0.65) ? scene.tenants[0]! : scene.tenants[1]!
}

const changeFor = (
  operation: Operation,
  scene: Scene,
  tenant: string,
  chance: Chance,
): KnownChange | null => {
  const known = scene.told.changes(tenant)
  const suiting = known.filter((change) => suits(operation.id, change))
  if (suiting.length > 0) return chance.one(suiting)
  return known.length > 0 ? chance.one(known) : null
}

const sentOf = (operation: Operation, { path, query, headers, body }: Draft, token: string | null): Sent => {
  const search = query.length > 0 ? `?${new URLSearchParams(query)}` : ""
  return {
    method: operation.method,
    path: filled(operation.path, path) + search,
    headers: {
      ...(token === null || operation.action === "public" ? {} : { authorization: `Bearer ${token}` }),
      ...(body === undefined ? {} : { "content-type": "application/json" }),
      ...headers,
    },
    body: body === undefined ? undefined : JSON.stringify(body),
  }
}

/** Something wrong with the address or the parameters, where there is no body to do it to. */
const misaddressed = (draft: Draft, operation: Operation, chance: Chance): string => {
  const names = [...draft.path.keys()]
  if (names.length > 0 && chance.of(0.5)) {
    const name = chance.one(names)
    draft.path.set(name, chance.one(NAUGHTY))
    return `path ${name}`
  }
  const queries = operation.parameters.filter((parameter) => parameter.in === "query")
  const choice = chance.below(3)
  if (choice === 0 || queries.length === 0) {
    draft.query.push([chance.one(["surplus", "__proto__", "constructor", ""]), chance.one(NAUGHTY)])
    return "query extra"
  }
  const { name } = chance.one(queries)
  if (choice === 1) {
    draft.query = [...draft.query.filter(([other]) => other !== name), [name, chance.one(NAUGHTY)]]
    return `query ${name}`
  }
  draft.query.push([name, "x"], [name, "y"])
  return `query ${name} twice`
}

const parsed = (body: string | Uint8Array): unknown => {
  try {
    return JSON.parse(typeof body === "string" ? body : Buffer.from(body).toString("utf8"))
  } catch {
    return undefined
  }
}

/** Did the document say that no such body is taken? Only where it is JSON at all, and only of plain faults. */
const isForbidden = ({ takes }: Operation, body: string | Uint8Array): boolean => {
  const value = parsed(body)
  return takes !== null && value !== undefined && !takes(value)
}

const KINDS: readonly [Kind, number][] = [
  ["valid", 0.5],
  ["faulty", 0.27],
  ["stranger", 0.1],
  ["hostile", 0.1],
  ["replay", 0.027],
]

const kindOf = (chance: Chance): Kind => {
  let at = chance.below(10_000) / 10_000
  for (const [kind, share] of KINDS) {
    if (at < share) return kind
    at -= share
  }
  return "heavy"
}

export interface Generator {
  /** Decided by the seed, its number, and what the answers so far have told. */
  request(number: number, scene: Scene, operation: Operation, kinds?: readonly Kind[]): FuzzRequest
}

/** Makes requests of every kind for the operations of the document. */
export const createGenerator = (document: Document, seed: number, receiver: string): Generator => {
  const used: { sent: Sent; operation: Operation; who: string; tenant: string }[] = []
  const request = (
    number: number,
    scene: Scene,
    operation: Operation,
    kinds?: readonly Kind[],
  ): FuzzRequest => {
    const chance = chanceOf(seed, number)
    const kind = kinds ? chance.one(kinds) : kindOf(chance)
    if (kind === "replay" && used.length > 0) return replayed(number, chance)
    const tenant = tenantFor(operation, scene, chance)
    const change = changeFor(operation, scene, tenant, chance)
    const about = operation.path.includes("{changeId}") ? change?.environment : undefined
    const environment = about ?? chance.one(ENVIRONMENTS)
    const person =
      kind === "stranger"
        ? strangerFor(scene, operation, tenant, chance)
        : whoFor(scene, operation, tenant, environment, change, chance)
    const wanted: Wanted = {
      chance,
      document,
      scene,
      tenant,
      environment: person.environment ?? environment,
      change,
      receiver,
    }
    const draft = draftOf(operation, wanted, number)
    const made = { number, operation, kind, who: person.name, tenant, words: "", forbidden: false }
    const plain = () => sentOf(operation, draft, person.token)
    switch (kind) {
      case "faulty": {
        if (draft.body === undefined || chance.of(0.25)) {
          const words = misaddressed(draft, operation, chance)
          return { ...made, ...plain(), words }
        }
        const { body, fault } = faulty(draft.body, chance)
        return { ...made, ...plain(), body, words: fault, forbidden: isForbidden(operation, body) }
      }
      case "hostile": {
        const sent = plain()
        const choice = chance.below(20)
        if (choice === 0 && operation.body)
          return { ...made, ...sent, body: chance.one(MONSTROUS)(), words: "monstrous" }
        if (choice < 10) return { ...made, ...sent, ...hostileHeaders(sent, chance) }
        return { ...made, ...sent, ...hostilePath(sent, chance) }
      }
      case "heavy": {
        const heavy = HEAVY[operation.id]
        if (heavy) draft.body = heavy(draft.body as Record<string, unknown>, chance)
        return { ...made, ...plain(), words: heavy ? "heavy" : "" }
      }
      default: {
        const sent = plain()
        if (sent.headers["idempotency-key"] && used.length < 500)
          used.push({ sent, operation, who: person.name, tenant })
        return { ...made, ...sent }
      }
    }
  }

  /** The key of an earlier request: with the same body, with another, or for something else. */
  const replayed = (number: number, chance: Chance): FuzzRequest => {
    const { sent, operation, who, tenant } = chance.one(used)
    const again = { number, operation, kind: "replay" as const, who, tenant, forbidden: false }
    if (chance.of(0.5)) return { ...again, ...sent, words: "the same" }
    const { body, fault } = faulty(parsed(sent.body as string) ?? {}, chance)
    return {
      ...again,
      ...sent,
      body: sent.body === undefined ? undefined : body,
      words: `another body: ${fault}`,
    }
  }
  return { request }
}
