import type { Environment } from "../../../core/environment.ts"
import type { OutcomeReport } from "../../../core/gate/evidence.ts"
import { SETTLE_MS } from "../../../core/gate/waves.ts"
import { PLATFORM, type TenantId } from "../../../core/ids.ts"
import { type Arm, releaseFor } from "../../../core/release/arms.ts"
import { formatRevision } from "../../../core/release/revision.ts"
import { readPointer } from "../../../db/queries/reading.ts"
import { must } from "../manage/world.ts"
import { createGateWorld, type Reported } from "./world.ts"

const ENVIRONMENT = "QA" as Environment
/** What was reported has settled by then. */
export const ENOUGH_MS = SETTLE_MS + 1_000
export const HOLD_MS = 600_000
export const FAILING = { ok: 100, errors: 100 }
const FINE = { ok: 200, errors: 0 }
const CONTROLS = 4

export type WavesWorld = Awaited<ReturnType<typeof createWavesWorld>>
export type Waves = Awaited<ReturnType<WavesWorld["waves"]>>

interface Shown {
  state: string
  step: number | null
  paused: boolean
  reason: string | null
  tripped?: { tenantId: string; words: string }[]
}

/** Changes of the platform in QA, which asks nobody: first a few tenants by name, then everyone. */
export const createWavesWorld = async () => {
  const world = await createGateWorld()
  const readers = new Map<TenantId, string>()
  let ending = async () => {}

  const read = async (tenantId: TenantId) => (await readPointer(world.app, tenantId, ENVIRONMENT, []))!

  const newTenant = async (name: string): Promise<TenantId> => {
    const { tenantId, issue } = await world.tenant(name)
    readers.set(tenantId as TenantId, await issue(`app@${name}`, ["reader"], "QA"))
    return tenantId as TenantId
  }

  let seq = 0
  const report = async (
    tenantId: TenantId,
    counts: Pick<OutcomeReport, "ok" | "errors">,
  ): Promise<OutcomeReport> => {
    const { epoch, layers } = await read(tenantId)
    seq += 1
    const revision = formatRevision({
      epoch,
      platform: layers.platform.seq,
      tier: layers.tier.seq,
      tenant: layers.tenant.seq,
    })
    return { revision, arm: "stable", instance: "server-1", seq, ...counts }
  }

  const tell = async (tenantId: TenantId, counts: Pick<OutcomeReport, "ok" | "errors">) =>
    await must(world.send(readers.get(tenantId)!, { reports: [await report(tenantId, counts)] }), 202)

  /** A rollout that has reached so many tenants, beside some that it has not. They go one at a time. */
  const waves = async (name: string, count: number) => {
    await ending()
    const named = (kind: string, many: number) =>
      Promise.all(Array.from({ length: many }, (_, i) => newTenant(`${name}-${kind}-${i}`)))
    const tenants = await named("reached", count)
    const others = await named("other", CONTROLS)
    const everyone = [...tenants, ...others]
    for (const tenantId of everyone) await tell(tenantId, { ok: 400, errors: 0 })
    const body = {
      tenantId: PLATFORM,
      environment: "QA",
      edits: [{ key: `k.${name}`, value: 1 }],
      strategy: {
        type: "rolling",
        waves: [
          { tenants, holdMs: HOLD_MS },
          { weightBp: 10_000, holdMs: HOLD_MS },
        ],
      },
    }
    const { changeId } = (
      await must(world.call<Shown & { changeId: string }>("POST", "/api/v1/changes", { body }), 202)
    ).body
    const path = `/api/v1/changes/${encodeURIComponent(changeId)}`
    const show = async () => (await must(world.call<Shown>("GET", path), 200)).body
    ending = async () => {
      if ((await show()).state === "rolling_out")
        await must(world.call("POST", `${path}/abort`, { body: {} }), 200)
    }
    return {
      changeId,
      tenants,
      others,
      show,
      tell,
      report,
      reader: (tenantId: TenantId) => readers.get(tenantId)!,
      pointer: async () => (await read(tenants[0]!)).layers.platform,
      /** Which of the platform's releases the tenant reads. */
      reads: async (tenantId: TenantId): Promise<Arm> => {
        const { tenant, layers } = await read(tenantId)
        const { platform } = layers
        return releaseFor(platform, tenantId, tenant.tier) === platform.stable ? "stable" : "candidate"
      },
      everyoneFine: async () => {
        for (const tenantId of everyone) await tell(tenantId, FINE)
        world.moveClock(ENOUGH_MS)
        for (const tenantId of everyone) await tell(tenantId, FINE)
      },
      /** Half of its requests fail, and go on failing. */
      fails: async (tenantId: TenantId): Promise<Reported> => {
        world.moveClock(ENOUGH_MS)
        await tell(tenantId, FAILING)
        world.moveClock(ENOUGH_MS)
        return (await tell(tenantId, FAILING)).body
      },
      advance: () => must(world.call("POST", `${path}/advance`, { body: { step: 0 } }), 200),
      audit: async () =>
        (
          await must(
            world.call<{ items: { action: string }[] }>(
              "GET",
              `/api/v1/audit?tenantId=${encodeURIComponent(PLATFORM)}&target=${encodeURIComponent(changeId)}`,
            ),
            200,
          )
        ).body.items,
    }
  }

  return { ...world, waves }
}
