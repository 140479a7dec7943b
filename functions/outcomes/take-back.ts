import type { Command } from "../../core/change/command.ts"
import { judge, judgedStepOf } from "../../core/gate/judge.ts"
import { afterSwitch } from "../../core/gate/switch.ts"
import { GATE } from "../../core/gate/thresholds.ts"
import type { Verdict } from "../../core/gate/verdict.ts"
import { judgeTenant } from "../../core/gate/waves-judge.ts"
import type { ScopeId } from "../../core/ids.ts"
import type { WatchedRollout, WatchedWaves } from "../../db/queries/gate.ts"
import { countReached } from "../../db/system.ts"
import type { OutcomesPlatform } from "../platform/compose-outcomes.ts"
import { mutate } from "../platform/mutate.ts"
import type { Reporter } from "./reporter.ts"

/** What the gate says of the tenant's own rollout; `null` when none is under way. */
export const verdictOn = (
  { clock }: OutcomesPlatform,
  { plan, status, gate, evidence, before }: WatchedRollout,
): Verdict | null => {
  const step = judgedStepOf(plan, status)
  const seen = before === undefined ? evidence : afterSwitch(evidence, before)
  return step && judge(seen, step, clock.now().toISOString(), { ...GATE, ...gate })
}

/** What it says of this tenant in a rollout of the platform or its tier; `null` while no wave has reached it. */
export const verdictOnTenant = (
  { clock }: OutcomesPlatform,
  { plan, status, gate, evidence }: WatchedWaves,
): Verdict | null => {
  const step = judgedStepOf(plan, status)
  if (step === null || evidence.tenant === null) return null
  return judgeTenant(evidence, step, clock.now().toISOString(), { ...GATE, ...gate })
}

/**
 * Everyone back on stable, here and now. A messenger like the clock: the rule judges the evidence once more
 * together with the change, so two who bring the same news, or news of yesterday, do no harm.
 */
export const rollBack = async (
  platform: OutcomesPlatform,
  { tenantId, environment }: Reporter,
  { changeId }: WatchedRollout,
  requestId: string,
): Promise<void> => {
  if (!(await carry(platform, tenantId, environment, { type: "tick", changeId }, requestId))) return
  platform.log.warn("a rollout was found unhealthy", { tenantId, environment, changeId })
  await platform.background.settled()
}

/**
 * This tenant back on stable, and everyone when it is one too many. Its own reports are all that a tenant brings, so the
 * tenant that is tripped is the one whose token they came with, never one that they name.
 */
export const trip = async (
  platform: OutcomesPlatform,
  { tenantId, environment }: Reporter,
  { scope, changeId, step, plan }: WatchedWaves,
  { words }: Verdict,
  requestId: string,
): Promise<void> => {
  const { weightBp, tiers = [], tenants = [] } = plan[step]!
  const audience = { tiers, tenants, excluded: [] }
  const reached = await countReached(platform.system, { weightBp, audience }, changeId)
  const command: Command = { type: "trip", changeId, tenantId, step, words, reached }
  if (!(await carry(platform, scope, environment, command, requestId))) return
  platform.log.warn("a tenant was taken out of a rollout", { scope, tenantId, environment, changeId })
  // Whoever brought the news is answered when readers have the old release again, or Redis has failed to take it.
  await platform.background.settled()
}

/** Resolves to whether anything was left to do. */
const carry = async (
  platform: OutcomesPlatform,
  scope: ScopeId,
  environment: Reporter["environment"],
  command: Extract<Command, { type: "tick" | "trip" }>,
  requestId: string,
): Promise<boolean> => {
  const outcome = await mutate(platform, {
    scope,
    environment,
    command,
    keys: [],
    changeId: command.changeId,
    requestId,
    idempotency: null,
    evenSuspended: true,
    reply: () => ({ status: 200, headers: {}, body: {}, stamps: [] }),
  })
  return outcome.kind === "committed"
}
