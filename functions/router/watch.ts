import type { TenantId } from "../../core/ids.ts"
import { takeDue } from "../../db/system-due.ts"
import type { RouterPlatform } from "../platform/compose-router.ts"
import { lookAt } from "../platform/deployments/look.ts"

/** Looks at the tenants' deployments that are due. */
export interface Watch {
  /** Returns how many tenants' were looked at: none is left that was due, unless there were many. */
  sweep(): Promise<number>
}

const BATCH = 200
/** Tenants looked at together: each has some targets, and most of the time is waiting for them. */
const TOGETHER = 32
/** Longer than a batch takes whose targets are all silent. Whoever dies over one leaves it until then. */
const LEASE_MS = 90_000

export const createWatch = (platform: RouterPlatform): Watch => {
  const { system, clock, log } = platform

  const look = async (tenantId: TenantId): Promise<void> => {
    try {
      await lookAt(platform, tenantId, { isDecisive: false })
    } catch (error) {
      // One whose credentials cannot be opened keeps no other from its turn.
      log.error("a tenant's deployments could not be looked at", { error, tenantId })
    }
  }

  return {
    sweep: async () => {
      const nowMs = clock.nowMs()
      const [now, leaseUntil] = [nowMs, nowMs + LEASE_MS].map((ms) => new Date(ms).toISOString())
      const due = await takeDue(system, "deployment_states", now!, leaseUntil!, BATCH)
      const left = [...due]
      const worker = async (): Promise<void> => {
        for (let next = left.pop(); next !== undefined; next = left.pop()) await look(next)
      }
      await Promise.all(Array.from({ length: Math.min(TOGETHER, due.length) }, worker))
      return due.length
    },
  }
}
