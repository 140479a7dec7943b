import { expect } from "vitest"
import type { TenantId } from "../../../core/ids.ts"
import { openCertificate } from "../../../core/report/certificate.ts"
import type { Database } from "../../../db/client.ts"
import type { ErasureWorld } from "./erasure-world.ts"
import { must } from "./world.ts"

/** Fails one transaction, before it or after it. */
const dying = (database: Database, strike: () => "before" | "after" | null): Database => ({
  ...database,
  transaction: async (work, first) => {
    const when = strike()
    if (when === "before") throw new Error("killed")
    const result = await database.transaction(work, first)
    if (when === "after") throw new Error("killed")
    return result
  },
})

/** One tenant, killed at that step while it is erased, and erased again. `false`: there is no such step. */
const killedAt = async (world: ErasureWorld, step: number): Promise<{ counts: string } | null> => {
  const when = step % 2 === 0 ? ("before" as const) : ("after" as const)
  const tenantId = `killed-${step}`
  await must(world.call("POST", "/api/v1/tenants", { body: { tenantId, name: tenantId } }), 201)
  await world.fill(tenantId, "x")
  await must(world.call("DELETE", `/api/v1/tenants/${tenantId}`), 200)
  await world.letItBeDue(tenantId)
  let left = Math.floor(step / 2)
  const strike = () => (left-- === 0 ? when : null)
  await world.erase({ system: dying(world.system, strike), db: dying(world.app, strike) }).catch(() => 0)
  const isKilled = left < 0
  if (isKilled) await world.erase()
  const { state, rows, certificate } = await world.erasure(tenantId)
  expect({ step, state }).toEqual({ step, state: "erased" })
  expect(openCertificate(certificate as string, tenantId as TenantId, world.keys)).not.toBeNull()
  const rest = Object.entries(await world.dump(`tenant_id = '${tenantId}'`))
  expect(rest.filter(([table, text]) => text !== "" && table !== "epoch").map(([table]) => table)).toEqual([
    "erasures",
  ])
  return isKilled ? { counts: JSON.stringify(Object.entries(rows as object).sort()) } : null
}

/** Kills at every `stride`th step there is; returns how many that were. */
export const killedAtEveryStep = async (world: ErasureWorld, stride: number): Promise<number> => {
  const counts: string[] = []
  for (let step = 0; ; step += stride) {
    const killed = await killedAt(world, step)
    if (killed === null) break
    counts.push(killed.counts)
  }
  expect(counts.length * stride).toBeGreaterThan(60)
  expect(new Set(counts).size).toBe(1)
  const path = "/api/v1/audit?tenantId=~platform&action=tenant.erase&limit=200"
  const { body } = await must(world.call("GET", path), 200)
  const targets = (body.items as { target: string }[]).map(({ target }) => target)
  expect(new Set(targets).size).toBe(targets.length)
  return counts.length
}
