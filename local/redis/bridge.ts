import { Command as IoCommand, Redis } from "ioredis"
import {
  CONNECTION_COMMANDS,
  type Command,
  type Encoded,
  type Encoding,
  type Outcome,
  type RedisBackend,
} from "./backend.ts"
import { RedisFault, unknownCommand } from "./reply.ts"

const CONNECT_TIMEOUT_MS = 2_000

/** What the protocol gives when text is asked for as bytes. */
type Raw = Buffer | number | null | Error | Raw[]

/**
 * A real Redis, reached over its own protocol. Resolves once connected; rejects where nothing answers. A
 * connection lost later is made again, and until then commands fail at once instead of queueing.
 */
export const bridgeToRedis = async (url: string): Promise<RedisBackend> => {
  const connection = new Redis(url, {
    lazyConnect: true,
    connectTimeout: CONNECT_TIMEOUT_MS,
    maxRetriesPerRequest: 0,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    retryStrategy: (attempt) => Math.min(attempt * 50, 1_000),
  })
  // Without a listener ioredis prints each failed attempt to connect; callers see the failure themselves.
  connection.on("error", () => undefined)
  try {
    await connection.connect()
  } catch (error) {
    connection.disconnect()
    throw error
  }
  const subscriptions = subscriber(connection)
  return {
    run: async (commands, encoding) =>
      await Promise.all(commands.map((words) => outcome(send(connection, words), encoding))),
    transaction: (commands, encoding) => transaction(connection, commands, encoding),
    subscribe: (channel, listener) => subscriptions("subscribe", channel, listener),
    subscribePattern: (pattern, listener) => subscriptions("psubscribe", pattern, listener),
    close: async () => {
      connection.disconnect()
      subscriptions.close()
    },
  }
}

const send = async (connection: Redis, words: Command): Promise<Raw> => {
  const [name, ...args] = words as [string, ...string[]]
  if (CONNECTION_COMMANDS.has(name.toLowerCase())) throw unknownCommand(name, args)
  return (await connection.sendCommand(rawCommand(name, args))) as Raw
}

/** `replyEncoding` left out means bytes. In upper case, ioredis does not turn HGETALL into an object. */
const rawCommand = (name: string, args: string[]): IoCommand => {
  return new IoCommand(name.toUpperCase(), args)
}

const outcome = async (reply: Promise<Raw>, encoding: Encoding): Promise<Outcome> => {
  try {
    return { result: encode(await reply, encoding) }
  } catch (error) {
    return { error: faultText(error) }
  }
}

const faultText = (error: unknown): string => {
  if (error instanceof RedisFault) return error.message
  const message = error instanceof Error ? error.message : String(error)
  // Redis's own errors begin with a code in capitals; those of the connection do not.
  return /^[A-Z]+ /.test(message) ? message : `ERR ${message}`
}

const transaction = async (
  connection: Redis,
  commands: readonly Command[],
  encoding: Encoding,
): Promise<Outcome[]> => {
  for (const [name] of commands)
    if (CONNECTION_COMMANDS.has(name!.toLowerCase()))
      throw new RedisFault("EXECABORT Transaction discarded because of previous errors.")
  // Written in one go on one connection, so nothing of anybody else's comes between.
  const begun = connection.sendCommand(rawCommand("MULTI", []))
  const queued = commands.map(([name, ...args]) => connection.sendCommand(rawCommand(name!, args)))
  const executed = connection.sendCommand(rawCommand("EXEC", []))
  const [, result] = await Promise.all([
    Promise.allSettled([begun, ...queued]),
    (executed as Promise<Raw>).catch((error: unknown) => error as Error),
  ])
  if (result instanceof Error || !Array.isArray(result)) throw new RedisFault(faultText(result))
  return result.map((reply) =>
    reply instanceof Error ? { error: faultText(reply) } : { result: encode(reply, encoding) },
  )
}

const encode = (reply: Raw, encoding: Encoding): Encoded => {
  if (Array.isArray(reply)) return reply.map((element) => encode(element, encoding))
  if (reply instanceof Error) return reply.message
  if (reply === null || typeof reply === "number") return reply
  const text = Buffer.isBuffer(reply) ? reply : Buffer.from(String(reply))
  if (encoding === "plain") return text.toString("utf8")
  return text.length === 2 && text.toString("latin1") === "OK" ? "OK" : text.toString("base64")
}

type Kind = "subscribe" | "psubscribe"
type Listener = (message: string, channel: string) => void

/** One connection for all subscriptions, made with the first of them. */
const subscriber = (connection: Redis) => {
  let own: Redis | null = null
  const listeners = {
    subscribe: new Map<string, Set<Listener>>(),
    psubscribe: new Map<string, Set<Listener>>(),
  }
  const connected = (): Redis => {
    if (own !== null) return own
    own = connection.duplicate({ enableOfflineQueue: true, maxRetriesPerRequest: null })
    own.on("error", () => undefined)
    own.on("message", (channel, message) => {
      for (const listener of listeners.subscribe.get(channel) ?? []) listener(message, channel)
    })
    own.on("pmessage", (pattern, channel, message) => {
      for (const listener of listeners.psubscribe.get(pattern) ?? []) listener(message, channel)
    })
    return own
  }
  const subscribe = async (kind: Kind, name: string, listener: Listener): Promise<() => void> => {
    const there = listeners[kind].get(name) ?? new Set()
    listeners[kind].set(name, there.add(listener))
    await connected()[kind](name)
    return () => {
      there.delete(listener)
      if (there.size > 0) return
      listeners[kind].delete(name)
      // Where the connection is gone, so is the subscription.
      void connected()
        [kind === "subscribe" ? "unsubscribe" : "punsubscribe"](name)
        .catch(() => undefined)
    }
  }
  return Object.assign(subscribe, { close: () => own?.disconnect() })
}
