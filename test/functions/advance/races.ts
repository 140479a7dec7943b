import { setImmediate as turn } from "node:timers/promises"
import postgres from "postgres"
import { vi } from "vitest"
import type { ChangeId } from "../../../core/ids.ts"
import type { Advance } from "../../../functions/advance/advance.ts"
import { createWorld, must } from "../manage/world.ts"

const HOLD_MS = 60_000
const STEPS = [
  { weightBp: 1_000, holdMs: HOLD_MS },
  { weightBp: 5_000, holdMs: HOLD_MS },
]
const TENANT = "raced"
/** Turns of the event loop by which the others may be behind the person, who has a door to go through. */
const LAG_TURNS_MAX = 24

export interface Races {
  /** Steps that were raced for. */
  races: number
  /** Of these, those that a person took, and those that the clock took, by whichever messenger. */
  byPerson: number
  byClock: number
  /** Changes whose audit and pointer do not tell of exactly one advance, one end, in order; what they tell. */
  wrong: string[]
}

interface Entry {
  action: string
  actor: { subject: string }
}

/** As another process has it: modules of its own, so that writers do not queue behind those of the others. */
const advanceOfItsOwn = async (platform: unknown): Promise<Advance> => {
  vi.resetModules()
  const { createAdvance } = await import("../../../functions/advance/advance.ts")
  return createAdvance(platform as Parameters<typeof createAdvance>[0])
}

/** The same lags each time, and of every length. */
const lagged = async <T>(lag: number, act: () => Promise<T>): Promise<T> => {
  for (let turns = lag % LAG_TURNS_MAX; turns > 0; turns--) await turn()
  return await act()
}

/**
 * Has a sweeper, two executions of a state machine and a person end the same step at the same moment, on connections and in
 * modules of their own, for both steps of as many rollouts.
 */
export const raceForSteps = async (rollouts: number): Promise<Races> => {
  const world = await createWorld()
  const sql = postgres(world.url("postgres"), { max: 1, fetch_types: false, onnotice: () => {} })
  try {
    await world.tenant(TENANT)
    // Its routes are loaded when first asked for: later they would share modules with the others.
    for (const name of ["changes", "audit"])
      await must(world.call("GET", `/api/v1/${name}?tenantId=${TENANT}`), 200)
    const sweeper = await advanceOfItsOwn(world.platform)
    const machine = await advanceOfItsOwn(world.platform)
    const told: Races = { races: 0, byPerson: 0, byClock: 0, wrong: [] }

    const raceFor = async (changeId: ChangeId, step: number): Promise<void> => {
      world.moveClock(HOLD_MS)
      told.races += 1
      const lag = told.races * 7
      const task = { task: "advance", changeId, round: 0, step } as const
      const [answer] = await Promise.all([
        world.call("POST", `/api/v1/changes/${changeId}/advance`, { body: { step } }),
        lagged(lag, () => sweeper.tick()),
        lagged(lag + 3, () => machine.task(task)),
        lagged(lag + 11, () => machine.task(task)),
      ])
      if (answer.status === 200) told.byPerson += 1
      else if (answer.status === 409) told.byClock += 1
      else told.wrong.push(`${changeId}: the person was answered ${answer.status}: ${answer.text}`)
    }

    const rollOut = async (value: number): Promise<void> => {
      const edits = [{ key: "k", value }]
      const body = {
        tenantId: TENANT,
        environment: "QA",
        edits,
        strategy: { type: "canary", steps: STEPS },
      }
      const submitted = await must(
        world.call<{ changeId: ChangeId }>("POST", "/api/v1/changes", { body }),
        202,
      )
      const { changeId } = submitted.body
      const takenByPerson = told.byPerson
      for (const step of STEPS.keys()) await raceFor(changeId, step)
      const trail = await world.call<{ items: Entry[] }>(
        "GET",
        `/api/v1/audit?tenantId=${TENANT}&target=${changeId}`,
      )
      const entries = trail.body.items.toReversed()
      const moves = await sql<{ cause: string }[]>`
        select cause from hotswap.pointers where tenant_id = ${TENANT} and change_id = ${changeId} order by seq`
      const happened = [entries.map(({ action }) => action).join(), moves.map(({ cause }) => cause).join()]
      const people = entries.slice(2).filter(({ actor }) => actor.subject !== "clock").length
      if (
        happened[0] !== "change.submit,change.start,change.advance,change.live" ||
        happened[1] !== "start,advance,live" ||
        people !== told.byPerson - takenByPerson
      )
        told.wrong.push(`${changeId}: ${happened.join(" / ")}, ${people} by people`)
    }

    for (let value = 1; value <= rollouts; value++) await rollOut(value)
    return told
  } finally {
    await sql.end({ timeout: 5 })
    await world.close()
  }
}
