import { expect } from "vitest"
import type { AuditBody } from "../../core/audit/entry.ts"
import { apart } from "../../core/audit/people.ts"
import type { Decision } from "../../core/change/command.ts"
import type { Commit, Move, ScopeState } from "../../core/change/scope-state.ts"
import type { ScopeId } from "../../core/ids.ts"
import { listAudit } from "../../db/queries/audit.ts"
import { readMoves } from "../../db/queries/moves.ts"
import { commitScope, loadScope } from "../../db/queries/scope.ts"
import { dueChanges } from "../../db/system.ts"
import type { More } from "../core/change/more.ts"
import { movesSince } from "../core/change/moves.ts"
import { playSequences } from "../core/change/sequences.ts"
import { World } from "../core/change/world.ts"
import { type OpenTestDatabase, openTestDatabase } from "../support/database.ts"
import { makeTenant } from "./fixtures.ts"

type Happened = { kind: "loaded"; more: More; state: ScopeState } | { kind: "committed"; commit: Commit }

/** Writes down what the rules loaded and committed, so that a database can be asked for the same. */
class RecordedWorld extends World {
  readonly happened: Happened[] = []

  override load(more: More) {
    const state = super.load(more)
    this.happened.push({ kind: "loaded", more, state })
    return state
  }

  override apply(decision: Extract<Decision, { kind: "commit" }>): void {
    super.apply(decision)
    this.happened.push({ kind: "committed", commit: decision.commit })
  }
}

export interface Replayed {
  sequences: number
  loads: number
  commits: number
}

/**
 * Plays random sequences against the model, then every load and commit of them again on PostgreSQL, which must load
 * exactly what the rules decided on and keep exactly what came of it. `afterwards`: what else is to be seen of each scope.
 */
export const replaySequences = async (
  runs: number,
  seed: number,
  afterwards: (database: OpenTestDatabase, scope: ScopeId) => Promise<void> = async () => {},
): Promise<Replayed> => {
  const worlds: RecordedWorld[] = []
  playSequences(runs, seed, (scope) => {
    const world = new RecordedWorld({ scope: scope === "acme-corp" ? `acme-${worlds.length}` : scope })
    worlds.push(world)
    return world
  })
  const counts: Replayed = { sequences: worlds.length, loads: 0, commits: 0 }
  const tenants = await openTestDatabase(2)
  try {
    for (const world of worlds) {
      // The platform is one; each sequence of it has a database to itself.
      const playIn = async (database: OpenTestDatabase) => {
        await replay(database, world, counts)
        await afterwards(database, world.scope)
      }
      await (world.scope.startsWith("~") ? withDatabase(playIn) : playIn(tenants))
    }
  } finally {
    await tenants.close()
  }
  return counts
}

const withDatabase = async (use: (database: OpenTestDatabase) => Promise<void>): Promise<void> => {
  const database = await openTestDatabase(2)
  try {
    await use(database)
  } finally {
    await database.close()
  }
}

const replay = async (database: OpenTestDatabase, world: RecordedWorld, counts: Replayed): Promise<void> => {
  const { scope, environment } = world
  const { app } = database
  // Of other environments: the one that is played in is new.
  if (!scope.startsWith("~")) await makeTenant(app, scope)
  for (const each of world.happened) {
    if (each.kind === "loaded") {
      const { keys, changeIds, releases, all } = each.more
      const loaded = await loadScope(app, {
        scope,
        environment,
        keys,
        changes: changeIds,
        releases,
        allChunks: all,
      })
      expect(comparable(asFarAsAsked(loaded!.state, each.state))).toEqual(comparable(each.state))
      counts.loads++
    } else {
      // What lies in other scopes is made up in memory, and nothing of it is in this database.
      const outcome = await commitScope(app, { ...each.commit, inherited: {} })
      expect(outcome.kind, JSON.stringify(each.commit.audit)).toBe("committed")
      counts.commits++
    }
  }
  await expectSameHistory(database, world)
}

/** The database may hand out more than was asked for, never less and never anything else. */
const asFarAsAsked = (loaded: ScopeState, asked: ScopeState): ScopeState => ({
  ...loaded,
  manifests: sharedWith(loaded.manifests, asked.manifests),
  chunks: sharedWith(loaded.chunks, asked.chunks),
  lastVersions: sharedWith(loaded.lastVersions, asked.lastVersions),
})

const sharedWith = <Key, Value>(map: ReadonlyMap<Key, Value>, asked: ReadonlyMap<Key, Value>) =>
  new Map([...map].filter(([key]) => asked.has(key)))

/** Without the time of the database's own clock, and without what is made up of other scopes. */
const comparable = ({ policies, elsewhere: _, ...state }: ScopeState) => ({
  ...state,
  // The tenant's own row has it, which nothing here writes.
  tier: null,
  // Before its first row a pointer has no tier of its own.
  pointer: { ...state.pointer, at: null, tier: state.pointer.seq === 0 ? null : state.pointer.tier },
  policies: policies.filter(({ scope }) => scope === state.scope),
  metadata: new Map([...state.metadata].filter(([, described]) => Object.keys(described).length > 0)),
})

/** With a mark in the place of what the audit keeps the HMAC of. */
const withoutHashes = (body: AuditBody) => {
  const { text, people } = apart(body)
  return { text, people }
}

/** Pointer, audit and the clock's list, as they are in the end. */
const expectSameHistory = async ({ app, system }: OpenTestDatabase, world: RecordedWorld): Promise<void> => {
  const { scope, environment } = world
  const timeless = (moves: readonly Move[]) => moves.map(({ at: _, ...move }) => move)
  const moves = await readMoves(app, scope, environment, "2020-01-01T00:00:00.000Z")
  // An environment that nothing was done in yet has no row of its creation.
  const [_created, ...lived] = movesSince(world, Date.parse("2026-01-02"))
  expect(timeless(moves)).toEqual(timeless(lived))

  const entries = await listAudit(app, scope, { limit: 10_000 })
  const bodies = entries.map(({ body }) => body).filter(({ action }) => action !== "tenant.create")
  expect(bodies.reverse().map(withoutHashes)).toEqual(world.audit.map(withoutHashes))

  const due = await dueChanges(system, world.now, 10_000)
  const ofScope = due.filter((change) => change.scope === scope).map(({ changeId }) => changeId)
  const isDue = ([, { dueAt }]: [string, { dueAt: string | null }]) => dueAt !== null && dueAt <= world.now
  expect(ofScope.sort()).toEqual(
    [...world.changes]
      .filter(isDue)
      .map(([id]) => id)
      .sort(),
  )
}
