import { setTimeout as pause } from "node:timers/promises"
import type { TenantId } from "../../core/ids.ts"
import { createBackground } from "../../functions/platform/background.ts"
import { systemClock } from "../../functions/platform/clock.ts"
import { createLimits } from "../../functions/platform/limits.ts"
import { restSender } from "../../functions/platform/redis-rest.ts"
import type { RunningRedis } from "../../local/redis/start.ts"
import { type RunningHotswap, removeHome, startHotswap, temporaryHome } from "../../test/support/hotswap.ts"
import { redisServerBinary, startTestRedis } from "../../test/support/redis.ts"
import { median, pairedRatio, quantile, round } from "../statistics.ts"
import type { Report, Suite } from "./suite.ts"

const CALLERS = 64
const ROUNDS = 7
const PER_ROUND = 3_200
const WRITES = 300
const QUIET_MS = 30

const silent = { info: () => {}, warn: () => {}, error: () => {} }

/** How many a second, asked by so many callers at once. */
const rateOf = async (work: (index: number) => Promise<unknown>, count: number): Promise<number> => {
  let next = 0
  const started = performance.now()
  const caller = async () => {
    while (next < count) await work(next++)
  }
  await Promise.all(Array.from({ length: CALLERS }, caller))
  return (count * 1_000) / (performance.now() - started)
}

const against = async (kind: RunningRedis["kind"], report: Report): Promise<void> => {
  const redis = await startTestRedis(kind)
  const send = restSender({ ...redis, deadlineMs: 60_000 })
  const limits = createLimits({ send, clock: systemClock, log: silent, background: createBackground(silent) })
  const what = (action: string) => ({
    tenantId: "acme" as TenantId,
    environment: "Production" as never,
    action,
  })
  const minute = { windowMs: 60_000 }
  const contenders = {
    bare: () => send([["EVAL", "return 1", "1", "hotswap:{acme}:bare"]]),
    taken: (index: number) => limits.take(what(`taken-${index % 10}`), { max: 1_000_000, ...minute }, 1),
    refused: () => limits.take(what("refused"), { max: 100, ...minute }, 1),
  }
  const rates = { bare: [] as number[], taken: [] as number[], refused: [] as number[] }
  const names = Object.keys(contenders) as (keyof typeof contenders)[]
  for (const name of names) await rateOf(contenders[name], PER_ROUND / 4)
  for (let round = 0; round < ROUNDS; round++)
    for (const name of names) rates[name].push(await rateOf(contenders[name], PER_ROUND))
  await redis.stop()
  const takenRatio = round(pairedRatio(rates.taken, rates.bare))
  report.figure({
    suite: "limits",
    name: `consume over ${kind === "bridge" ? "a real Redis" : "the embedded Redis"}, ${CALLERS} callers`,
    values: {
      takenPerSecond: Math.round(median(rates.taken)),
      refusedPerSecond: Math.round(median(rates.refused)),
      bareEvalPerSecond: Math.round(median(rates.bare)),
      takenRatio,
      refusedRatio: round(pairedRatio(rates.refused, rates.bare)),
    },
    // The embedded one runs Lua in JavaScript: it is for machines without a Redis, and for nobody's production.
    ...(kind === "bridge" ? { goal: { text: "≥ 0.5 of a bare EVAL's rate", met: takenRatio >= 0.5 } } : {}),
  })
}

interface Guarded {
  hotswap: RunningHotswap
  token: string
}

const startGuarded = async (managementLimits: "on" | "off"): Promise<Guarded> => {
  const env = { HOTSWAP_MANAGEMENT_LIMITS: managementLimits }
  const hotswap = await startHotswap({ home: await temporaryHome(), env })
  await hotswap.call("POST", "/api/v1/tenants", { body: { tenantId: "acme", name: "acme", tier: "Pro" } })
  const body = { subject: "engineer", roles: ["engineer"] }
  const { token } = (await hotswap.call<{ token: string }>("POST", "/api/v1/tenants/acme/tokens", { body }))
    .body
  const config = { tenantId: "acme", environment: "Development", key: "k", value: -1 }
  await hotswap.call("POST", "/api/v1/configs", { body: config })
  return { hotswap, token }
}

const write = async ({ hotswap, token }: Guarded, value: number): Promise<number> => {
  await pause(QUIET_MS)
  const started = performance.now()
  const answer = await hotswap.call("PUT", "/api/v1/configs/acme:Development:k", {
    token,
    body: { value },
    origin: true,
  })
  if (answer.status !== 200) throw new Error(`${answer.status} ${JSON.stringify(answer.body)}`)
  return performance.now() - started
}

const consume = async ({ hotswap, token }: Guarded): Promise<void> => {
  const path = "/api/v1/tenants/acme/limits/eligibility_check/consume"
  const answer = await hotswap.call("POST", path, { token, body: {}, origin: true })
  if (answer.status !== 200 && answer.status !== 429) throw new Error(String(answer.status))
}

/** What a tenant's writer waits for, with the service's own limit and without. */
const guard = async (report: Report): Promise<void> => {
  const on = await startGuarded("on")
  const off = await startGuarded("off")
  const times = { on: [] as number[], off: [] as number[] }
  for (let i = 0; i < 50; i++) for (const one of [on, off]) await write(one, i)
  for (let i = 0; i < WRITES; i++) {
    times.off.push(await write(off, 1_000 + i))
    times.on.push(await write(on, 1_000 + i))
  }
  const ratio = round(median(times.on) / median(times.off))
  report.figure({
    suite: "limits",
    name: "a write, with the management limit against without",
    values: {
      onP50Ms: round(median(times.on)),
      offP50Ms: round(median(times.off)),
      onP99Ms: round(quantile(times.on, 0.99)),
      offP99Ms: round(quantile(times.off, 0.99)),
      ratio,
    },
    goal: { text: "≤ 1.05 × without", met: ratio <= 1.05 },
  })
  const rates: number[] = []
  for (let round = 0; round < 3; round++) rates.push(await rateOf(() => consume(off), 1_500))
  report.figure({
    suite: "limits",
    name: `consume over HTTP, ${CALLERS} callers`,
    values: { perSecond: Math.round(median(rates)) },
  })
  for (const { hotswap } of [on, off]) {
    await hotswap.stop()
    await removeHome(hotswap.home)
  }
}

export const limits: Suite = {
  name: "limits",
  run: async (report) => {
    await against("embedded", report)
    if (redisServerBinary() !== null) await against("bridge", report)
    await guard(report)
  },
}
