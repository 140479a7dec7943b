import { HotswapClient } from "../../sdk/src/index.ts"
import type { HotswapOptions } from "../../sdk/src/types.ts"
import type { RunningHotswap } from "../support/hotswap.ts"

/** For `expect.poll`: what goes on behind takes a while on a busy machine. */
export const PATIENTLY = { timeout: 20_000, interval: 20 }

/** A tenant of the running service, and what an application and its people do with it in QA. */
export const createTenant = async (
  hotswap: RunningHotswap,
  tenantId: string,
  configs: object = { k: "old" },
) => {
  const must = async <T = Record<string, unknown>>(method: string, path: string, body?: unknown) => {
    const answer = await hotswap.call<T>(method, path, { body })
    if (answer.status >= 300) throw new Error(`${method} ${path}: ${JSON.stringify(answer.body)}`)
    return answer.body
  }
  const environment = "QA"
  await must("POST", "/api/v1/tenants", { tenantId, name: tenantId })
  const change = (values: object, strategy: object = { type: "direct" }) =>
    must<{ changeId: string }>("POST", "/api/v1/changes", {
      tenantId,
      environment,
      edits: Object.entries(values).map(([key, value]) =>
        value === undefined ? { key, delete: true } : { key, value },
      ),
      strategy,
    })
  await change(configs)
  const { token, tokenId } = await must<{ token: string; tokenId: string }>(
    "POST",
    `/api/v1/tenants/${tenantId}/tokens`,
    { subject: "app", roles: ["reader"], environment },
  )
  const clients: HotswapClient[] = []
  return {
    tenantId,
    token,
    tokenId,
    must,
    change,
    connect: (options: Partial<HotswapOptions> = {}) => {
      const client = new HotswapClient({ url: hotswap.url, token, tenantId, ...options })
      clients.push(client)
      return client
    },
    close: () => Promise.all(clients.map((client) => client.close())),
  }
}

export type Tenant = Awaited<ReturnType<typeof createTenant>>
