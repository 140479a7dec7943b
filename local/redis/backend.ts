/** A command and its arguments, the name first, as it came in. */
export type Command = readonly string[]

/** A reply as the REST protocol shows it: strings are already encoded as the request asked. */
export type Encoded = string | number | null | Encoded[]
export type Outcome = { result: Encoded } | { error: string }

/** How strings are put into the JSON of an answer: `base64` of their bytes, or as they are. */
export type Encoding = "base64" | "plain"

/**
 * The Redis behind the REST front. Both back ends, the bridge to a real server and the embedded one, pass
 * `test/contracts/redis.contract.ts`.
 */
export interface RedisBackend {
  /** Runs commands in order, each on its own: a fault in one does not keep the next from running. */
  run(commands: readonly Command[], encoding: Encoding): Outcome[] | Promise<Outcome[]>
  /** Runs commands with nothing in between. Rejects with a `RedisFault` when Redis discards the transaction. */
  transaction(commands: readonly Command[], encoding: Encoding): Outcome[] | Promise<Outcome[]>
  /** Resolves once subscribed, to the function that ends the subscription. */
  subscribe(channel: string, listener: (message: string) => void): Promise<() => void>
  /** As {@link subscribe}, to every channel that matches. */
  subscribePattern(pattern: string, listener: (message: string, channel: string) => void): Promise<() => void>
  close(): Promise<void>
}

/**
 * Commands that take over or end the connection they arrive on. Over HTTP there is none, so neither back end
 * has them (nor does the Upstash service).
 */
export const CONNECTION_COMMANDS: ReadonlySet<string> = new Set(
  (
    "auth bgrewriteaof bgsave blmove blmpop blpop brpop brpoplpush bzmpop bzpopmax bzpopmin client cluster config debug " +
    "discard exec failover hello monitor multi psubscribe psync punsubscribe quit replconf replicaof reset save " +
    "select shutdown slaveof ssubscribe subscribe sunsubscribe swapdb sync unsubscribe unwatch wait watch"
  ).split(" "),
)
