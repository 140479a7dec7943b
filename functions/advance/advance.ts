import type { Change } from "../../core/change/change.ts"
import type { Command } from "../../core/change/command.ts"
import { type ChangeId, parseChangeId } from "../../core/ids.ts"
import { findChange } from "../../db/queries/changes.ts"
import { type DueChange, dueChanges } from "../../db/system.ts"
import type { AdvancePlatform } from "../platform/compose-advance.ts"
import { mutate } from "../platform/mutate.ts"

/** What a state machine waits on: a change, and the step it saw it at (none: whatever is due). */
export interface AdvanceTask {
  changeId: string
  step?: number
}
export interface AdvanceResult {
  changeId: string
  state: Change["status"]["state"] | "unknown"
  /** The step it is at while it rolls out. */
  step: number | null
}

export interface Advance {
  /** Does what is due by now, in every tenant; resolves to how many changes moved. */
  tick(): Promise<number>
  /** The same for one change. Too late or too early is harmless. */
  step(task: AdvanceTask): Promise<AdvanceResult>
}

/** Taken at once; what is due beyond that is found by the next look. */
const DUE_MAX = 100
const AT_A_TIME = 4

const carryOut = async (platform: AdvancePlatform, due: DueChange, command: Command): Promise<boolean> => {
  const { scope, environment, changeId } = due
  const outcome = await mutate(platform, {
    scope,
    environment,
    command,
    keys: [],
    changeId,
    idempotency: null,
    evenSuspended: true,
    reply: () => ({ status: 200, headers: {}, body: {}, stamps: [] }),
  })
  return outcome.kind === "committed"
}

/** One tenant's trouble is not another's: it is logged, and looked at again at the next tick. */
const survive = async (platform: AdvancePlatform, due: DueChange): Promise<boolean> => {
  try {
    return await carryOut(platform, due, { type: "tick", changeId: due.changeId })
  } catch (error) {
    platform.log.error("a due change could not be looked at", { ...due, error })
    return false
  }
}

const tick = async (platform: AdvancePlatform): Promise<number> => {
  const due = await dueChanges(platform.system, platform.clock.now().toISOString(), DUE_MAX)
  let moved = 0
  while (due.length > 0) {
    const outcomes = await Promise.all(due.splice(0, AT_A_TIME).map((one) => survive(platform, one)))
    moved += outcomes.filter(Boolean).length
  }
  return moved
}

const commandOf = (changeId: ChangeId, step: number | undefined): Command =>
  step === undefined ? { type: "tick", changeId } : { type: "advance", changeId, step, by: { kind: "clock" } }

const shown = (changeId: string, change: Change | null): AdvanceResult => ({
  changeId,
  state: change?.status.state ?? "unknown",
  step: change?.status.state === "rolling_out" ? change.status.step : null,
})

const step = async (platform: AdvancePlatform, task: AdvanceTask): Promise<AdvanceResult> => {
  const id = parseChangeId(task.changeId)
  const change = id && (await findChange(platform.db, id.scope, id.changeId))
  if (!id || !change) return shown(task.changeId, null)
  const { scope, environment } = change.content
  const { changeId } = id
  await carryOut(platform, { scope, environment, changeId }, commandOf(changeId, task.step))
  return shown(changeId, await findChange(platform.db, scope, changeId))
}

/** The clock's part in changes: a messenger only; what it brings about, the rules decide. */
export const createAdvance = (platform: AdvancePlatform): Advance => ({
  tick: () => tick(platform),
  step: (task) => step(platform, task),
})
