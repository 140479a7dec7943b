import type { Change } from "../../core/change/change.ts"
import type { Command, DecideContext } from "../../core/change/command.ts"
import type { ScopeState } from "../../core/change/scope-state.ts"
import { afterSwitch, stepBefore } from "../../core/gate/switch.ts"
import { isTenant } from "../../core/ids.ts"
import type { Runner } from "../../db/client.ts"
import { readGate } from "../../db/queries/gate.ts"
import { readWaves } from "../../db/queries/waves.ts"

type Reports = Pick<DecideContext, "evidence" | "waves">

/**
 * What was reported of the step that a rollout is at: of a tenant's own, arm beside arm (after a switch, beside what
 * stable was like before it); of the platform's and the tiers', tenant by tenant. Nothing of what does not roll out.
 */
export const reportsOn = async (runner: Runner, { content, status }: Change): Promise<Reports> => {
  if (status.state !== "rolling_out") return {}
  const { scope, changeId, plan } = content
  if (!isTenant(scope)) return { waves: await readWaves(runner, scope, changeId) }
  const evidence = await readGate(runner, scope, changeId, status.step)
  const before = stepBefore(plan, status.step)
  if (before === null) return { evidence }
  return { evidence: afterSwitch(evidence, await readGate(runner, scope, changeId, before)) }
}

/** The commands that the gate has a say in. */
const JUDGED: ReadonlySet<Command["type"]> = new Set(["tick", "advance", "abort"])

/** The reports that a command's decision rests on. */
export const reportsFor = async (
  command: Command,
  { changes }: ScopeState,
  runner: Runner,
): Promise<Reports> => {
  const change = JUDGED.has(command.type) && "changeId" in command ? changes.get(command.changeId) : undefined
  return change ? await reportsOn(runner, change) : {}
}
