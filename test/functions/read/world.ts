import { generateKeyPairSync, randomUUID } from "node:crypto"
import type { Role } from "../../../core/access.ts"
import type { Change } from "../../../core/change/change.ts"
import { DEFAULT_ENVIRONMENTS, type Environment } from "../../../core/environment.ts"
import {
  type ChangeId,
  PLATFORM,
  type ReleaseId,
  type ScopeId,
  type TenantId,
  type Tier,
  type TokenId,
  tierScope,
  tokenIdOf,
} from "../../../core/ids.ts"
import type { Json } from "../../../core/json.ts"
import { compile, EMPTY_CHUNK, EMPTY_RELEASE } from "../../../core/release/compile.ts"
import type { Candidate, Entry, Manifest, Pointer } from "../../../core/release/release.ts"
import type { FunctionUrlEvent, FunctionUrlResult } from "../../../functions/http/events.ts"
import { hashToken, mintApiToken, readerSigner } from "../../../functions/http/tokens.ts"
import { createAttempts } from "../../../functions/platform/attempts.ts"
import { createBackground } from "../../../functions/platform/background.ts"
import type { CachePort } from "../../../functions/platform/cache.ts"
import type { PointerRead, Reading, ScopeReading, TokenRead } from "../../../functions/platform/reading.ts"
import { createTokenUses } from "../../../functions/platform/token-uses.ts"
import { noTrace } from "../../../functions/platform/tracing.ts"
import { createRead } from "../../../functions/read/read.ts"
import { memoryCache } from "../../contracts/cache-memory.ts"
import { handClock, silentLog } from "../platform/fakes.ts"

export const STAGING = "Staging" as Environment
export const ACME = "acme-corp" as TenantId
export const ADMIN_TOKEN = "the-start-up-token-of-a-test"
export const EDGE_SECRET = "the-secret-of-the-edge-of-a-test"
/** What it is being replaced by. */
export const NEXT_EDGE_SECRET = "the-next-secret-of-that-edge"

const { publicKey, privateKey } = generateKeyPairSync("ed25519")
const KEY = { kid: "test", alg: "EdDSA" }
const sign = await readerSigner({ keys: [{ ...privateKey.export({ format: "jwk" }), ...KEY }] } as never)
export const READER_PUBLIC_KEYS = { keys: [{ ...publicKey.export({ format: "jwk" }), ...KEY }] } as never

export const readerToken = (options: {
  tenants: readonly string[] | "*"
  environment?: Environment
  tokenId?: TokenId
  nowMs: number
  lifetimeSeconds?: number
}): Promise<string> => {
  const issuedAt = Math.floor(options.nowMs / 1_000)
  return sign({
    tokenId: options.tokenId ?? tokenIdOf(ACME, randomUUID()),
    subject: "app",
    tenants: options.tenants as readonly TenantId[] | "*",
    environment: options.environment ?? STAGING,
    issuedAt,
    expiresAt: issuedAt + (options.lifetimeSeconds ?? 86_400),
  })
}

export const eventOf = (
  path: string,
  options: { token?: string; headers?: Record<string, string>; method?: string; body?: string } = {},
): FunctionUrlEvent => {
  const [rawPath = "", rawQueryString = ""] = path.split("?")
  return {
    version: "2.0",
    routeKey: "$default",
    rawPath,
    rawQueryString,
    headers: { ...(options.token ? { authorization: `Bearer ${options.token}` } : {}), ...options.headers },
    ...(options.body === undefined ? {} : { body: options.body }),
    isBase64Encoded: false,
    requestContext: {
      accountId: "anonymous",
      apiId: "test",
      domainName: "test",
      domainPrefix: "test",
      http: {
        method: options.method ?? "GET",
        path: rawPath,
        protocol: "HTTP/1.1",
        sourceIp: "127.0.0.1",
        userAgent: "test",
      },
      requestId: "one-request",
      routeKey: "$default",
      stage: "$default",
      time: "",
      timeEpoch: 0,
    },
  }
}

export const jsonOf = (result: FunctionUrlResult) => JSON.parse(result.body)

const NO_POINTER: Pointer = {
  seq: 0,
  at: null,
  tier: null,
  stable: EMPTY_RELEASE.id,
  stableChangeId: null,
  candidate: null,
}

/** What a database holds, as the reading queries show it; counts what it is asked and can be made to fail. */
export const fakeDatabase = (clock: { now(): Date }) => {
  const tenants = new Map<TenantId, { status: "active" | "suspended"; tier: Tier }>()
  const pointers = new Map<string, Pointer>()
  const history: { place: string; at: string; pointer: Pointer }[] = []
  const manifests = new Map<ReleaseId, Manifest>([[EMPTY_RELEASE.id, EMPTY_RELEASE.manifest]])
  const chunks = new Map<string, string>([[EMPTY_CHUNK.id, EMPTY_CHUNK.text]])
  const tokens = new Map<TokenId, TokenRead>()
  const changes = new Map<ChangeId, Change>()
  const externalIds = new Map<string, TenantId>()
  const database = {
    down: false,
    epoch: 0,
    commands: 0,
    revoked: [] as TokenId[],
    /** Resolves before each answer; a test may hold it back. */
    gate: Promise.resolve(),
    tenants,
    tokens,
    changes,
    externalIds,
    release(entries: Record<string, Json | Entry>, versioned = false): ReleaseId {
      const edits = Object.entries(entries).map(([key, value]) => ({
        key: key as never,
        entry: versioned ? (value as unknown as Entry) : { value: value as Json, version: 1 },
      }))
      const made = compile(EMPTY_RELEASE, new Map(), edits)
      if (made.kind !== "compiled") throw new Error("too large for this fake")
      manifests.set(made.release.id, made.release.manifest)
      for (const { id, text } of made.chunks) chunks.set(id, text)
      return made.release.id
    },
    move(scope: ScopeId, entries: Record<string, Json>, candidate: Candidate | null = null): void {
      database.set(scope, { stable: database.release(entries), candidate })
    },
    /** As a copy would have it that lags behind. */
    rewind(scope: ScopeId): void {
      const place = `${scope}/${STAGING}`
      pointers.set(place, history.filter((row) => row.place === place).at(-2)!.pointer)
    },
    set(scope: ScopeId, changed: Partial<Pointer>): void {
      const place = `${scope}/${STAGING}`
      const before = pointers.get(place) ?? NO_POINTER
      const pointer = { ...before, ...changed, seq: before.seq + 1, at: clock.now().toISOString() }
      pointers.set(place, pointer)
      history.push({ place, at: pointer.at, pointer })
    },
  }

  const answering = async (): Promise<void> => {
    database.commands++
    await database.gate
    if (database.down) throw new Error("the database is down")
  }

  const readAt = (
    tenantId: TenantId,
    environment: Environment,
    known: readonly ReleaseId[],
    find: (place: string) => Pointer,
  ): PointerRead | null => {
    const tenant = tenants.get(tenantId)
    if (!tenant) return null
    const layers = {
      platform: find(`${PLATFORM}/${environment}`),
      tier: find(`${tierScope(tenant.tier)}/${environment}`),
      tenant: find(`${tenantId}/${environment}`),
    }
    const named = Object.values(layers).flatMap(({ stable, candidate }) => [
      stable,
      ...(candidate ? [candidate.release] : []),
    ])
    const unknown = named.filter((id) => !known.includes(id) && manifests.get(id)!.bits === 0)
    const ids = unknown.flatMap((id) => manifests.get(id)!.chunks)
    const moves = Object.values(layers).flatMap(({ at }) => (at === null ? [] : [at]))
    return {
      tenant,
      epoch: database.epoch,
      layers,
      manifests: new Map(named.map((id) => [id, manifests.get(id)!])),
      chunks: new Map(ids.map((id) => [id, chunks.get(id)!])),
      revoked: database.revoked,
      movedAt: moves.sort().at(-1) ?? null,
    }
  }

  const reading: Reading & ScopeReading = {
    async readPointer(tenantId, environment, known) {
      await answering()
      return readAt(tenantId, environment, known, (place) => pointers.get(place) ?? NO_POINTER)
    },
    async readPointerAsOf(tenantId, environment, at) {
      await answering()
      const find = (place: string) =>
        history.findLast((row) => row.place === place && row.at <= new Date(at).toISOString())?.pointer ??
        NO_POINTER
      return readAt(tenantId, environment, [], find)
    },
    async readChunks(_tenantId, ids) {
      await answering()
      return new Map(ids.map((id) => [id, chunks.get(id)!]))
    },
    async readLayers(scope, environment) {
      await answering()
      const of = (name: string) => pointers.get(`${name}/${environment}`) ?? NO_POINTER
      const layers = {
        platform: of(PLATFORM),
        tier: scope.startsWith("~tier.") ? of(scope) : NO_POINTER,
        tenant: NO_POINTER,
      }
      const ids = Object.values(layers).map(({ stable }) => stable)
      return {
        epoch: database.epoch,
        layers,
        manifests: new Map(ids.map((id) => [id, manifests.get(id)!])),
        chunks: new Map(),
      }
    },
    async findToken(_scope, tokenId) {
      await answering()
      return tokens.get(tokenId) ?? null
    },
    async findExternalId(externalId) {
      await answering()
      return externalIds.get(externalId) ?? null
    },
    async findChange(_scope, changeId) {
      await answering()
      return changes.get(changeId) ?? null
    },
    async ping() {
      await answering()
    },
  }
  return { ...database, reading, database }
}

/** The read function on a database and a cache of maps, at a time that stands still. */
const readWorld = (options: { cache?: CachePort } = {}) => {
  const clock = handClock()
  const log = silentLog()
  const background = createBackground(log)
  const { database, reading } = fakeDatabase(clock)
  const memory = memoryCache(clock)
  const platform = {
    clock,
    log,
    background,
    trace: noTrace,
    reading,
    cache: options.cache ?? memory,
    attempts: createAttempts({ clock, log, background, send: null }),
    tokenUses: createTokenUses({ clock, log, background, send: null }),
    settings: {
      readerPublicKeys: READER_PUBLIC_KEYS,
      edgeSecret: `${NEXT_EDGE_SECRET},${EDGE_SECRET}`,
      adminTokenHash: hashToken(ADMIN_TOKEN),
      environments: DEFAULT_ENVIRONMENTS,
      cacheTtlSeconds: 300,
      viewMemoryMebibytes: 192,
      jwtIssuers: [],
      outboundAllow: [],
    },
    close: async () => {},
  }
  let read = createRead(platform)
  const call = (
    path: string,
    token?: string,
    more: { headers?: Record<string, string>; method?: string; body?: string } = {},
  ) => read(eventOf(path, { ...more, ...(token === undefined ? {} : { token }) }))
  return {
    clock,
    log,
    background,
    database,
    reading,
    cache: memory,
    platform,
    call,
    /** Another process: nothing in memory. */
    restart: () => {
      read = createRead(platform)
    },
    reader: (
      tenants: readonly string[] | "*" = [ACME],
      more: { tokenId?: TokenId; lifetimeSeconds?: number } = {},
    ) => readerToken({ tenants, nowMs: clock.nowMs(), ...more }),
    apiToken: (roles: readonly Role[], scope: ScopeId = ACME, environment: Environment | null = null) => {
      const { token, tokenId, hash } = mintApiToken(scope, randomUUID())
      database.tokens.set(tokenId, {
        tokenId,
        subject: "somebody",
        roles,
        tenants: null,
        environment,
        issuer: { subject: "platform", tokenId: "startup", ancestors: [] },
        secretHash: hash,
        expiresAt: new Date(clock.nowMs() + 86_400_000).toISOString(),
        revokedAt: null,
      })
      return { token, tokenId }
    },
  }
}

/** A world with one tenant that has something to read. */
export const acmeWorld = (options: { cache?: CachePort } = {}) => {
  const world = readWorld(options)
  world.database.tenants.set(ACME, { status: "active", tier: "Pro" })
  world.database.move(ACME, { "feature.a": true, "limit.b": 7 })
  world.clock.advance(120_000)
  return world
}

export const VIEW = `/api/v1/configs/tenant/${ACME}?environment=Staging`
