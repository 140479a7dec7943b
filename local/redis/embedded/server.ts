import {
  CONNECTION_COMMANDS,
  type Command,
  type Encoded,
  type Encoding,
  type Outcome,
  type RedisBackend,
} from "../backend.ts"
import { RedisFault, type Reply, Status, unknownCommand, wrongArity } from "../reply.ts"
import { Channels } from "./channels.ts"
import { type CommandDefinition, takes } from "./command.ts"
import { hashCommands } from "./hashes.ts"
import { keyCommands } from "./keys.ts"
import { Keyspace } from "./keyspace.ts"
import { listCommands } from "./lists.ts"
import { Scripts } from "./scripting.ts"
import { setCommands } from "./sets.ts"
import { sortedSetCommands } from "./sorted-sets.ts"
import { stringCommands } from "./strings.ts"

const SWEEP_INTERVAL_MS = 1_000

/**
 * A Redis in this process, for machines without one. It is a cache: nothing is kept on disk. Every command runs
 * to its end before the next, so each is atomic, as are transactions and scripts.
 */
export const embeddedRedis = (now: () => number = Date.now): RedisBackend => {
  const space = new Keyspace(now)
  const channels = new Channels()
  const commands = commandTable(channels)
  const execute = (words: Command): Reply => {
    const definition = find(commands, words)
    return definition.run(space, words.slice(1))
  }
  const scripts = new Scripts((words) => execute(scriptable(commands, words)))
  commands.set(
    "eval",
    takes(-3, (_space, args) => scripts.evaluate(args)),
  )
  commands.set(
    "evalsha",
    takes(-3, (_space, args) => scripts.evaluateKnown(args)),
  )
  commands.set(
    "script",
    takes(-2, (_space, args) => scripts.script(args)),
  )

  const sweeper = setInterval(() => space.sweep(), SWEEP_INTERVAL_MS).unref()
  const run = (batch: readonly Command[], encoding: Encoding): Outcome[] =>
    batch.map((words) => outcomeOf(() => execute(words), encoding))
  return {
    run,
    transaction: (batch, encoding) => {
      for (const words of batch) judge(commands, words)
      return run(batch, encoding)
    },
    subscribe: async (channel, listener) => channels.subscribe(channel, listener),
    subscribePattern: async (pattern, listener) => channels.subscribePattern(pattern, listener),
    close: async () => {
      clearInterval(sweeper)
      channels.clear()
    },
  }
}

const commandTable = (channels: Channels): Map<string, CommandDefinition> =>
  new Map(
    Object.entries({
      ...keyCommands,
      ...stringCommands,
      ...hashCommands,
      ...setCommands,
      ...listCommands,
      ...sortedSetCommands,
      publish: takes(3, (_space, [channel, message]) => channels.publish(channel!, message!)),
    }),
  )

const find = (commands: ReadonlyMap<string, CommandDefinition>, words: Command): CommandDefinition => {
  const name = words[0]!
  // Names mostly come in one case or the other; the map knows the lower one.
  const definition = commands.get(name) ?? commands.get(name.toLowerCase())
  if (definition === undefined) throw unknownCommand(name, words.slice(1))
  const { arity } = definition
  if (arity > 0 ? words.length !== arity : words.length < -arity) throw wrongArity(name)
  return definition
}

/** A transaction with a command that could never run is discarded as a whole. */
const judge = (commands: ReadonlyMap<string, CommandDefinition>, words: Command): void => {
  try {
    find(commands, words)
  } catch {
    throw new RedisFault("EXECABORT Transaction discarded because of previous errors.")
  }
}

/** Scripts get other words for the same mistakes, and may not run scripts. */
const scriptable = (commands: ReadonlyMap<string, CommandDefinition>, words: readonly string[]): Command => {
  const name = words[0]!.toLowerCase()
  if (CONNECTION_COMMANDS.has(name) || ["eval", "evalsha", "script"].includes(name))
    throw new RedisFault("ERR This Redis command is not allowed from script")
  const definition = commands.get(name)
  if (definition === undefined) throw new RedisFault("ERR Unknown Redis command called from script")
  const { arity } = definition
  if (arity > 0 ? words.length !== arity : words.length < -arity)
    throw new RedisFault("ERR Wrong number of args calling Redis command from script")
  return words
}

const outcomeOf = (run: () => Reply, encoding: Encoding): Outcome => {
  try {
    return { result: encode(run(), encoding) }
  } catch (error) {
    if (error instanceof RedisFault) return { error: error.message }
    throw error
  }
}

const encode = (reply: Reply, encoding: Encoding): Encoded => {
  if (typeof reply === "string") return encodeText(reply, encoding)
  if (reply instanceof Status) return encodeText(reply.text, encoding)
  return Array.isArray(reply) ? reply.map((element) => encode(element, encoding)) : reply
}
const encodeText = (text: string, encoding: Encoding): string =>
  encoding === "plain" || text === "OK" ? text : Buffer.from(text, "utf8").toString("base64")
