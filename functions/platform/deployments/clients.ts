import { type Agent, type AgentOptions, Agent as PlainAgent } from "node:http"
import { Agent as SecureAgent } from "node:https"
import { BACKENDS, type BackendName, secretsOf, type Target } from "../../../core/deployment/deployments.ts"
import { type BackendInForce, inForce } from "../../../core/deployment/template.ts"
import { Refusal } from "../../../core/errors.ts"
import type { TenantId } from "../../../core/ids.ts"
import type { Json } from "../../../core/json.ts"
import { markedVersion } from "../../../core/secret/marker.ts"
import { DEPLOYMENTS } from "../../../core/secret/place.ts"
import type { Database } from "../../../db/client.ts"
import { type DeploymentsRow, findDeploymentSecrets } from "../../../db/queries/deployments.ts"
import type { Block } from "../addresses.ts"
import type { Clock } from "../clock.ts"
import type { Vault } from "../keys/vault.ts"
import { createResolve, type Resolve } from "../resolve.ts"
import { type Reach, reachOf } from "./reach.ts"

/** A target and the connections to it, which no other tenant's requests ever use. */
export interface TargetClient {
  target: Target & { priority: number }
  url: URL
  reach: Reach
  /** The connections, for one more request. */
  agentAt(nowMs: number): Agent
  close(): void
  /** Somebody has just failed to reach it: others are tried first until then. */
  failingUntilMs: number
}

export interface BackendClient {
  settings: BackendInForce
  /** What it is entered with, as the header has it; `null`: nothing. */
  authorization: string | null
  targets: TargetClient[]
}

/** What speaks to a tenant's backends, as its deployments were at one version. */
export interface TenantClients {
  backends: { readonly [Name in BackendName]?: BackendClient }
  /** To be called once for each time it was handed out: what nobody uses any more, and nobody will, is closed. */
  release(): void
}

export interface Clients {
  /**
   * Those of the row, which was read when a request began: what was altered before is in force. Throws Refusal for
   * credentials that cannot be opened.
   */
  of(row: DeploymentsRow, readAtMs: number): Promise<TenantClients>
  close(): void
}

export interface ClientDeps {
  db: Database
  clock: Clock
  vault: Vault | undefined
  /** Blocks that are reached although they are not public, by backends that the platform vouches for. */
  allowed: readonly Block[]
  resolve?: Resolve
}

const TENANTS_MAX = 500
/** A connection that nobody used for so long is closed, before the backend does so under a request. */
const IDLE_MS = 15_000
const SOCKETS_MAX = 64
const FREE_SOCKETS_MAX = 8

interface Held {
  /** What is made anew for another one. */
  name: string
  readAtMs: number
  made: Promise<Made>
}

/** What was made of one version, with how many are using it. */
class Made {
  readonly backends: TenantClients["backends"]
  #users = 0
  #isRetired = false

  constructor(backends: TenantClients["backends"]) {
    this.backends = backends
  }

  handOut(): TenantClients {
    this.#users++
    let isReleased = false
    return {
      backends: this.backends,
      release: () => {
        if (isReleased) return
        isReleased = true
        this.#users--
        this.#closeUnused()
      },
    }
  }

  /** Nobody is handed it any more. */
  retire(): void {
    this.#isRetired = true
    this.#closeUnused()
  }

  #closeUnused(): void {
    if (!this.#isRetired || this.#users > 0) return
    for (const backend of Object.values(this.backends)) for (const target of backend.targets) target.close()
  }
}

/** Kept by tenant for as long as the tenant's version is the one they were made of. */
export const createClients = (given: ClientDeps): Clients => {
  const deps = { ...given, resolve: given.resolve ?? createResolve() }
  // A map keeps the order in which was set: whoever is used goes to its end.
  const held = new Map<TenantId, Held>()
  const retire = ({ made }: Held): void =>
    void made.then(
      (it) => it.retire(),
      () => {},
    )

  const hold = (row: DeploymentsRow, name: string, readAtMs: number): Held => {
    const fresh: Held = { name, readAtMs, made: make(deps, row) }
    const before = held.get(row.tenantId)
    held.delete(row.tenantId)
    held.set(row.tenantId, fresh)
    if (before) retire(before)
    fresh.made.catch(() => {
      if (held.get(row.tenantId) === fresh) held.delete(row.tenantId)
    })
    const [eldest] = held
    if (held.size > TENANTS_MAX && eldest) {
      held.delete(eldest[0])
      retire(eldest[1])
    }
    return fresh
  }

  return {
    of: async (row, readAtMs) => {
      const name = `${row.version} ${row.vouched.join()} ${row.tier}`
      const known = held.get(row.tenantId)
      if (known?.name === name) {
        known.readAtMs = Math.max(known.readAtMs, readAtMs)
        held.delete(row.tenantId)
        held.set(row.tenantId, known)
        return (await known.made).handOut()
      }
      if (known === undefined || readAtMs >= known.readAtMs)
        return (await hold(row, name, readAtMs).made).handOut()
      // Overtaken: a later request has seen what came after. This one's answer is as of when it asked, and for it alone.
      const alone = await make(deps, row)
      const clients = alone.handOut()
      alone.retire()
      return clients
    },
    close: () => {
      for (const one of held.values()) retire(one)
      held.clear()
    },
  }
}

const make = async (deps: ClientDeps & { resolve: Resolve }, row: DeploymentsRow): Promise<Made> => {
  const secrets = await openSecrets(deps, row)
  const backends = BACKENDS.flatMap((name) => {
    const backend = row.deployments[name]
    if (backend === undefined) return []
    const settings = inForce(row.tier, row.tenantId, backend)
    const secret = (part: string) => secrets.get(`${name}.${part}`)
    const allowed = row.vouched.includes(name) ? deps.allowed : []
    const targets = settings.targets.map((target): TargetClient => {
      const url = new URL(target.url)
      const reach = reachOf(url, allowed, deps.resolve)
      const agent = agentOf(url, reach, settings, secret)
      let usedAtMs = 0
      return {
        target,
        url,
        reach,
        failingUntilMs: 0,
        agentAt: (nowMs) => {
          if (nowMs - usedAtMs > IDLE_MS) closeFree(agent)
          usedAtMs = nowMs
          return agent
        },
        close: () => agent.destroy(),
      }
    })
    return [[name, { settings, authorization: authorizationOf(settings, secret), targets }] as const]
  })
  return new Made(Object.fromEntries(backends))
}

type SecretOf = (part: string) => string | undefined

const agentOf = (url: URL, { lookup }: Reach, { tls }: BackendInForce, secret: SecretOf): Agent => {
  const options: AgentOptions & { lookup: Reach["lookup"] } = {
    keepAlive: true,
    maxSockets: SOCKETS_MAX,
    maxFreeSockets: FREE_SOCKETS_MAX,
    timeout: IDLE_MS,
    lookup,
  }
  if (url.protocol === "http:") return new PlainAgent(options)
  return new SecureAgent({
    ...options,
    minVersion: "TLSv1.2",
    ca: tls?.ca,
    cert: secret("certificate"),
    key: secret("key"),
  })
}

/** No timer runs while a function is frozen: a connection from before may be closed at the other end, and look as if it were not. */
const closeFree = ({ freeSockets }: Agent): void => {
  for (const socket of Object.values(freeSockets).flat()) socket?.destroy()
}

const authorizationOf = ({ credentials }: BackendInForce, secret: SecretOf): string | null => {
  if (credentials === undefined) return null
  if (credentials.type === "bearer") return `Bearer ${secret("token")}`
  const pair = `${credentials.username}:${secret("password")}`
  return `Basic ${Buffer.from(pair).toString("base64")}`
}

/** By name, in plain text: for this process's memory, and nowhere else. */
const openSecrets = async (
  { db, vault }: ClientDeps,
  { tenantId, deployments }: DeploymentsRow,
): Promise<Map<string, string>> => {
  const wanted = [...secretsOf(deployments)].map(([name, marker]) => ({ name, version: versionIn(marker) }))
  if (wanted.length === 0) return new Map()
  if (!vault)
    throw new Refusal("SECRET_UNSUPPORTED", "There is no key to open the backends' credentials with.")
  const kept = await findDeploymentSecrets(
    db,
    tenantId,
    wanted.map(({ name }) => name),
  )
  const opened = wanted.map(async ({ name, version }) => {
    const found = kept.find((one) => one.key === name && one.version === version)
    if (!found)
      throw new Error(`the deployments of ${tenantId} name value ${version} of ${name}, which is not kept`)
    const place = { scope: tenantId, realm: DEPLOYMENTS, name, version }
    const value = await vault.open(place, { generation: found.generation, bytes: found.sealed })
    return [name, String(value.reveal())] as const
  })
  return new Map(await Promise.all(opened))
}

const versionIn = (marker: Json): number => markedVersion(marker)!
