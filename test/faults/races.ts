import { expect } from "vitest"
import type { FunctionsProcess, FunctionTask, TaskAnswer } from "../support/functions-process.ts"
import { asking, createStored, type Stored } from "./stored.ts"

/** Two processes, each with connections of its own. */
export interface Ring {
  stored: Stored
  processes: readonly [FunctionsProcess, FunctionsProcess]
}

/** A tenant of its own in them, and somebody for each role. */
interface Arena extends Ring {
  tokens: Readonly<Record<keyof typeof PEOPLE, string>>
  tenantId: string
}

const PEOPLE = {
  author: ["tenant_admin", "engineer"],
  engineer: ["engineer"],
  manager: ["manager"],
  compliance: ["compliance"],
  secondCompliance: ["compliance"],
} as const

/** Two who want what only one of them can have. */
export interface Race {
  name: string
  /** Brings a change to where both want something of it. Returns what they want, and the change. */
  prepare: (
    arena: Arena,
    round: number,
  ) => Promise<{ changeId: string; tasks: readonly [FunctionTask, FunctionTask] }>
  /** What the loser may be told. */
  losing: readonly string[]
  /** Ends what the winner left open, so that it is in nobody's way. */
  tidy?: (arena: Arena, won: TaskAnswer) => Promise<unknown>
  /** Of these audit entries of the change there is one for both together. */
  exclusive: readonly string[]
}

const ENVIRONMENT = "Production"
const CANARY = { type: "canary", steps: [{ weightBp: 1_000, holdMs: null }] }

const post = (path: string, token: string, body: unknown = {}): FunctionTask => ({
  kind: "request",
  method: "POST",
  path,
  token,
  body,
})

const submitted = async ({ processes, tokens, tenantId }: Arena, round: number, strategy: unknown) => {
  const ask = asking(processes[0])
  const edits = [{ key: `key.${round}`, value: round }]
  const body = { tenantId, environment: ENVIRONMENT, edits, strategy }
  const { changeId } = (await ask(tokens.author, "/api/v1/changes", body, 202)).body as { changeId: string }
  await ask(tokens.engineer, `/api/v1/approvals/${changeId}/approve`, {}, 200)
  await ask(tokens.manager, `/api/v1/approvals/${changeId}/approve`, {}, 200)
  return changeId
}

const rollingOut = async (arena: Arena, round: number): Promise<string> => {
  const changeId = await submitted(arena, round, CANARY)
  await asking(arena.processes[0])(arena.tokens.compliance, `/api/v1/approvals/${changeId}/approve`, {}, 200)
  return changeId
}

export const RACES: readonly Race[] = [
  {
    name: "two last approvers",
    prepare: async (arena, round) => {
      const changeId = await submitted(arena, round, { type: "direct" })
      const path = `/api/v1/approvals/${changeId}/approve`
      return {
        changeId,
        tasks: [post(path, arena.tokens.compliance), post(path, arena.tokens.secondCompliance)],
      }
    },
    losing: ["CHANGE_STATE"],
    exclusive: ["change.live"],
  },
  {
    name: "the last approval against an edit of the change",
    prepare: async (arena, round) => {
      const { tokens, tenantId } = arena
      const changeId = await submitted(arena, round, { type: "direct" })
      const edited = {
        tenantId,
        environment: ENVIRONMENT,
        edits: [{ key: `key.${round}`, value: "edited" }],
        replaces: changeId,
      }
      return {
        changeId,
        tasks: [
          post(`/api/v1/approvals/${changeId}/approve`, tokens.compliance),
          post("/api/v1/changes", tokens.author, edited),
        ],
      }
    },
    losing: ["CHANGE_STATE"],
    exclusive: ["change.live", "change.cancel"],
    tidy: async ({ processes, tokens }, { body }) => {
      if (body.state === "awaiting_approval")
        await asking(processes[0])(tokens.author, `/api/v1/changes/${body.changeId}/cancel`, {}, 200)
    },
  },
  {
    name: "the last advance against ending the rollout",
    prepare: async (arena, round) => {
      const changeId = await rollingOut(arena, round)
      const path = `/api/v1/changes/${changeId}`
      return {
        changeId,
        tasks: [
          post(`${path}/advance`, arena.tokens.author, { step: 0 }),
          post(`${path}/abort`, arena.tokens.author),
        ],
      }
    },
    losing: ["CHANGE_STATE"],
    exclusive: ["change.live", "change.rolled_back"],
  },
  {
    name: "two publishers of one key",
    prepare: async (arena, round) => {
      const { tokens, tenantId, processes } = arena
      const created = { tenantId, environment: "Development", key: `key.${round}`, value: 0 }
      await asking(processes[0])(tokens.author, "/api/v1/configs", created, 201)
      const wanted = (value: string) =>
        post("/api/v1/changes", tokens.author, {
          tenantId,
          environment: "Development",
          edits: [{ key: `key.${round}`, value, ifMatch: 1 }],
        })
      return { changeId: "", tasks: [wanted("one"), wanted("other")] }
    },
    losing: ["VERSION_STALE", "CHANGE_CONFLICT"],
    exclusive: [],
  },
]

export const createRing = async (): Promise<Ring> => {
  const stored = await createStored()
  return { stored, processes: [await stored.start(), await stored.start()] }
}

const createArena = async (ring: Ring, race: Race): Promise<Arena> => {
  const { stored, processes } = ring
  const tenantId = `raced-${RACES.indexOf(race)}`
  const ask = asking(processes[0])
  await ask(stored.admin, "/api/v1/tenants", { name: "Raced", tenantId }, 201)
  const tokens: Record<string, string> = {}
  for (const [subject, roles] of Object.entries(PEOPLE))
    tokens[subject] = (
      await ask(stored.admin, `/api/v1/tenants/${tenantId}/tokens`, { subject, roles }, 201)
    ).body.token
  return { ...ring, tenantId, tokens: tokens as Arena["tokens"] }
}

/** Both are asked to begin at this many milliseconds from now: time enough for the message to reach them. */
const TOGETHER_MS = 3

const isDone = ({ status }: TaskAnswer): boolean => status >= 200 && status < 300

/** Runs a race so many times; every time one wins, the other is told why, and the audit agrees. Returns how often the first won. */
export const runRaces = async (
  ring: Ring,
  race: Race,
  times: number,
): Promise<{ first: number; second: number }> => {
  const arena = await createArena(ring, race)
  const wins = { first: 0, second: 0 }
  for (let round = 1; round <= times; round++) {
    const { changeId, tasks } = await race.prepare(arena, round)
    const at = performance.timeOrigin + performance.now() + TOGETHER_MS
    // Each process gets each task in turn: one of them is always a little quicker.
    const answers = await Promise.all(tasks.map((task, i) => arena.processes[(i + round) % 2]!.ask(task, at)))
    const won = answers.filter(isDone)
    expect(won.length, JSON.stringify(answers)).toBe(1)
    const lost = answers.find((answer) => !isDone(answer))!
    expect(race.losing, JSON.stringify(lost.body)).toContain(lost.body.code)
    if (answers[0] === won[0]) wins.first++
    else wins.second++
    await race.tidy?.(arena, won[0]!)
    if (changeId !== "") {
      const { audit } = await arena.stored.picture(changeId)
      expect(audit.filter((action) => race.exclusive.includes(action)).length, audit.join()).toBe(1)
    }
  }
  const verified = await asking(arena.processes[0])(arena.stored.admin, "/api/v1/audit/verify", {
    tenantId: arena.tenantId,
  })
  expect(verified.body.ok).toBe(true)
  return wins
}
