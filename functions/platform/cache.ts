import type { Environment } from "../../core/environment.ts"
import {
  layerOf,
  PLATFORM,
  type ScopeId,
  type TenantId,
  TIERS,
  tierScope,
  type ViewId,
} from "../../core/ids.ts"
import type { PointerDocument } from "../../core/release/pointer-document.ts"
import type { ReloadType } from "../../core/release/reload.ts"
import { hasBegun, parseRevision } from "../../core/release/revision.ts"
import { type View, verifyView, viewBits, viewText } from "../../core/release/view.ts"
import { parseViewId } from "../../core/release/view-id.ts"
import type { Background } from "./background.ts"
import { createBreaker } from "./breaker.ts"
import {
  eventsChannel,
  keysOfTenant,
  lastViewKey,
  markFields,
  marksKey,
  pointerKey,
  viewKeys,
} from "./cache-keys.ts"
import { RAISE_MARK, SWAP_POINTER } from "./cache-scripts.ts"
import type { Clock } from "./clock.ts"
import type { Log } from "./log.ts"
import { decodePointer, encodePointer, pointerPrefix } from "./pointer-json.ts"
import type { RedisCommand, RedisReply, RedisSender } from "./redis-sender.ts"

export { CacheUnavailable } from "./breaker.ts"

/** A scope × environment that moved, as told to whoever listens. */
export interface MoveEvent {
  type: ReloadType
  scope: ScopeId
  environment: Environment
  revision: string
  /** Nothing need have moved: all who listen are to look again. */
  reload?: true
}

/** What is to be kept; views go before the pointer that names them, and what is told of it comes last. */
export interface Storing {
  views?: readonly View[]
  pointer?: PointerDocument
  event?: MoveEvent
}

/** A document, and those of its views that came along. */
export interface Moved {
  pointer: PointerDocument | null
  views: ReadonlyMap<ViewId, View>
}

/** A platform's or a tier's move: documents of tenants that are behind it are not to be served any more. */
export interface Mark {
  scope: ScopeId
  environment: Environment
  epoch: number
  seq: number
}

/**
 * Redis, seen as what Hotswap keeps in it. Nothing that comes out of it is trusted unverified, and every
 * method throws {@link CacheUnavailable} rather than let anybody wait for long.
 */
export interface CachePort {
  /** The kept document, unless a mark has overtaken it or it is not this tenant's, whole, and of the past. */
  readPointer(tenantId: TenantId, environment: Environment): Promise<PointerDocument | null>
  /** The same for whoever was told of a move: with the view it is likely to be about, if that is small. */
  readMoved(tenantId: TenantId, environment: Environment): Promise<Moved>
  /** All chunks of a view, or `null` if any is missing or they are not what the id promises. */
  readView(tenantId: TenantId, environment: Environment, viewId: ViewId): Promise<View | null>
  /** Keeps them; an older pointer never replaces a newer one. */
  store(tenantId: TenantId, environment: Environment, what: Storing): Promise<void>
  /** And then tells of it. */
  raiseMark(mark: Mark, event?: MoveEvent): Promise<void>
  ping(): Promise<void>
  /** Takes away all that is kept of a tenant; returns how many keys that were. */
  forget(tenantId: TenantId): Promise<number>
}

/** Views never change; they go when nobody has needed to write them for this long. */
const VIEW_TTL_SECONDS = 3_600
/** A request carries about this much: several small ones meet the deadline that one big one misses. */
const BATCH_CHARACTERS = 512 * 1_024
/** Only what is no longer is kept once more, to be read together with the pointer. */
const SMALL_CHARACTERS = 16 * 1_024
/** Clocks of two machines may differ by this much before a time counts as being of the future. */
export const CLOCK_SKEW_MS = 2_000

/** How many keys are looked at in one round trip. */
const SCAN_COUNT = "1000"

const ALL_MARKS: readonly ScopeId[] = [PLATFORM, ...TIERS.map(tierScope)]

/** Splits view texts into requests. */
const batchesOf = (commands: readonly RedisCommand[]): RedisCommand[][] => {
  const batches: RedisCommand[][] = []
  let characters = Number.POSITIVE_INFINITY
  for (const command of commands) {
    const length = command.reduce((sum, part) => sum + part.length, 0)
    if (characters + length > BATCH_CHARACTERS) {
      batches.push([])
      characters = 0
    }
    batches.at(-1)!.push(command)
    characters += length
  }
  return batches
}

const isSmall = ({ chunks }: View): boolean => chunks.length === 1 && chunks[0]!.length <= SMALL_CHARACTERS

const told = ({ scope, ...event }: MoveEvent): RedisCommand => {
  // On a channel that the tiers share with the platform.
  const message = layerOf(scope) === "tier" ? { ...event, scope } : event
  return ["PUBLISH", eventsChannel(scope), JSON.stringify(message)]
}

const isOvertaken = (pointer: PointerDocument, [platform, tier]: readonly (string | null)[]): boolean => {
  const revision = parseRevision(pointer.revision)!
  const ahead = (mark: string | null | undefined, seq: number): boolean => {
    const [epoch, marked] = (mark ?? "").split(".").map(Number)
    return epoch === revision.epoch && marked !== undefined && marked > seq
  }
  return ahead(platform, revision.platform) || ahead(tier, revision.tier)
}

const textOf = (reply: RedisReply | undefined): string | null => (typeof reply === "string" ? reply : null)
const textsOf = (reply: RedisReply | undefined): readonly (string | null)[] =>
  Array.isArray(reply) ? reply.map((text) => (typeof text === "string" ? text : null)) : []

export const createCache = (deps: {
  send: RedisSender
  clock: Clock
  log: Log
  background: Background
  /** How long a document may serve at the most, when PostgreSQL is down. */
  ttlSeconds: number
}): CachePort => {
  const { send, clock, log } = deps
  const breaker = createBreaker({ ...deps, probe: () => send([["PING"]]) })
  const ask = async (commands: readonly RedisCommand[]): Promise<readonly RedisReply[]> => {
    const replies = await send(commands)
    if (replies.length !== commands.length) throw new Error("Redis did not give one reply a command")
    return replies
  }
  const run = (commands: readonly RedisCommand[]) => breaker.run(() => ask(commands))
  const ttl = String(deps.ttlSeconds)
  const viewTtl = String(Math.max(deps.ttlSeconds, VIEW_TTL_SECONDS))

  const faultOf = (pointer: PointerDocument | null): string | null => {
    if (pointer === null) return "it is damaged or another's"
    if (pointer.readAtMs > clock.nowMs() + CLOCK_SKEW_MS) return "it was read in the future"
    return hasBegun(parseRevision(pointer.revision)!, clock.now()) ? null : "its epoch has not begun"
  }

  const usable = (text: string, tenantId: TenantId, environment: Environment): PointerDocument | null => {
    const pointer = decodePointer(text, tenantId, environment)
    const why = faultOf(pointer)
    if (why === null) return pointer
    log.warn("Redis holds a pointer that cannot be used", { tenantId, environment, why })
    return null
  }

  const storing = (
    tenantId: TenantId,
    environment: Environment,
    { views = [], pointer, event }: Storing,
  ): RedisCommand[] => {
    const commands = views.flatMap(({ id, chunks }) => {
      const keys = viewKeys(tenantId, id, chunks.length)
      return chunks.map((text, i): RedisCommand => ["SET", keys[i]!, text, "EX", viewTtl])
    })
    if (pointer) {
      const prefix = pointerPrefix(tenantId, environment)
      const key = pointerKey(tenantId, environment)
      const [last] = views.filter(isSmall).slice(-1)
      if (last)
        commands.push(["SET", lastViewKey(tenantId, environment), `${last.id} ${viewText(last)}`, "EX", ttl])
      commands.push(["EVAL", SWAP_POINTER, "1", key, encodePointer(pointer), ttl, prefix])
    }
    return event ? [...commands, told(event)] : commands
  }

  /** The tier is known only from the document: the marks of all of them are asked for in the same round trip. */
  const asking = (tenantId: TenantId, environment: Environment): RedisCommand[] => [
    ["GET", pointerKey(tenantId, environment)],
    ["HMGET", marksKey(environment), ...ALL_MARKS],
  ]
  const pointerOf = (
    tenantId: TenantId,
    environment: Environment,
    [kept, marks]: readonly RedisReply[],
  ): PointerDocument | null => {
    const text = textOf(kept)
    const pointer = text === null ? null : usable(text, tenantId, environment)
    if (!pointer) return null
    const byScope = new Map(textsOf(marks).map((mark, i) => [ALL_MARKS[i], mark]))
    const [platform, tier] = markFields(pointer.tier)
    return isOvertaken(pointer, [byScope.get(platform) ?? null, byScope.get(tier) ?? null]) ? null : pointer
  }

  return {
    readPointer: async (tenantId, environment) =>
      pointerOf(tenantId, environment, await run(asking(tenantId, environment))),
    async readMoved(tenantId, environment) {
      const last: RedisCommand = ["GET", lastViewKey(tenantId, environment)]
      const replies = await run([...asking(tenantId, environment), last])
      const [id = "", text = ""] = textOf(replies[2])?.split(/ (.*)/s) ?? []
      const viewId = parseViewId(id)
      const isView = viewId && viewBits(viewId) === 0 && verifyView(viewId, tenantId, environment, [text])
      return {
        pointer: pointerOf(tenantId, environment, replies),
        views: new Map(isView ? [[viewId, { id: viewId, bits: 0, chunks: [text] }]] : []),
      }
    },
    async readView(tenantId, environment, viewId) {
      const bits = viewBits(viewId)
      const [reply] = await run([["MGET", ...viewKeys(tenantId, viewId, 2 ** bits)]])
      const chunks = textsOf(reply)
      if (chunks.every((chunk) => chunk === null)) return null
      const texts = chunks.filter((chunk) => chunk !== null)
      if (verifyView(viewId, tenantId, environment, texts)) return { id: viewId, bits, chunks: texts }
      log.warn("Redis holds a view that cannot be used", { tenantId, environment, viewId })
      return null
    },
    async store(tenantId, environment, what) {
      await breaker.run(async () => {
        for (const batch of batchesOf(storing(tenantId, environment, what))) await ask(batch)
      })
    },
    async raiseMark({ scope, environment, epoch, seq }, event) {
      const key = marksKey(environment)
      const raise: RedisCommand = ["EVAL", RAISE_MARK, "1", key, scope, String(epoch), String(seq), ttl]
      await run(event ? [raise, told(event)] : [raise])
    },
    async ping() {
      await run([["PING"]])
    },
    async forget(tenantId) {
      let gone = 0
      let cursor = "0"
      do {
        const [reply] = await run([["SCAN", cursor, "MATCH", keysOfTenant(tenantId), "COUNT", SCAN_COUNT]])
        const [next, keys] = Array.isArray(reply) ? reply : []
        if (Array.isArray(keys) && keys.length > 0) {
          await run([["UNLINK", ...(keys as string[])]])
          gone += keys.length
        }
        cursor = String(next)
      } while (cursor !== "0")
      return gone
    },
  }
}
