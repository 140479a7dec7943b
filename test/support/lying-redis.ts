import { once } from "node:events"
import { createServer, type IncomingMessage } from "node:http"
import type { AddressInfo } from "node:net"

/**
 * How Redis deceives about one tenant: it gives the first pointer it was ever handed · half of each text ·
 * what it holds of another tenant · a pointer that names another tenant's view, and that view · it takes
 * everything and keeps nothing of it · it tells nobody.
 */
export type Lie = "older" | "truncated" | "foreign" | "forged" | "forgetful" | "mute"

type Command = readonly string[]
interface Reply {
  result?: unknown
}

/** Upstash's pipelines in front of a Redis, which says what it holds until it is told to lie. */
export interface LyingRedis {
  port: number
  /** About one tenant; `null` is the truth again. */
  lie(tenantId: string, lie: Lie | null): void
  /** Answers about it that were not the truth. */
  lied(tenantId: string): number
  /** Commands of this name that came, those about one tenant only if given. */
  count(name: string, tenantId?: string): number
  close(): Promise<void>
}

/** The tenant whose values are told for others'. */
export const STRANGER = "stranger"

const tenantOf = (command: Command): string | undefined =>
  /^hotswap:\{([^}]+)\}/.exec(command.find((word) => word.startsWith("hotswap:{")) ?? "")?.[1]

const bodyOf = async (request: IncomingMessage): Promise<string> => {
  let body = ""
  for await (const piece of request) body += piece
  return body
}

const halve = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(halve)
  return typeof value === "string" ? value.slice(0, Math.floor(value.length / 2)) : value
}

const isWrite = ([name = ""]: Command): boolean => ["SET", "EVAL", "PUBLISH"].includes(name)
const isRead = ([name = ""]: Command): boolean => ["GET", "MGET"].includes(name)
const isPointer = (command: Command): boolean => command[1]?.includes(":pointer:") ?? false

export const startLyingRedis = async (front: { url: string; token: string }): Promise<LyingRedis> => {
  const lies = new Map<string, Lie>()
  const first = new Map<string, string>()
  const lied = new Map<string, number>()
  const seen: Command[] = []

  const ask = async (commands: readonly Command[]): Promise<Reply[]> => {
    const answer = await fetch(`${front.url}/pipeline`, {
      method: "POST",
      headers: { authorization: `Bearer ${front.token}`, "content-type": "application/json" },
      body: JSON.stringify(commands),
    })
    return (await answer.json()) as Reply[]
  }

  /** What is done instead of the command, because of a lie. */
  const twisted = (command: Command): Command => {
    const lie = lies.get(tenantOf(command) ?? "")
    const silenced = lie === "forgetful" ? isWrite(command) : lie === "mute" && command[0] === "PUBLISH"
    if (silenced) return ["PING"]
    const asksForView = isRead(command) && !isPointer(command)
    if ((lie === "foreign" && isRead(command)) || (lie === "forged" && asksForView)) {
      return command.map((word) => word.replace(/^hotswap:\{[^}]+\}/, `hotswap:{${STRANGER}}`))
    }
    return command
  }

  const told = (command: Command, reply: Reply): Reply => {
    const lie = lies.get(tenantOf(command) ?? "")
    if (lie === undefined) return reply
    if (lie === "truncated" && isRead(command)) return { result: halve(reply.result) }
    if (lie === "older" && first.has(command[1]!)) return { result: first.get(command[1]!) }
    if (lie === "forged" && isRead(command) && isPointer(command)) {
      const own = reply.result
      const theirs = first.get(command[1]!.replace(/\{[^}]+\}/, `{${STRANGER}}`))
      if (typeof own !== "string" || theirs === undefined) return reply
      const view = (JSON.parse(theirs) as { stable: string }).stable
      return { result: own.replace(/"stable":"[^"]+"/, `"stable":"${view}"`) }
    }
    if (isWrite(command) && lie === "forgetful") return { result: command[0] === "SET" ? "OK" : 1 }
    return reply
  }

  const server = createServer((request, response) => {
    void (async () => {
      const commands = (JSON.parse(await bodyOf(request)) as unknown[][]).map(
        ([name, ...words]): Command => [String(name).toUpperCase(), ...words.map(String)],
      )
      seen.push(...commands)
      for (const command of commands)
        if (command[0] === "EVAL" && command[3]?.includes(":pointer:") && !first.has(command[3]))
          first.set(command[3], command[4]!)
      const [truths, replies] = [await truthsOf(commands), await ask(commands.map(twisted))]
      const answers = replies.map((reply, i) => told(commands[i]!, reply))
      note(commands, truths, answers)
      response.writeHead(200, { "content-type": "application/json" })
      response.end(JSON.stringify(answers))
    })().catch(() => response.destroy())
  })
  server.listen(0, "127.0.0.1")
  await once(server, "listening")
  return {
    port: (server.address() as AddressInfo).port,
    lied: (tenantId) => lied.get(tenantId) ?? 0,
    lie: (tenantId, lie) => {
      if (lie === null) lies.delete(tenantId)
      else lies.set(tenantId, lie)
    },
    count: (name, tenantId) =>
      seen.filter(
        (command) =>
          command[0] === name && (tenantId === undefined || tenantOf(command) === tenantId),
      ).length,
    close: async () => {
      const closed = once(server, "close")
      server.close()
      server.closeAllConnections()
      await closed
    },
  }
}
