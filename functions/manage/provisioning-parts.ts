import { BACKENDS, type BackendName, type Deployments } from "../../core/deployment/deployments.ts"
import { Refusal } from "../../core/errors.ts"
import type { TenantId } from "../../core/ids.ts"
import { canonical, type Json, type JsonObject } from "../../core/json.ts"
import { shareOf } from "../../core/provisioning/pass.ts"
import { digestOf, type Plan, planOf } from "../../core/provisioning/plan.ts"
import { type Former, type Provisioning, remainsOf, type Standing } from "../../core/provisioning/state.ts"
import { type DeploymentsRow, findDeployments } from "../../db/queries/deployments.ts"
import { findTemplate, type Kept } from "../../db/queries/provisionings.ts"
import { tenantNotFound } from "../http/permit.ts"
import type { ManageDeps } from "./deps.ts"

/** What the tenant's tier asks for now, and the tenant as it is. Throws TENANT_NOT_FOUND, TEMPLATE_INCOMPLETE. */
export const planNow = async (
  { db }: ManageDeps,
  tenantId: TenantId,
  backends: readonly BackendName[],
): Promise<{ plan: Plan; row: DeploymentsRow }> => {
  const row = await findDeployments(db, tenantId)
  if (!row) throw tenantNotFound(tenantId)
  const { document: template } = await findTemplate(db)
  return { plan: planOf(tenantId, row.tier, backends, template), row }
}

/** Is it still what the tier asks for? */
export const isOutdated = async (
  deps: ManageDeps,
  tenantId: TenantId,
  { digest, plan: { backends } }: Provisioning,
): Promise<boolean> => {
  try {
    return digestOf((await planNow(deps, tenantId, backends)).plan) !== digest
  } catch (error) {
    if (error instanceof Refusal && error.code === "TEMPLATE_INCOMPLETE") return true
    throw error
  }
}

/** Those that the plan is about, as they are now. */
export const formerOf = ({ deployments, vouched }: DeploymentsRow, names: readonly BackendName[]): Former => {
  const there = BACKENDS.filter((name) => names.includes(name) && deployments[name])
  return {
    deployments: Object.fromEntries(there.map((name) => [name, deployments[name]!])),
    vouched: vouched.filter((name) => there.includes(name)),
  }
}

const DAY_MS = 86_400_000

/** How far back metrics are brought over. Throws MOVE_IMPOSSIBLE where there are none at another backend. */
export const moveOf = (
  { deployments, retentionDays }: Plan,
  former: Deployments,
  sinceDays: number | undefined,
  nowMs: number,
): Provisioning["move"] => {
  const [from, to] = [former.metrics, deployments.metrics].map((backend) =>
    backend === undefined ? null : canonical(backend as unknown as Json),
  )
  if (!from || !to || from === to)
    throw new Refusal(
      "MOVE_IMPOSSIBLE",
      to ? "The tenant has no metrics at another backend." : "The plan makes no backend for metrics.",
    )
  const days = Math.min(sinceDays ?? retentionDays, retentionDays)
  return { sinceMs: nowMs - days * DAY_MS }
}

const passOf = (standing: Standing): JsonObject | null => {
  const working = standing.state === "failed" ? standing.was : standing
  if (working.state !== "moving" && working.state !== "settling") return null
  const { nth, missing, compared } = working.pass
  return { nth, share: shareOf(working.pass), ...compared, missing }
}

/** A provisioning as HTTP shows it. */
export const showProvisioning = (
  tenantId: TenantId,
  { revision, document }: Kept<Provisioning>,
  outdated: boolean,
): JsonObject => {
  const { number, standing, move, digest, plan, words } = document
  const failed = standing.state === "failed" ? standing : null
  return {
    tenantId,
    revision,
    number,
    state: standing.state,
    words: failed?.words ?? words,
    failure: failed && { state: failed.was.state, reason: failed.reason },
    move: move && { since: new Date(move.sinceMs).toISOString() },
    pass: passOf(standing),
    digest,
    outdated,
    plan: plan as unknown as JsonObject,
    remains: remainsOf(document),
  }
}
