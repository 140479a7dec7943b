import type { Command } from "../../core/change/command.ts"
import { Refusal } from "../../core/errors.ts"
import { type ChangeId, parseChangeId, type ScopeId } from "../../core/ids.ts"
import { findPaced, keepTaskToken, type PacedChange } from "../../db/queries/workflows.ts"
import type { DueChange } from "../../db/system.ts"
import type { AdvancePlatform } from "../platform/compose-advance.ts"
import { type Awaited, awaitedBy } from "../platform/pacer.ts"

/** What a state machine asks for. `round` counts how often its execution has asked, and comes back one higher. */
export type Task =
  /** Only to be told what the change waits for. */
  | { task: "look"; changeId: ChangeId; round: number }
  /** The step that was seen is to end if it is time; `null`: whatever is due. */
  | { task: "advance"; changeId: ChangeId; round: number; step: number | null }
  /** To hear, with that token, when the change is moved; whoever waits gives up after that time. */
  | { task: "wait"; changeId: ChangeId; taskToken: string; waitSeconds: number }
  /** The execution has failed: what it was to watch is not left rolling out. */
  | { task: "abort"; changeId: ChangeId; reason: "timed_out" }

/** Where a change has got to, and what the state machine is to do until it moves on. */
export interface Look {
  changeId: ChangeId
  state: PacedChange["status"]["state"] | "unknown"
  /** The step it is at while it rolls out. */
  step: number | null
  awaits: Awaited
  /** Until when to wait for the clock. Never now: a change that is late is not asked about without a pause. */
  wakeAt: string
  /** How long to wait for somebody before looking again. */
  waitSeconds: number
  round: number
}

/** The task is none that there is. Trying again does not help. */
export class TaskInvalid extends Error {
  constructor(detail: string) {
    super(detail)
    this.name = "TaskInvalid"
  }
}

const isCount = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) >= 0

/** Tokens of Step Functions have at most this many characters. */
const TOKEN_LENGTH_MAX = 2_048

const CHECKS: Record<string, (value: unknown) => boolean> = {
  changeId: (value) => typeof value === "string" && parseChangeId(value) !== null,
  round: isCount,
  step: (value) => value === null || isCount(value),
  waitSeconds: isCount,
  taskToken: (value) => typeof value === "string" && value.length > 0 && value.length <= TOKEN_LENGTH_MAX,
  reason: (value) => value === "timed_out",
}
const MEMBERS: Record<Task["task"], readonly string[]> = {
  look: ["changeId", "round"],
  advance: ["changeId", "round", "step"],
  wait: ["changeId", "taskToken", "waitSeconds"],
  abort: ["changeId", "reason"],
}

/** Throws {@link TaskInvalid}. */
export const parseTask = (event: unknown): Task => {
  const given: Record<string, unknown> = typeof event === "object" && event !== null ? { ...event } : {}
  const { task, ...members } = given
  const wanted = typeof task === "string" && Object.hasOwn(MEMBERS, task) && MEMBERS[task as Task["task"]]
  if (!wanted) throw new TaskInvalid(`The task must be one of ${Object.keys(MEMBERS).join(", ")}.`)
  const wrong = wanted.find((name) => !CHECKS[name]!(members[name]))
  if (wrong !== undefined) throw new TaskInvalid(`The ${wrong} of the task ${task} is missing or wrong.`)
  const strange = Object.keys(members).find((name) => !wanted.includes(name))
  if (strange !== undefined) throw new TaskInvalid(`The task ${task} has no ${strange}.`)
  return given as unknown as Task
}

const SECOND_MS = 1_000
/** A day: somebody who was not told of a move finds out then. */
const WAIT_SECONDS_MAX = 86_400

const lookOf = (changeId: ChangeId, change: PacedChange | null, nowMs: number, round: number): Look => {
  const dueMs = change?.dueAt ? Date.parse(change.dueAt) : null
  const untilDueSeconds = dueMs === null ? WAIT_SECONDS_MAX : Math.ceil((dueMs - nowMs) / SECOND_MS)
  return {
    changeId,
    state: change?.status.state ?? "unknown",
    step: change?.status.state === "rolling_out" ? change.status.step : null,
    awaits: change ? awaitedBy(change.status, change.dueAt) : "nothing",
    wakeAt: new Date(Math.max(dueMs ?? 0, nowMs + SECOND_MS)).toISOString(),
    waitSeconds: Math.min(Math.max(untilDueSeconds, 1), WAIT_SECONDS_MAX),
    round,
  }
}

type Find = () => Promise<PacedChange | null>

const keepWaiting = async (
  platform: AdvancePlatform,
  { changeId, taskToken }: Extract<Task, { task: "wait" }>,
  scope: ScopeId,
  find: Find,
): Promise<void> => {
  await keepTaskToken(platform.db, scope, changeId, taskToken)
  // Who moved it before the token was there told nobody.
  const change = await find()
  if (!change || awaitedBy(change.status, change.dueAt) !== "somebody") await platform.pacer?.moved(changeId)
}

const commandOf = (task: Extract<Task, { task: "advance" | "abort" }>): Command => {
  const { changeId } = task
  const by = { kind: "clock" } as const
  if (task.task === "abort") return { type: "abort", changeId, by, reason: task.reason }
  return task.step === null ? { type: "tick", changeId } : { type: "advance", changeId, step: task.step, by }
}

/** A tenant that was deleted has taken its changes along. */
const isGone = (error: unknown): boolean => error instanceof Refusal && error.code === "TENANT_NOT_FOUND"

/**
 * Does what a state machine asks, as often as it asks: what comes of it the rules decide, and the database lets it
 * happen once. `run` carries out a command. Throws what should be tried again.
 */
export const carryOutTask = async (
  platform: AdvancePlatform,
  task: Task,
  run: (due: DueChange, command: Command) => Promise<unknown>,
): Promise<Look> => {
  const { changeId } = task
  const { scope } = parseChangeId(changeId)!
  const find: Find = () => findPaced(platform.db, scope, changeId)
  const round = "round" in task ? task.round + 1 : 0
  const look = (change: PacedChange | null) => lookOf(changeId, change, platform.clock.nowMs(), round)
  const before = await find()
  if (!before || task.task === "look") return look(before)
  if (task.task === "wait") {
    await keepWaiting(platform, task, scope, find)
    return look(before)
  }
  try {
    await run({ scope, environment: before.environment, changeId }, commandOf(task))
  } catch (error) {
    if (isGone(error)) return look(null)
    throw error
  }
  return look(await find())
}
