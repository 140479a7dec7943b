import { setTimeout as pause } from "node:timers/promises"
import { getsCandidate } from "../../core/release/bucket.ts"
import { stalenessOf } from "../../core/release/pointer-document.ts"
import { type RunningRedis, startRedis } from "../../local/redis/start.ts"
import { type RunningHotswap, removeHome, startHotswap, temporaryHome } from "../../test/support/hotswap.ts"
import { type RedisProxy, startRedisProxy } from "../../test/support/redis-proxy.ts"
import { connectStream, type StreamReader } from "../../test/support/stream.ts"
import { quantile, round } from "../statistics.ts"
import type { Report, Suite } from "./suite.ts"

const ENVIRONMENT = "QA"
const WEIGHT_BP = 1_000
const PUSHED = 120
const CROWDED = 20
const CROWD = 100
/** Without push a rollback takes seconds: so many tenants roll back side by side, so often. */
const TENANTS = 20
const ROUNDS = 5
const PUSH_GOAL_MS = 1_000
const POLL_GOAL_MS = 15_000

interface World {
  hotswap: RunningHotswap
  proxy: RedisProxy
  stop(): Promise<void>
}

/** All of it, as `npm start` runs it, with a Redis that can be taken away. */
const startWorld = async (): Promise<World> => {
  const redis: RunningRedis = await startRedis()
  const proxy = await startRedisProxy(redis)
  const env = { UPSTASH_REDIS_REST_URL: proxy.url, UPSTASH_REDIS_REST_TOKEN: proxy.token }
  const hotswap = await startHotswap({ home: await temporaryHome(), env })
  return {
    hotswap,
    proxy,
    stop: async () => {
      await hotswap.stop()
      await removeHome(hotswap.home)
      await proxy.close()
      await redis.stop()
    },
  }
}

interface View {
  arm: "stable" | "candidate"
  configs: { k: string }
}

/** A tenant, and the application that reads it. */
interface Tenant {
  /** What this subject has; of the revision that was told, or a newer one. */
  read(subject: string, toldRevision?: string): Promise<View>
  listen(): Promise<StreamReader>
  /** A rollout at 10 %, and a subject who is to have the candidate. */
  begin(): Promise<{ subject: string; tip(): Promise<void> }>
}

const createTenant = async ({ hotswap }: World, tenantId: string): Promise<Tenant> => {
  const must = async <T>(method: string, path: string, options: Parameters<RunningHotswap["call"]>[2]) => {
    const answer = await hotswap.call<T>(method, path, options)
    if (answer.status >= 300)
      throw new Error(`${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`)
    return answer.body
  }
  const post = <T>(path: string, body: unknown) => must<T>("POST", path, { body })
  await post("/api/v1/tenants", { tenantId, name: tenantId })
  await post("/api/v1/configs", { tenantId, environment: ENVIRONMENT, key: "k", value: "old" })
  const reader = { subject: "app", roles: ["reader"], environment: ENVIRONMENT }
  const { token } = await post<{ token: string }>(`/api/v1/tenants/${tenantId}/tokens`, reader)
  const path = `/api/v1/configs/tenant/${tenantId}?environment=${ENVIRONMENT}`
  const tip = async (revision: string): Promise<void> => {
    const report = { revision, instance: "server-1", seq: Date.now() }
    const reports = [
      { ...report, arm: "stable", ok: 90, errors: 0 },
      { ...report, arm: "candidate", ok: 5, errors: 5 },
    ]
    const said = await must<{ verdict: { kind: string } | null }>("POST", "/api/v1/outcomes", {
      token,
      body: { reports },
    })
    if (said.verdict?.kind !== "unhealthy") throw new Error(`it did not tip: ${JSON.stringify(said)}`)
  }
  return {
    read: (subject, toldRevision) =>
      must<View>("GET", `${path}&targetingKey=${subject}`, {
        token,
        headers: toldRevision === undefined ? {} : { "hotswap-at-least": toldRevision },
      }),
    listen: () => connectStream(`${hotswap.url}/api/v1/stream`, token),
    begin: async () => {
      const { changeId } = await post<{ changeId: string }>("/api/v1/changes", {
        tenantId,
        environment: ENVIRONMENT,
        edits: [{ key: "k", value: "new" }],
        strategy: { type: "canary", steps: [{ weightBp: WEIGHT_BP, holdMs: 600_000 }] },
      })
      const subjects = Array.from({ length: 1_000 }, (_, i) => `subject-${i}`)
      const subject = subjects.find((name) => getsCandidate(changeId, name, WEIGHT_BP))!
      const { revision } = await must<{ revision: string }>("GET", path, {})
      return { subject, tip: () => tip(revision) }
    },
  }
}

const isBack = ({ arm, configs }: View): boolean => arm === "stable" && configs.k === "old"

/** Reads after each event until the subject has what is wanted. */
const readOnEvents = async (
  tenant: Tenant,
  stream: StreamReader,
  subject: string,
  isWanted: (view: View) => boolean,
): Promise<void> => {
  for (;;) {
    const event = await stream.next()
    if (event === null) throw new Error("the stream ended")
    if (isWanted(await tenant.read(subject, event.id))) return
  }
}

/** Reads as often as a client without a stream should, beginning anywhere in that time. */
const readByPolling = async (tenant: Tenant, subject: string, isWanted: (view: View) => boolean) => {
  const { pollMs } = stalenessOf({ moving: true })
  for (let waitMs = Math.random() * pollMs; ; waitMs = pollMs) {
    await pause(waitMs)
    if (isWanted(await tenant.read(subject))) return
  }
}

/** Milliseconds from sending the report that tips until each reader has the old release again. */
const timeRollback = async (
  tip: () => Promise<void>,
  readers: readonly Promise<void>[],
): Promise<number[]> => {
  const started = performance.now()
  const backAfterMs = readers.map(async (reader) => {
    await reader
    return performance.now() - started
  })
  await tip()
  return await Promise.all(backAfterMs)
}

const isNew = ({ arm, configs }: View): boolean => arm === "candidate" && configs.k === "new"

const timePushed = async (tenant: Tenant, streams: readonly StreamReader[]): Promise<number[]> => {
  const { subject, tip } = await tenant.begin()
  await Promise.all(streams.map((stream) => readOnEvents(tenant, stream, subject, isNew)))
  return await timeRollback(
    tip,
    streams.map((stream) => readOnEvents(tenant, stream, subject, isBack)),
  )
}

const timePolled = async (tenant: Tenant): Promise<number[]> => {
  const { subject, tip } = await tenant.begin()
  while (!isNew(await tenant.read(subject))) await pause(100)
  return await timeRollback(tip, [readByPolling(tenant, subject, isBack)])
}

const report = (to: Report, name: string, timesMs: readonly number[], goalMs: number): void => {
  const p99Ms = round(quantile(timesMs, 0.99), 1)
  to.figure({
    suite: "rollback",
    name,
    values: {
      rollbacks: timesMs.length,
      p50Ms: round(quantile(timesMs, 0.5), 1),
      p99Ms,
      mostMs: round(Math.max(...timesMs), 1),
    },
    goal: { text: `p99 < ${goalMs / 1_000} s`, met: p99Ms < goalMs },
  })
}

const openStreams = async (tenant: Tenant, count: number): Promise<StreamReader[]> => {
  const streams = await Promise.all(Array.from({ length: count }, () => tenant.listen()))
  await Promise.all(streams.map((stream) => stream.next()))
  return streams
}

const withPush = async (world: World, to: Report): Promise<void> => {
  const tenant = await createTenant(world, "pushed")
  const streams = await openStreams(tenant, 1)
  const timesMs: number[] = []
  for (let i = 0; i < PUSHED; i++) timesMs.push(...(await timePushed(tenant, streams)))
  report(to, "push, from the tipping report to the reader", timesMs, PUSH_GOAL_MS)
  for (const stream of streams) stream.close()

  const crowded = await createTenant(world, "crowded")
  const crowd = await openStreams(crowded, CROWD)
  const lastMs: number[] = []
  for (let i = 0; i < CROWDED; i++) lastMs.push(Math.max(...(await timePushed(crowded, crowd))))
  report(to, `push, the last of ${CROWD} readers`, lastMs, PUSH_GOAL_MS)
  for (const stream of crowd) stream.close()
}

/** Many tenants side by side, each by itself. */
const sideBySide = async (
  tenants: readonly Tenant[],
  time: (tenant: Tenant, i: number) => Promise<number[]>,
) => {
  const timesMs: number[] = []
  for (let i = 0; i < ROUNDS; i++) timesMs.push(...(await Promise.all(tenants.map(time))).flat())
  return timesMs
}

const withoutPush = async (world: World, to: Report): Promise<void> => {
  const names = Array.from({ length: TENANTS }, (_, i) => `polled-${i}`)
  const tenants = await Promise.all(names.map((name) => createTenant(world, name)))
  const polled = await sideBySide(tenants, (tenant) => timePolled(tenant))
  report(to, "no stream: reads at the pace it is told", polled, POLL_GOAL_MS)
  world.proxy.set("down")
  const streams = await Promise.all(tenants.map((tenant) => openStreams(tenant, 1)))
  const looked = await sideBySide(tenants, (tenant, i) => timePushed(tenant, streams[i]!))
  report(to, "Redis dead: the stream looks for itself", looked, POLL_GOAL_MS)
}

/** End to end over HTTP: a report tips a rollout, and the reader who had its candidate has the old release again. */
export const rollback: Suite = {
  name: "rollback",
  run: async (to) => {
    const world = await startWorld()
    try {
      await withPush(world, to)
      await withoutPush(world, to)
    } finally {
      await world.stop()
    }
  },
}
