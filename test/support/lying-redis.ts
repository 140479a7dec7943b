import { once } from "node:events"
import { createServer, type IncomingMessage } from "node:http"
import type { AddressInfo } from "node:net"

/**
 * How Redis deceives about one tenant: it gives the first pointer it was ever handed, as a new one · half of each text ·
 * what it holds of another tenant · a pointer that names another tenant's view, and that view · it takes
 * everything and keeps nothing of it · it keeps everything and tells nobody.
 */
export type Lie = "older" | "truncated" | "foreign" | "forged" | "forgetful" | "mute"

/** Upstash's pipelines in front of a Redis, which says what it holds until it is told to lie. */
export interface LyingRedis {
  port: number
  /** `null`: the truth again. */
  lie(tenantId: string, lie: Lie | null): void
  /** Answers about this tenant that were not the truth. */
  lied(tenantId: string): number
  /** Commands of this name that came, those about one tenant only if given; without those for what comes along with another. */
  count(name: string, tenantId?: string): number
  close(): Promise<void>
}

/** The tenant whose values are told for others'. */
export const STRANGER = "stranger"

type Command = readonly string[]
type Reply = { result?: unknown; error?: string }

const READ_AT = /"readAtMs":\d+/
const READS = ["GET", "MGET"]
const WRITES = ["SET", "EVAL", "PUBLISH"]

const tenantOf = (command: Command): string =>
  /^hotswap:\{([^}]+)\}/.exec(command.find((word) => word.startsWith("hotswap:{")) ?? "")?.[1] ?? ""

const isPointer = (key: string): boolean => key.includes(":pointer:")
/** The small view that was stored last, with its name before it. */
const isLast = (key: string): boolean => key.includes(":last:")

const halve = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(halve)
  return typeof value === "string" ? value.slice(0, Math.floor(value.length / 2)) : value
}

const isSwallowed = (lie: Lie | undefined, [name = ""]: Command): boolean =>
  lie === "forgetful" ? WRITES.includes(name) : lie === "mute" && name === "PUBLISH"

/** What was written, for those who tell it again where it does not belong. */
interface Memory {
  first: Map<string, string>
  /** A view of the stranger's with something in it, and the pointer that names it. */
  strangersView: { id: string; text: string }
  strangersPointer: string
}

const strangersText = (key: string, { strangersView: { id, text } }: Memory): unknown =>
  isLast(key) ? `${id} ${text}` : [text]

/** What is said of a key in the place of `truth`. */
const spoken = (lie: Lie, [name, key = ""]: Command, truth: unknown, memory: Memory): unknown => {
  if (!READS.includes(name!)) return truth
  switch (lie) {
    case "older":
      // As if it had only just been read: what is merely old is of no use to anybody anyhow.
      return memory.first.get(key)?.replace(READ_AT, READ_AT.exec(String(truth))?.[0] ?? "$&") ?? truth
    case "truncated":
      return halve(truth)
    case "foreign":
      return isPointer(key) ? memory.strangersPointer : strangersText(key, memory)
    case "forged":
      if (!isPointer(key)) return strangersText(key, memory)
      return String(truth).replace(/"stable":"[^"]+"/, `"stable":"${memory.strangersView.id}"`)
    default:
      return truth
  }
}

const noteWritten = (memory: Memory, [name, ...words]: Command): void => {
  const [key, text] = name === "EVAL" ? words.slice(2) : words
  if (key === undefined || text === undefined || !["EVAL", "SET"].includes(name!)) return
  if (isPointer(key) && !memory.first.has(key)) memory.first.set(key, text)
  if (!key.startsWith(`hotswap:{${STRANGER}}`) || isLast(key)) return
  if (!isPointer(key) && text !== "{}")
    memory.strangersView = { id: key.slice(key.lastIndexOf(":") + 1), text }
  else if (isPointer(key) && text.includes(memory.strangersView.id)) memory.strangersPointer = text
}

const bodyOf = async (request: IncomingMessage): Promise<string> => {
  let body = ""
  for await (const piece of request) body += piece
  return body
}

export const startLyingRedis = async (front: { url: string; token: string }): Promise<LyingRedis> => {
  const lies = new Map<string, Lie>()
  const lied = new Map<string, number>()
  const memory: Memory = { first: new Map(), strangersView: { id: "none", text: "" }, strangersPointer: "" }
  const seen: Command[] = []

  const ask = async (commands: readonly Command[]): Promise<Reply[]> => {
    const answer = await fetch(`${front.url}/pipeline`, {
      method: "POST",
      headers: { authorization: `Bearer ${front.token}`, "content-type": "application/json" },
      body: JSON.stringify(commands),
    })
    return (await answer.json()) as Reply[]
  }

  const answerTo = (command: Command, truth: Reply): Reply => {
    const tenantId = tenantOf(command)
    const lie = lies.get(tenantId)
    if (lie === undefined) return truth
    const result = isSwallowed(lie, command) ? "OK" : spoken(lie, command, truth.result, memory)
    if (JSON.stringify(result) !== JSON.stringify(truth.result))
      lied.set(tenantId, (lied.get(tenantId) ?? 0) + 1)
    return { result }
  }

  const server = createServer((request, response) => {
    void (async () => {
      const commands = (JSON.parse(await bodyOf(request)) as unknown[][]).map(
        ([name, ...words]): Command => [String(name).toUpperCase(), ...words.map(String)],
      )
      seen.push(...commands)
      for (const command of commands) noteWritten(memory, command)
      const truths = await ask(
        commands.map((command) => (isSwallowed(lies.get(tenantOf(command)), command) ? ["PING"] : command)),
      )
      response.writeHead(200, { "content-type": "application/json" })
      response.end(JSON.stringify(truths.map((truth, i) => answerTo(commands[i]!, truth))))
    })().catch(() => response.destroy())
  })
  server.listen(0, "127.0.0.1")
  await once(server, "listening")
  return {
    port: (server.address() as AddressInfo).port,
    lie: (tenantId, lie) => {
      if (lie === null) lies.delete(tenantId)
      else lies.set(tenantId, lie)
    },
    lied: (tenantId) => lied.get(tenantId) ?? 0,
    count: (name, tenantId) =>
      seen.filter(
        (command) =>
          command[0] === name &&
          !isLast(command[1] ?? "") &&
          (tenantId ?? tenantOf(command)) === tenantOf(command),
      ).length,
    close: async () => {
      const closed = once(server, "close")
      server.close()
      server.closeAllConnections()
      await closed
    },
  }
}
