import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { type PostgresServer, startPostgres } from "../../local/postgres.ts"
import { startRedis } from "../../local/redis/start.ts"
import { keepSecrets, keySets } from "../../local/secrets.ts"
import { type FaultyWire, startFaultyWire } from "../support/faults.ts"
import {
  copyCluster,
  emptyHome,
  freePort,
  type RunningHotswap,
  removeHome,
  startHotswap,
} from "../support/hotswap.ts"
import { type LyingRedis, startLyingRedis } from "../support/lying-redis.ts"
import { redisServerBinary, startRedisServer } from "../support/redis.ts"
import { EDGE_SECRET } from "../support/scripted-origin.ts"

import { ENVIRONMENT } from "./tenant.ts"

type Stop = () => Promise<unknown>

/** All of Hotswap, with what may fail kept outside of it and behind wires that can be made to. */
export interface World {
  hotswap: RunningHotswap
  /** Before the Upstash front. */
  redisWire: FaultyWire
  redis: LyingRedis
  /** The pointer document that Redis really holds. */
  keptPointer(tenantId: string): Promise<string | null>
  databaseWire: FaultyWire
  /** The public keys of reader tokens, for an edge that is not Hotswap's own. */
  readerKeys: string
  /** `kill -9` of node and all its children. */
  kill(): Promise<void>
  /** On the same data and ports. */
  restart(): Promise<void>
  killPostgres(): Promise<void>
  restartPostgres(): Promise<void>
  close(): Promise<void>
}

/** A real Redis where there is one on this machine. */
const startBackingRedis = async (): Promise<{ url: string; token: string; stop: Stop }> => {
  if (redisServerBinary() === null) return await startRedis()
  const server = await startRedisServer()
  const front = await startRedis({ redisUrl: server.url })
  return { ...front, stop: () => front.stop().then(() => server.stop()) }
}

export const startWorld = async (): Promise<World> => {
  const home = await emptyHome()
  const directory = await mkdtemp(join(tmpdir(), "hotswap-database-"))
  await copyCluster(directory)
  const start = (port?: number): Promise<PostgresServer> =>
    // What is acknowledged has to outlive a kill -9.
    startPostgres({ directory, durability: "full", ...(port === undefined ? {} : { port }) })
  const [backing, first] = await Promise.all([startBackingRedis(), start()])
  let postgres = first
  const redis = await startLyingRedis(backing)
  const redisWire = await startFaultyWire({ port: redis.port })
  const databaseWire = await startFaultyWire({ port: postgres.port })
  const database = new URL(postgres.url("hotswap_owner"))
  database.port = String(databaseWire.port)
  const ports = { edge: await freePort(), origin: await freePort() }
  const launch = (): Promise<RunningHotswap> =>
    startHotswap({
      home,
      ports,
      env: {
        DATABASE_URL: database.href,
        UPSTASH_REDIS_REST_URL: `http://127.0.0.1:${redisWire.port}`,
        UPSTASH_REDIS_REST_TOKEN: "of-no-meaning-here",
        HOTSWAP_EDGE_SECRET: EDGE_SECRET,
      },
    })
  const world: World = {
    hotswap: await launch(),
    redisWire,
    redis,
    keptPointer: async (tenantId) => {
      const answer = await fetch(`${backing.url}/get/hotswap:{${tenantId}}:pointer:${ENVIRONMENT}`, {
        headers: { authorization: `Bearer ${backing.token}` },
      })
      return ((await answer.json()) as { result: string | null }).result
    },
    databaseWire,
    readerKeys: keySets(await keepSecrets(home)).verifying,
    kill: () => world.hotswap.kill("group"),
    restart: async () => {
      world.hotswap = await launch()
    },
    killPostgres: async () => {
      process.kill(postgres.pid, "SIGKILL")
      await postgres.exited
      // Gives the directory back; there is nothing left to stop.
      await postgres.stop()
    },
    restartPostgres: async () => {
      postgres = await start(postgres.port)
    },
    close: async () => {
      await world.hotswap.stop()
      await redisWire.close()
      await databaseWire.close()
      await redis.close()
      await backing.stop()
      await postgres.stop()
      await removeHome(home)
      await rm(directory, { recursive: true, force: true, maxRetries: 5 })
    },
  }
  return world
}
