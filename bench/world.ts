import { readFileSync } from "node:fs"
import { type RunningHotswap, removeHome, startHotswap, temporaryHome } from "../test/support/hotswap.ts"
import { type Contender, descendants } from "./processes.ts"

export const SMALL = { tenantId: "acme-corp", keys: 20 }
export const LARGE = { tenantId: "initech", keys: 10_000 }
export const ENVIRONMENT = "Development"

export const viewPath = (tenantId: string): string =>
  `/api/v1/configs/tenant/${tenantId}?environment=${ENVIRONMENT}`
export const keyOf = (index: number): string => `feature.flag_${index}`

/** A whole Hotswap as `npm start` runs it, with a small and a large tenant in it. */
export interface World {
  hotswap: RunningHotswap
  tokens: { small: string; large: string }
  /** The functions without the edge. Their process also holds the embedded Redis and the timers. */
  origin(token: string): Contender
  /** The Worker. */
  edge(token: string): Contender
  stop(): Promise<void>
}

const KEYS_PER_CHANGE = 2_500

const fill = async (hotswap: RunningHotswap, { tenantId, keys }: typeof SMALL): Promise<string> => {
  const must = async (method: string, path: string, body: unknown) => {
    const answer = await hotswap.call<{ token: string }>(method, path, { body })
    if (answer.status >= 300)
      throw new Error(`${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`)
    return answer.body
  }
  await must("POST", "/api/v1/tenants", { tenantId, name: tenantId })
  for (let from = 0; from < keys; from += KEYS_PER_CHANGE) {
    const edits = Array.from({ length: Math.min(KEYS_PER_CHANGE, keys - from) }, (_, i) => ({
      key: keyOf(from + i),
      value: i % 2 === 0,
    }))
    await must("POST", "/api/v1/changes", { tenantId, environment: ENVIRONMENT, edits })
  }
  const reader = { subject: "bench", roles: ["reader"], environment: ENVIRONMENT }
  return (await must("POST", `/api/v1/tenants/${tenantId}/tokens`, reader)).token
}

const isWorkerd = (pid: number): boolean => readFileSync(`/proc/${pid}/comm`, "utf8").startsWith("workerd")

export const startWorld = async (): Promise<World> => {
  const hotswap = await startHotswap({ home: await temporaryHome() })
  const tokens = { small: await fill(hotswap, SMALL), large: await fill(hotswap, LARGE) }
  const workerd = descendants(hotswap.pid).filter(isWorkerd)
  const contender = (name: string, url: string, pids: readonly number[], token: string): Contender => ({
    name,
    url,
    pids,
    headers: { authorization: `Bearer ${token}` },
    stop: async () => undefined,
  })
  return {
    hotswap,
    tokens,
    origin: (token) => contender("origin", hotswap.originUrl, [hotswap.pid], token),
    edge: (token) => contender("edge", hotswap.url, workerd, token),
    stop: async () => {
      await hotswap.stop()
      await removeHome(hotswap.home)
    },
  }
}
