import { Redis } from "ioredis"
import { describe, expect, test } from "vitest"
import { restSender } from "../../../functions/platform/redis-rest.ts"
import type { RedisReply, RedisSender } from "../../../functions/platform/redis-sender.ts"
import { redisServerBinary, startRedisServer, startTestRedis } from "../../support/redis.ts"
import { agreesWithModel, CALLERS, crowds } from "./limit-windows.ts"

const ROUNDS = 10_000
const SEQUENCES = 2_000

interface Callers {
  sendOf(caller: number): RedisSender
  stop(): Promise<void>
}

/** Each caller over a connection of its own, so that the server alone says who comes first. */
const overServer = async (): Promise<Callers> => {
  const server = await startRedisServer()
  const connections = Array.from({ length: CALLERS }, () => new Redis(server.url))
  const senders = connections.map(
    (connection): RedisSender =>
      (commands) =>
        Promise.all(commands.map(([name, ...args]) => connection.call(name, ...args) as Promise<RedisReply>)),
  )
  return {
    sendOf: (caller) => senders[caller]!,
    stop: async () => {
      for (const connection of connections) connection.disconnect()
      await server.stop()
    },
  }
}

const overEmbedded = async (): Promise<Callers> => {
  const redis = await startTestRedis("embedded")
  const send = restSender({ ...redis, deadlineMs: 60_000 })
  return { sendOf: () => send, stop: redis.stop }
}

const prove = (name: string, start: () => Promise<Callers>): void => {
  test(`${ROUNDS} rounds of ${CALLERS} callers at once: never one too many, never one too few`, async () => {
    const { sendOf, stop } = await start()
    const tally = await crowds(sendOf, { rounds: ROUNDS, seed: 10_000 })
    await stop()
    console.log(`${name}: ${tally.allowed} let through, ${tally.refused} refused`)
    expect(tally.allowed + tally.refused).toBe(ROUNDS * CALLERS)
  })

  test(`${SEQUENCES} sequences of takings and questions answer as the model does`, async () => {
    const { sendOf, stop } = await start()
    await agreesWithModel(sendOf(0), { runs: SEQUENCES, seed: 3_000 })
    await stop()
  })
}

describe("windows in the embedded Redis", () => prove("embedded", overEmbedded))
describe.skipIf(redisServerBinary() === null)("windows in a real Redis", () => prove("real", overServer))
