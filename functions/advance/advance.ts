import type { Command } from "../../core/change/command.ts"
import { type DueChange, dueChanges, staleWaits } from "../../db/system.ts"
import type { AdvancePlatform } from "../platform/compose-advance.ts"
import { mutate } from "../platform/mutate.ts"
import { carryOutTask, type Look, type Task } from "./tasks.ts"

export interface Advance {
  /** Does what is due by now, in every tenant; resolves to how many changes moved. */
  tick(): Promise<number>
  /** What a state machine asks for about one change. Too late, too early or twice is harmless. */
  task(task: Task): Promise<Look>
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

/** State machines that wait although what they wait for is over, because the word of it was lost. */
const wakeWaiting = async ({ pacer, system, background }: AdvancePlatform): Promise<void> => {
  if (pacer === undefined) return
  for (const changeId of await staleWaits(system, DUE_MAX)) background.waitUntil(pacer.moved(changeId))
}

const tick = async (platform: AdvancePlatform): Promise<number> => {
  const due = await dueChanges(platform.system, platform.clock.now().toISOString(), DUE_MAX)
  let moved = 0
  while (due.length > 0) {
    const outcomes = await Promise.all(due.splice(0, AT_A_TIME).map((one) => survive(platform, one)))
    moved += outcomes.filter(Boolean).length
  }
  await wakeWaiting(platform)
  return moved
}

/** The clock's part in changes: a messenger only; what it brings about, the rules decide. */
export const createAdvance = (platform: AdvancePlatform): Advance => ({
  tick: () => tick(platform),
  task: (task) => carryOutTask(platform, task, (due, command) => carryOut(platform, due, command)),
})
