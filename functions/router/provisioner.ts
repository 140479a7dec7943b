import type { TenantId } from "../../core/ids.ts"
import {
  advanced,
  isUnderWay,
  type Provisioning,
  type ProvisioningEvent,
  type Working,
} from "../../core/provisioning/state.ts"
import { type DeploymentsRow, findDeployments } from "../../db/queries/deployments.ts"
import {
  activateProvisioning,
  findProvisioning,
  forgetDue,
  type Kept,
  writeProvisioning,
} from "../../db/queries/provisionings.ts"
import { takeDue } from "../../db/system-due.ts"
import { blocksOf } from "../platform/addresses.ts"
import type { RouterPlatform } from "../platform/compose-router.ts"
import { createClients, type TenantClients } from "../platform/deployments/clients.ts"
import { activated, type Both, type Step, stepOf } from "./steps.ts"

/** Goes on with tenants' provisionings that are due. */
export interface Provisioner {
  /** Returns how many tenants' were gone on with. */
  sweep(): Promise<number>
}

/** What was written, and whether that is all for now. */
interface Written {
  kept: Kept<Provisioning>
  isOver: boolean
}

/** Under way at once in a process. */
const TOGETHER = 2
/** So long one is gone on with before others have their turn. */
const TURN_MS = 10_000
/** Longer than a step takes whose backends are silent. Whoever dies over one leaves it until then. */
const LEASE_MS = 300_000

const SERVICE = { subject: "clock", tokenId: "system" }

/** What the audit holds of what the service does by itself: where it ends, and when a tenant's requests go elsewhere. */
const ACTIONS: Partial<Record<ProvisioningEvent["type"], string>> = {
  activated: "provisioning.activate",
  settled: "provisioning.settle",
  failed: "provisioning.fail",
}

export const createProvisioner = (platform: RouterPlatform): Provisioner => {
  const { db, system, clock, log, settings } = platform

  const inMs = (ms: number): string => new Date(clock.nowMs() + ms).toISOString()

  const auditOf = (tenantId: TenantId, { number, digest }: Provisioning, event: ProvisioningEvent) => {
    const action = ACTIONS[event.type]
    if (action === undefined) return undefined
    const why = event.type === "failed" ? { reason: event.reason } : {}
    return { action, actor: SERVICE, target: tenantId, detail: { number, digest, ...why } }
  }

  /** The plan's as if they were active; the others with what the tenant entered them with. */
  const bothOf = (opened: (() => void)[], row: DeploymentsRow, { plan, former }: Provisioning): Both => {
    const opener = (as: Pick<DeploymentsRow, "deployments" | "vouched">) => {
      let made: Promise<TenantClients> | undefined
      const open = async (): Promise<TenantClients> => {
        const clients = createClients({ ...platform, allowed: blocksOf(settings.outboundAllow) })
        const ofTenant = await clients.of({ ...row, ...as }, performance.now())
        opened.push(ofTenant.release, clients.close)
        return ofTenant
      }
      return () => {
        made ??= open()
        return made
      }
    }
    const planned = { deployments: plan.deployments, vouched: plan.backends }
    return { planned: opener(planned), former: opener(former) }
  }

  /** `null`: somebody altered it meanwhile. */
  const write = async (
    tenantId: TenantId,
    before: Kept<Provisioning>,
    { event, pauseMs }: Step,
    isLast: boolean,
  ): Promise<Written | null> => {
    const document = advanced(before.document, event, clock.nowMs())
    const isOver = isLast || pauseMs > 0 || !isUnderWay(document)
    const dueAt = isUnderWay(document) ? inMs(isOver ? pauseMs : LEASE_MS) : null
    const audit = auditOf(tenantId, before.document, event)
    const kept = await writeProvisioning(db, tenantId, {
      before,
      document,
      dueAt,
      ...(audit ? { audit } : {}),
    })
    return kept && { kept, isOver }
  }

  const activate = async (tenantId: TenantId, before: Kept<Provisioning>, row: DeploymentsRow) => {
    const to = activated(before.document, row)
    if (to === null) {
      const words =
        "The tier or the backends were altered since the plan was applied: apply one that is made of them as they are."
      return await write(
        tenantId,
        before,
        { event: { type: "failed", reason: "altered", words }, pauseMs: 0 },
        true,
      )
    }
    const event = { type: "activated" } as const
    const document = advanced(before.document, event, clock.nowMs())
    const kept = await activateProvisioning(db, tenantId, {
      ...to,
      before,
      document,
      dueAt: isUnderWay(document) ? inMs(0) : null,
      audit: auditOf(tenantId, document, event)!,
      tenantVersion: row.version,
      environments: settings.environments,
    })
    // The tenant, or this, moved in the same moment: looked at anew.
    return kept && { kept, isOver: true }
  }

  const goOn = async (tenantId: TenantId, opened: (() => void)[]): Promise<void> => {
    const untilMs = clock.nowMs() + TURN_MS
    const found = await findProvisioning(db, tenantId)
    const row = await findDeployments(db, tenantId)
    if (!found || !row || !isUnderWay(found.document)) return await forgetDue(db, tenantId)
    const both = bothOf(opened, row, found.document)
    for (let before = found; ; ) {
      const standing = before.document.standing as Working
      const isLast = clock.nowMs() >= untilMs
      const written: Written | null =
        standing.state === "activating"
          ? await activate(tenantId, before, (await findDeployments(db, tenantId)) ?? row)
          : await write(tenantId, before, await stepOf(platform, both, before.document, standing), isLast)
      if (!written || written.isOver) return
      before = written.kept
    }
  }

  const goOnWith = async (tenantId: TenantId): Promise<void> => {
    const opened: (() => void)[] = []
    try {
      await goOn(tenantId, opened)
    } catch (error) {
      // One that cannot be gone on with keeps no other from its turn.
      log.error("a tenant's provisioning could not be gone on with", { error, tenantId })
    } finally {
      for (const close of opened) close()
    }
  }

  return {
    sweep: async () => {
      const due = await takeDue(system, "provisionings", inMs(0), inMs(LEASE_MS), TOGETHER)
      await Promise.all(due.map(goOnWith))
      return due.length
    },
  }
}
