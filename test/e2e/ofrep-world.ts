import { expect } from "vitest"
import type { RunningHotswap } from "../support/hotswap.ts"

/** A flag of each type there is, and what becomes of it for a member of the beta. */
const FLAGS = {
  "new-ui": {
    state: "ENABLED",
    variants: { on: true, off: false },
    defaultVariant: "off",
    targeting: { if: [{ "===": [{ var: "beta" }, true] }, "on", null] },
    metadata: { team: "growth", sprint: 7 },
  },
  greeting: { state: "ENABLED", variants: { short: "hi", long: "good morning" }, defaultVariant: "long" },
  "page-size": { state: "ENABLED", variants: { small: 20, large: 100 }, defaultVariant: "small" },
  ratio: { state: "ENABLED", variants: { half: 0.5 }, defaultVariant: "half" },
  theme: { state: "ENABLED", variants: { dark: { colour: "#111", sizes: [1, 2] } }, defaultVariant: "dark" },
  gone: { state: "DISABLED", variants: { on: true, off: false }, defaultVariant: "on" },
  half: { state: "ENABLED", variants: { on: true, off: false }, enabled: true, percentage: 50 },
} as const

/** Of a running service: a tenant with these flags in QA, a config that is none, and its reader token. */
export const createFlagTenant = async (hotswap: RunningHotswap, tenantId: string) => {
  const must = async <T = Record<string, unknown>>(method: string, path: string, body?: unknown) => {
    const answer = await hotswap.call<T>(method, path, { body })
    expect(answer.status, `${path}: ${JSON.stringify(answer.body)}`).toBeLessThan(300)
    return answer.body
  }
  await must("POST", "/api/v1/tenants", { tenantId, name: tenantId })
  const create = (key: string, value: unknown) =>
    must("POST", "/api/v1/configs", { tenantId, environment: "QA", key, value })
  await create("plain", { state: "of affairs" })
  for (const [key, flag] of Object.entries(FLAGS)) await create(key, flag)
  const { token, tokenId } = await must<{ token: string; tokenId: string }>(
    "POST",
    `/api/v1/tenants/${tenantId}/tokens`,
    { subject: "app", roles: ["reader"], environment: "QA" },
  )
  return {
    token,
    put: (key: string, value: unknown) => must("PUT", `/api/v1/configs/${tenantId}:QA:${key}`, { value }),
    revoke: () => must("DELETE", `/api/v1/tenants/${tenantId}/tokens/${tokenId}`),
  }
}
