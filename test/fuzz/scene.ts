import type { Role } from "../../core/access.ts"
import type { Issuer } from "../security/forge.ts"
import type { Chance } from "./chance.ts"
import { type Answer, type Client, jsonOf } from "./client.ts"

export const ENVIRONMENTS = ["Development", "QA", "Staging", "Production"] as const
const PEOPLE = ["viewer", "engineer", "manager", "compliance", "tenant_admin"] as const

/** Who asks. */
export interface Person {
  name: string
  token: string | null
  roles: readonly Role[]
  /** `null`: the platform's. */
  tenant: string | null
  environment: string | null
}

/** A change as an answer told of it. */
export interface KnownChange {
  changeId: string
  tenantId: string
  environment: string
  state: string
  step: number | null
  contentHash: string
  paused: boolean
  review?: unknown
  stages: readonly { approvals: readonly { subject: string }[] }[]
}

const KEPT_MAX = 60

/** What answers have told: ids, tags and tokens by the name they had, of each tenant the newest. */
export interface Told {
  keep(tenant: string, name: string, value: string | number): void
  known(tenant: string, name: string): readonly (string | number)[]
  changes(tenant: string): readonly KnownChange[]
  learn(tenant: string, body: unknown): void
}

const createTold = (): Told => {
  const values = new Map<string, (string | number)[]>()
  const changes = new Map<string, KnownChange>()
  const told: Told = {
    keep: (tenant, name, value) => {
      const key = `${tenant} ${name}`
      const list = values.get(key) ?? []
      values.set(key, list)
      if (list.includes(value)) return
      list.push(value)
      if (list.length > KEPT_MAX) list.shift()
    },
    known: (tenant, name) => values.get(`${tenant} ${name}`) ?? [],
    changes: (tenant) => [...changes.values()].filter(({ tenantId }) => tenantId === tenant),
    learn: (tenant, body) => {
      if (typeof body !== "object" || body === null) return
      if (Array.isArray(body)) {
        for (const item of body.slice(0, 20)) told.learn(tenant, item)
        return
      }
      const members = body as Record<string, unknown>
      if (typeof members.changeId === "string" && typeof members.contentHash === "string") {
        changes.delete(members.changeId)
        changes.set(members.changeId, members as unknown as KnownChange)
        if (changes.size > 4 * KEPT_MAX) changes.delete(changes.keys().next().value!)
      }
      if (typeof members.deliveryId === "string" && members.state === "dead")
        told.keep(tenant, "deadDelivery", members.deliveryId)
      for (const [name, value] of Object.entries(members)) {
        if (name === "value" || name === "schema" || name === "configs") continue
        if ((typeof value === "string" && value !== "" && value.length < 3_000) || Number.isInteger(value))
          told.keep(tenant, name, value as string | number)
        else told.learn(tenant, value)
      }
    },
  }
  return told
}

const HALF = { enabled: true, percentage: 50 }

/** The tenants and people of one stretch of a run. */
export interface Scene {
  tenants: readonly string[]
  /** Made to be suspended, deleted and whatever else ends a tenant. */
  spare: string
  asleep: string
  people: readonly Person[]
  told: Told
  /** Rollouts under way, and changes that wait: what there is to act on does not run out. */
  replenish(): Promise<void>
  /** Keys that there are, or may be. */
  key(chance: Chance): string
}

const KEYS = Array.from({ length: 40 }, (_, index) => `key.${index}`)
const FLAGS = Array.from({ length: 8 }, (_, index) => `switch.${index}`)

/** New tenants, with everybody who may ask, and something in every place. */
export const createScene = async (
  client: Client,
  admin: string,
  issuer: Issuer,
  number: number,
): Promise<Scene> => {
  const told = createTold()
  const must = async (method: string, path: string, body: unknown, token = admin): Promise<Answer> => {
    const answer = await client.send({
      method,
      path,
      headers: { authorization: `Bearer ${token}` },
      body: JSON.stringify(body),
    })
    if (answer.status >= 300) throw new Error(`${method} ${path}: ${answer.status} ${answer.text}`)
    return answer
  }
  const [one, two, spare, asleep] = ["a", "b", "spare", "asleep"].map((name) => `t${number}-${name}`) as [
    string,
    string,
    string,
    string,
  ]
  const people: Person[] = [
    { name: "start-up", token: admin, roles: ["platform_admin"], tenant: null, environment: null },
    { name: "nobody", token: null, roles: [], tenant: null, environment: null },
    {
      name: "made up",
      token: `hs_${one}_${"0".repeat(32)}_${"A".repeat(43)}`,
      roles: [],
      tenant: null,
      environment: null,
    },
  ]
  const issue = async (tenant: string, subject: string, roles: Role[], environment?: string) => {
    const path = `/api/v1/tenants/${tenant}/tokens`
    const { token } = jsonOf(await must("POST", path, { subject, roles, environment })) as { token: string }
    const person = { name: subject, token, roles, tenant, environment: environment ?? null }
    people.push(person)
    return person
  }
  for (const [tenant, tier] of [
    [one, "Enterprise"],
    [two, "Pro"],
    [spare, "Free"],
    [asleep, "Free"],
  ] as const)
    await must("POST", "/api/v1/tenants", { tenantId: tenant, name: tenant, tier })
  for (const tenant of [one, two]) {
    for (const role of PEOPLE)
      for (const which of ["first", "second"]) await issue(tenant, `${which}.${role}@${tenant}`, [role])
    await issue(tenant, `bound@${tenant}`, ["engineer", "tenant_admin"], "Staging")
    for (const environment of ENVIRONMENTS)
      await issue(tenant, `reader.${environment}@${tenant}`, ["reader"], environment)
    const claims = { sub: `person-${tenant}`, tenant, roles: [...PEOPLE] }
    const token = issuer.token({ claims })
    people.push({ name: `person@${tenant}`, token, roles: PEOPLE, tenant, environment: null })
    for (const environment of ENVIRONMENTS) {
      const edits = KEYS.slice(0, 8).map((key, index) => ({ key, value: { index, of: key } }))
      const body = { tenantId: tenant, environment, edits }
      told.learn(tenant, jsonOf(await must("POST", "/api/v1/changes", body)))
      const secret = { tenantId: tenant, environment, key: "secret.0", value: "hidden", secret: true }
      if (environment === "Production") continue
      await must("POST", "/api/v1/configs", secret)
      for (const key of FLAGS)
        await must("PUT", `/api/v1/tenants/${tenant}/flags/${key}?environment=${environment}`, HALF)
    }
  }
  await issue(asleep, `admin@${asleep}`, ["tenant_admin"])
  await must("POST", `/api/v1/tenants/${asleep}/suspend`, {})
  const gone = await issue(one, `gone@${one}`, ["tenant_admin"])
  const [, hex = ""] = gone.token.split("_").slice(1)
  await must("DELETE", `/api/v1/tenants/${one}/tokens/${one}:tok_${hex}`, {})
  people.splice(people.indexOf(gone), 1, { ...gone, roles: [] })
  let serial = 0
  /** One rollout and one change that waits, approved once. */
  const replenish = async (): Promise<void> => {
    serial++
    for (const tenant of [one, two]) {
      const environment = serial % 2 === 0 ? "Staging" : "QA"
      const edits = [{ key: `key.${8 + (serial % 30)}`, value: serial }]
      const strategy = { type: "canary", steps: [{ weightBp: 1_000, holdMs: null }] }
      const send = async (path: string, token: string | null, body: unknown) => {
        const headers = { authorization: `Bearer ${token}` }
        const answer = jsonOf(
          await client.send({ method: "POST", path, headers, body: JSON.stringify(body) }),
        )
        told.learn(tenant, answer)
        return (answer ?? {}) as { changeId?: string; state?: string }
      }
      await send("/api/v1/changes", admin, { tenantId: tenant, environment, edits, strategy })
      const made = await send("/api/v1/changes", admin, {
        tenantId: tenant,
        environment: "Production",
        edits,
      })
      const approver = people.find(({ name }) => name === `first.engineer@${tenant}`)
      if (made.state !== "awaiting_approval" || !approver) continue
      await send(`/api/v1/approvals/${encodeURIComponent(made.changeId!)}/approve`, approver.token, {})
    }
  }
  const key = (chance: Chance) => chance.one(chance.of(0.8) ? KEYS : FLAGS)
  return { tenants: [one, two], spare, asleep, people, told, replenish, key }
}
