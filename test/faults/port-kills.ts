import { isDeepStrictEqual } from "node:util"
import { expect } from "vitest"
import type { FunctionsProcess, FunctionTask } from "../support/functions-process.ts"
import type { KillPoint, Moment } from "../support/port-calls.ts"
import { asking, createStored, type Stored } from "./stored.ts"

const ENVIRONMENT = "Production"
const STEPS = [
  { weightBp: 1_000, holdMs: 0 },
  { weightBp: 5_000, holdMs: null },
]

/** A way through the change machine: what comes before it, and the one task that is cut. */
interface Path {
  name: string
  /** Brings a new change to where the task begins; returns its id. */
  prepare: (scene: Scene, functions: FunctionsProcess) => Promise<string>
  task: (scene: Scene, changeId: string) => FunctionTask
  /** The answer when it is done; 200 when left out. */
  done?: number
  /** Where the change is once all is done that was asked for or is due. */
  ends: { state: string; step: number | null }
}

interface Scene {
  stored: Stored
  tenantId: string
  tokens: Readonly<Record<keyof typeof SUBJECTS, string>>
  /** Where the tenant's pointer is in Production, as its readers report it. */
  revision: string
}

const SUBJECTS = {
  author: ["tenant_admin", "engineer"],
  engineer: ["engineer"],
  manager: ["manager"],
  compliance: ["compliance"],
  reader: ["reader"],
} as const

const createScene = async (stored: Stored, functions: FunctionsProcess): Promise<Scene> => {
  const ask = asking(functions)
  const tenantId = "cut"
  await ask(stored.admin, "/api/v1/tenants", { name: "Cut", tenantId }, 201)
  const issued = await Promise.all(
    Object.entries(SUBJECTS).map(async ([subject, roles]) => {
      const environment = subject === "reader" ? ENVIRONMENT : undefined
      const body = { subject, roles, environment }
      const made = await ask(stored.admin, `/api/v1/tenants/${tenantId}/tokens`, body, 201)
      return [subject, made.body.token as string]
    }),
  )
  return { stored, tenantId, tokens: Object.fromEntries(issued) as Scene["tokens"], revision: "" }
}

let made = 0
const approve = (changeId: string) => `/api/v1/approvals/${changeId}/approve`

/** Submitted to Production, two of three approvals given. */
const almostApproved = async (
  { tokens, tenantId }: Scene,
  functions: FunctionsProcess,
  strategy: unknown,
) => {
  const ask = asking(functions)
  const edits = [{ key: `key.${++made}`, value: made }]
  const body = { tenantId, environment: ENVIRONMENT, edits, strategy }
  const { changeId } = (await ask(tokens.author, "/api/v1/changes", body, 202)).body
  await ask(tokens.engineer, approve(changeId), {}, 200)
  await ask(tokens.manager, approve(changeId), {}, 200)
  return changeId as string
}

const CANARY = { type: "canary", steps: STEPS }

const rollingOut = async (scene: Scene, functions: FunctionsProcess): Promise<string> => {
  const changeId = await almostApproved(scene, functions, CANARY)
  await asking(functions)(scene.tokens.compliance, approve(changeId), {}, 200)
  return changeId
}

/** What an instance reports that has seen nothing but errors on the candidate. */
const FAILING = { arm: "candidate", ok: 0, errors: 5 }

const reportOf = ({ tokens, revision }: Scene, seen: Record<string, unknown>): FunctionTask => ({
  kind: "request",
  method: "POST",
  path: "/api/v1/outcomes",
  token: tokens.reader,
  body: { reports: [{ revision, seq: 1, ...seen }] },
})

/** Reports as of where the pointer is now. */
const report = async (
  scene: Scene,
  functions: FunctionsProcess,
  seen: Record<string, unknown>,
): Promise<void> => {
  const { stored } = await scene.stored.published(scene.tenantId, ENVIRONMENT)
  scene.revision = `1.0.0.${stored}`
  const { status, body } = await functions.ask(reportOf(scene, seen))
  expect(status, JSON.stringify(body)).toBe(202)
}

const live = async (scene: Scene, functions: FunctionsProcess): Promise<string> => {
  const changeId = await almostApproved(scene, functions, { type: "direct" })
  await asking(functions)(scene.tokens.compliance, approve(changeId), {}, 200)
  return changeId
}

const post =
  (who: keyof Scene["tokens"], path: (changeId: string) => string, body: unknown = {}) =>
  ({ tokens }: Scene, changeId: string): FunctionTask => ({
    kind: "request",
    method: "POST",
    path: path(changeId),
    token: tokens[who],
    body,
  })
const onChange = (action: string) => (changeId: string) => `/api/v1/changes/${changeId}/${action}`

export const PATHS: readonly Path[] = [
  {
    name: "the last approval",
    prepare: (scene, functions) => almostApproved(scene, functions, CANARY),
    task: post("compliance", approve),
    ends: { state: "rolling_out", step: 1 },
  },
  {
    name: "the clock's advance",
    prepare: rollingOut,
    task: (_scene, changeId) => ({ kind: "step", changeId, step: 0 }),
    ends: { state: "rolling_out", step: 1 },
  },
  {
    name: "a person's advance",
    prepare: rollingOut,
    task: post("author", onChange("advance"), { step: 0 }),
    ends: { state: "rolling_out", step: 1 },
  },
  {
    name: "ending a rollout",
    prepare: rollingOut,
    task: post("author", onChange("abort")),
    ends: { state: "rolled_back", step: null },
  },
  {
    name: "the report that tips it",
    prepare: async (scene, functions) => {
      const changeId = await rollingOut(scene, functions)
      for (const instance of ["sick.1", "sick.2"]) await report(scene, functions, { ...FAILING, instance })
      return changeId
    },
    task: (scene) => reportOf(scene, { ...FAILING, instance: "sick.3" }),
    done: 202,
    ends: { state: "rolled_back", step: null },
  },
  {
    name: "taking an environment back",
    prepare: live,
    task: post("author", () => "/api/v1/tenants/cut/environments/Production/rollback"),
    ends: { state: "rolled_back", step: null },
  },
  {
    name: "rolling back what is live",
    prepare: live,
    task: post("author", onChange("rollback")),
    ends: { state: "rolled_back", step: null },
  },
]

/** Ends what rolls out, so that the next has the place to itself. */
const clear = async (scene: Scene, functions: FunctionsProcess, changeId: string): Promise<void> => {
  await asking(functions)(scene.tokens.author, onChange("abort")(changeId), {})
}

const MOMENTS: readonly Moment[] = ["before", "sent", "answered"]

export interface Tally {
  /** Calls through ports that the path makes. */
  calls: number
  kills: number
  /** Kills after which nothing had happened, and after which all had. */
  nothing: number
  everything: number
}

/** A part of all there is, for those who have less time. */
export interface Part {
  callsMax?: number
  moments?: readonly Moment[]
}

/**
 * Kills a path's process at every moment of every call through its ports, until there are no more, and holds what is stored
 * to all or nothing; then starts again, and sees it go on by itself and be published.
 */
export const killAtPortCalls = async (
  path: Path,
  { callsMax = Number.POSITIVE_INFINITY, moments = MOMENTS }: Part = {},
): Promise<Tally> => {
  const stored = await createStored()
  try {
    let functions = await stored.start()
    const scene = await createScene(stored, functions)
    // What it is like when nobody is killed.
    const whole = await path.prepare(scene, functions)
    const answer = await functions.ask(path.task(scene, whole))
    expect(answer.status, JSON.stringify(answer.body)).toBe(path.done ?? 200)
    const done = await stored.picture(whole)
    await clear(scene, functions, whole)
    const tally: Tally = { calls: 0, kills: 0, nothing: 0, everything: 0 }
    for (let call = 1; call <= callsMax; call++) {
      for (const moment of moments) {
        const point = { call, moment }
        const changeId = await path.prepare(scene, functions)
        const prepared = await stored.picture(changeId)
        const outcome = await functions.die(path.task(scene, changeId), point)
        if (outcome !== null) {
          await clear(scene, functions, changeId)
          // Nothing is sent any more; or it was sent, and nobody waited for the answer.
          if (moment !== "answered") return { ...tally, calls: call - 1 }
          continue
        }
        tally.kills++
        const left = await settledPicture(stored, changeId)
        expect([prepared, done], `all or nothing, killed ${told(point)}`).toContainEqual(left)
        tally[isDeepStrictEqual(left, done) ? "everything" : "nothing"]++
        await expectMarked(stored, scene)
        functions = await stored.start()
        await expectGoesOn(path, scene, functions, changeId)
        await clear(scene, functions, changeId)
      }
    }
    return { ...tally, calls: callsMax }
  } finally {
    await stored.close()
  }
}

const told = ({ call, moment }: KillPoint): string => `${moment} call ${call}`

/** What was sent before the kill may be at work still: the server's sessions of the dead process have to be over. */
const settledPicture = async (stored: Stored, changeId: string) => {
  const busy = () => stored.sql`
    select from pg_stat_activity where datname = current_database() and application_name like 'hotswap-%'`
  while ((await busy()).length > 0) await new Promise((next) => setImmediate(next))
  return await stored.picture(changeId)
}

/** Readers have what is stored, or a mark is left that will bring it to them. */
const expectMarked = async ({ published }: Stored, { tenantId }: Scene): Promise<void> => {
  const { stored, cached, isMarked } = await published(tenantId, ENVIRONMENT)
  expect(isMarked || cached === stored, `cached ${cached} of ${stored}, marked: ${isMarked}`).toBe(true)
}

const expectGoesOn = async (
  path: Path,
  scene: Scene,
  functions: FunctionsProcess,
  changeId: string,
): Promise<void> => {
  // Whoever had no answer asks again; whoever is a clock comes again anyway.
  await functions.ask(path.task(scene, changeId))
  await functions.ask({ kind: "tick" })
  await functions.ask({ kind: "sweep" })
  const { state, step } = await scene.stored.picture(changeId)
  expect({ state, step }).toEqual(path.ends)
  const { stored, cached, isMarked } = await scene.stored.published(scene.tenantId, ENVIRONMENT)
  expect({ cached, isMarked }).toEqual({ cached: stored, isMarked: false })
  const { body } = await asking(functions)(
    scene.stored.admin,
    "/api/v1/audit/verify",
    { tenantId: scene.tenantId },
    200,
  )
  expect(body.ok).toBe(true)
}
