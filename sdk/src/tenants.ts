import { parseTenantId } from "../../core/ids.ts"
import { TenantContext } from "./context.ts"
import { HotswapClient } from "./index.ts"
import type { Client, HotswapOptions } from "./types.ts"

export interface TenantsOptions extends Omit<HotswapOptions, "tenantId" | "bootstrap" | "store"> {
  /** What is kept of one tenant; see `bootstrap` and `store` of a client. */
  ofTenant?: (tenantId: string) => Pick<HotswapOptions, "bootstrap" | "store">
  /** So many tenants are held at once; of more, those used longest ago are let go. Default 1,000. */
  clientsMax?: number
  /** So many of them hold a stream; the rest ask at intervals. Default 100. */
  streamsMax?: number
  /** A tenant that nobody asked for during this long is let go. Default 10 minutes. */
  idleMs?: number
  /** How long `ready` waits. Default 5,000. */
  readyTimeoutMs?: number
  /** How long a tenant that the service refuses (there is none, or it is suspended) is refused without asking. Default 10,000. */
  refusedForMs?: number
  /** Makes the client of one tenant. */
  create?: (options: HotswapOptions) => Client
}

/** The service does not know the tenant, or the token may not see it. */
export class TenantUnknownError extends Error {
  override readonly name = "TenantUnknownError"
  /** As the service says it. */
  readonly status = 404
  readonly tenantId: string

  constructor(tenantId: string, cause?: unknown) {
    super(`There is no tenant ${JSON.stringify(tenantId)}.`, { cause })
    this.tenantId = tenantId
  }
}

interface Held {
  client: Client
  hasStream: boolean
  usedAt: number
  /** How many wait until it is ready: they are not left standing. */
  waiting: number
}

const REFUSED_MAX = 10_000

/** Many tenants in one process, each with a client of its own: made when first asked for, shared, bounded. */
export class Tenants {
  readonly #options: TenantsOptions
  readonly #instanceId: string
  /** Least recently used first. */
  readonly #held = new Map<string, Held>()
  readonly #refused = new Map<string, { error: Error; untilMs: number }>()
  readonly #closing = new Set<Promise<void>>()
  readonly #sweep: ReturnType<typeof setInterval>
  #isClosed = false

  constructor(options: TenantsOptions) {
    this.#options = options
    this.#instanceId = options.instanceId ?? crypto.randomUUID()
    const idleMs = options.idleMs ?? 600_000
    this.#sweep = TenantContext.outside(() => setInterval(() => this.#letIdleGo(idleMs), idleMs / 2))
    this.#sweep.unref()
  }

  /** How many tenants are held. */
  get size(): number {
    return this.#held.size
  }

  /**
   * The tenant's client, which may not be ready yet. Ask each time instead of keeping it: one that is not asked for is let go.
   * Throws for what is no tenant's id, and where every tenant held is being waited for.
   */
  of(tenantId: string): Client {
    return this.#use(tenantId).client
  }

  /**
   * The tenant's client once it has something to serve. Throws {@link TenantUnknownError} for a tenant that there is not, and
   * what the client says where there is nothing to serve in time.
   */
  async ready(tenantId: string, timeoutMs = this.#options.readyTimeoutMs ?? 5_000): Promise<Client> {
    this.#throwIfRefused(tenantId)
    const held = this.#use(tenantId)
    if (held.client.isReady) return held.client
    held.waiting += 1
    try {
      await held.client.ready(timeoutMs)
      return held.client
    } catch (thrown) {
      throw this.#refusalOf(tenantId, held, thrown)
    } finally {
      held.waiting -= 1
    }
  }

  /** Closes every client, and resolves once all have told what they had to tell. */
  async close(): Promise<void> {
    this.#isClosed = true
    clearInterval(this.#sweep)
    for (const tenantId of [...this.#held.keys()]) this.#letGo(tenantId)
    await Promise.all(this.#closing)
  }

  #use(tenantId: string): Held {
    const known = this.#held.get(tenantId)
    if (known) {
      known.usedAt = performance.now()
      this.#held.delete(tenantId)
      this.#held.set(tenantId, known)
      return known
    }
    if (this.#isClosed) throw new Error("The tenants were closed.")
    if (parseTenantId(tenantId) === null)
      throw new RangeError(
        `${JSON.stringify(tenantId)} is no tenant's id: use 1 to 63 of a-z, 0-9 and dashes.`,
      )
    this.#makeRoom()
    const made = this.#make(tenantId)
    this.#held.set(tenantId, made)
    return made
  }

  #make(tenantId: string): Held {
    const {
      clientsMax,
      streamsMax = 100,
      idleMs,
      readyTimeoutMs,
      refusedForMs,
      create,
      ofTenant,
      ...shared
    } = this.#options
    const streams = [...this.#held.values()].filter(({ hasStream }) => hasStream).length
    const hasStream = shared.stream !== false && streams < streamsMax
    const options = {
      ...shared,
      ...ofTenant?.(tenantId),
      tenantId,
      instanceId: this.#instanceId,
      stream: hasStream,
    }
    const make = create ?? ((each: HotswapOptions) => new HotswapClient(each))
    // It outlives the request that needs it first, and what it calls back is no business of that request's tenant.
    const client = TenantContext.outside(() => make(options))
    return { client, hasStream, usedAt: performance.now(), waiting: 0 }
  }

  /** Those that never had anything to serve go first: made-up names must not drive out tenants that there are. */
  #makeRoom(): void {
    if (this.#held.size < (this.#options.clientsMax ?? 1_000)) return
    const free = [...this.#held].filter(([, { waiting }]) => waiting === 0)
    const [tenantId] = free.find(([, { client }]) => !client.isReady) ?? free[0] ?? []
    if (tenantId === undefined) throw new Error("Too many tenants are being waited for at once.")
    this.#letGo(tenantId)
  }

  #letIdleGo(idleMs: number): void {
    const now = performance.now()
    for (const [tenantId, { usedAt, waiting }] of [...this.#held])
      if (waiting === 0 && now - usedAt >= idleMs) this.#letGo(tenantId)
  }

  #letGo(tenantId: string): void {
    const held = this.#held.get(tenantId)
    if (!held) return
    this.#held.delete(tenantId)
    const closing = TenantContext.outside(() => held.client.close())
      // Nobody waits for this one; what it could not tell is lost, and nothing else is.
      .catch(() => {})
      .finally(() => this.#closing.delete(closing))
    this.#closing.add(closing)
  }

  #throwIfRefused(tenantId: string): void {
    const refused = this.#refused.get(tenantId)
    if (refused === undefined) return
    if (performance.now() < refused.untilMs) throw refused.error
    this.#refused.delete(tenantId)
  }

  /** What to throw: remembered where the service will go on saying it, so that nobody asks it at every request. */
  #refusalOf(tenantId: string, held: Held, thrown: unknown): unknown {
    if (!isFinal(thrown)) return thrown
    if (this.#held.get(tenantId) === held) this.#letGo(tenantId)
    const { status, cause } = thrown as Error & { status?: unknown }
    // What the service said, and not that there is nothing to serve because of it.
    const said = (status === undefined ? cause : thrown) as Error
    const error = statusOf(said) === 404 ? new TenantUnknownError(tenantId, said) : said
    const [oldest] = this.#refused.keys()
    if (this.#refused.size >= REFUSED_MAX && oldest !== undefined) this.#refused.delete(oldest)
    this.#refused.set(tenantId, {
      error,
      untilMs: performance.now() + (this.#options.refusedForMs ?? 10_000),
    })
    return error
  }
}

/** Of HTTP, where the error or what caused it has one. */
export const statusOf = (error: unknown): number | null => {
  const { status, cause } = (error ?? {}) as { status?: unknown; cause?: { status?: unknown } | null }
  const found = status ?? cause?.status
  return typeof found === "number" ? found : null
}

const FINAL: readonly unknown[] = [401, 403, 404]

const isFinal = (error: unknown): boolean => FINAL.includes(statusOf(error))
