import { afterAll, beforeAll, describe, expect, test } from "vitest"
import type { Change } from "../../core/change/change.ts"
import { PLATFORM, tierScope } from "../../core/ids.ts"
import { EMPTY_RELEASE, readEntry } from "../../core/release/compile.ts"
import { findChange } from "../../db/queries/changes.ts"
import { findVersion, listVersions } from "../../db/queries/configs.ts"
import { readPointer } from "../../db/queries/reading.ts"
import { commitScope, findReply, loadScope, withLockedScope } from "../../db/queries/scope.ts"
import { type OpenTestDatabase, openTestDatabase } from "../support/database.ts"
import {
  DEVELOPMENT,
  directCommit,
  key,
  liveChange,
  makeTenant,
  newChangeId,
  PRODUCTION,
  tenantId,
} from "./fixtures.ts"

let database: OpenTestDatabase
beforeAll(async () => {
  database = await openTestDatabase(40)
})
afterAll(() => database.close())

const loaded = async (scope: string, keys: string[] = [], environment = DEVELOPMENT) => {
  const found = await loadScope(database.app, { scope: tenantId(scope), environment, keys: keys.map(key) })
  if (!found) throw new Error(`no scope ${scope}`)
  return found.state
}

const edit = async (scope: string, name: string, value: string | number) =>
  commitScope(database.app, directCommit(await loaded(scope, [name]), name, value))

describe("load", () => {
  test("a new tenant serves the empty release at sequence 1 in every environment", async () => {
    await makeTenant(database.app, "load-new", "Enterprise")
    for (const environment of [DEVELOPMENT, PRODUCTION]) {
      const state = await loaded("load-new", [], environment)
      expect(state).toMatchObject({ status: "active", tier: "Enterprise", rev: 1 })
      expect(state.pointer).toMatchObject({
        seq: 1,
        tier: "Enterprise",
        stable: EMPTY_RELEASE.id,
        candidate: null,
      })
      expect(state.pointer.at).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/)
    }
  })

  test("a tenant that does not exist loads as null", async () => {
    expect(
      await loadScope(database.app, { scope: tenantId("nobody"), environment: DEVELOPMENT, keys: [] }),
    ).toBeNull()
  })

  test("the platform and the tiers exist from the start, at sequence 0", async () => {
    for (const scope of [PLATFORM, tierScope("Free"), tierScope("Pro"), tierScope("Enterprise")]) {
      const found = await loadScope(database.app, { scope, environment: PRODUCTION, keys: [] })
      expect(found?.state).toMatchObject({
        rev: 0,
        tier: null,
        pointer: { seq: 0, at: null, stable: EMPTY_RELEASE.id },
      })
    }
  })

  test("what a commit wrote is what the next load finds", async () => {
    await makeTenant(database.app, "load-back")
    const commit = directCommit(await loaded("load-back", ["feature.x"]), "feature.x", "on")
    const committed = await commitScope(database.app, commit)
    expect(committed).toMatchObject({ kind: "committed", seq: 2 })
    const state = await loaded("load-back", ["feature.x"])
    const manifest = state.manifests.get(state.pointer.stable)!
    expect(readEntry(manifest, state.chunks, key("feature.x"))).toEqual({ value: "on", version: 1 })
    expect(state.lastVersions.get(key("feature.x"))).toBe(1)
    expect(state.rev).toBe(2)
    expect(state.pointer.at).toBe(committed.kind === "committed" && committed.at)
    expect(state.changes.size).toBe(0)
  })

  test("a rollout's keys come with their chunks and last versions without being asked for", async () => {
    await makeTenant(database.app, "load-rollout")
    await edit("load-rollout", "other", 1)
    const state = await loaded("load-rollout", ["rolling"])
    const changeId = newChangeId(state.scope)
    const commit = directCommit(state, "rolling", "new", changeId)
    const [written] = commit.changes
    const status = {
      state: "rolling_out",
      step: 0,
      enteredAt: "",
      startedAt: "",
      paused: false,
      heldMs: 0,
    } as const
    await commitScope(database.app, {
      ...commit,
      pointer: {
        ...commit.pointer!,
        stable: state.pointer.stable,
        stableChangeId: state.pointer.stableChangeId,
        candidate: { release: commit.pointer!.stable, changeId, step: 0, weightBp: 1_000 },
        cause: "start",
      },
      changes: [{ ...written!, change: { ...written!.change, status }, dueAt: "2026-11-21T08:02:00.000Z" }],
    })
    const next = await loaded("load-rollout", [])
    expect(next.pointer.candidate).toEqual({
      release: commit.pointer!.stable,
      changeId,
      step: 0,
      weightBp: 1_000,
    })
    expect(next.lastVersions.get(key("rolling"))).toBe(1)
    expect(next.changes.get(changeId)?.status).toEqual(status)
    const candidate = next.manifests.get(next.pointer.candidate!.release)!
    expect(readEntry(candidate, next.chunks, key("rolling"))).toEqual({ value: "new", version: 1 })
  })

  test("a change that owes a review is loaded, and no longer once it was given", async () => {
    await makeTenant(database.app, "load-review")
    const state = await loaded("load-review", ["a"])
    const commit = directCommit(state, "a", 1)
    const [written] = commit.changes
    const review = { due: "2026-11-22T08:00:00.000Z" }
    const change = { ...written!.change, status: { ...written!.change.status, review } } as Change
    await commitScope(database.app, { ...commit, changes: [{ ...written!, change }] })
    const owing = await loaded("load-review")
    expect([...owing.changes.keys()]).toEqual([change.content.changeId])
    const given = {
      ...change,
      status: { ...change.status, review: { ...review, by: "b", at: "2026-11-21T09:00:00Z" } },
    }
    await commitScope(database.app, {
      ...commit,
      expectedRev: owing.rev,
      versions: [],
      changes: [{ change: given as Change, isNew: false, dueAt: null }],
    })
    expect((await loaded("load-review")).changes.size).toBe(0)
  })

  test("description and owner are those of the stable version, however many later versions never became stable", async () => {
    await makeTenant(database.app, "load-metadata")
    const commit = directCommit(await loaded("load-metadata", ["a"]), "a", 1)
    const [version] = commit.versions
    const described = { ...version!.edit, description: "what it is for", owner: "team-a" }
    await commitScope(database.app, { ...commit, versions: [{ ...version!, edit: described }] })
    const expected = { description: "what it is for", owner: "team-a" }
    expect((await loaded("load-metadata", ["a"])).metadata.get(key("a"))).toEqual(expected)
    for (let attempt = 0; attempt < 7; attempt++) {
      const { pointer: _, ...rest } = directCommit(await loaded("load-metadata", ["a"]), "a", attempt + 2)
      await commitScope(database.app, rest)
    }
    const state = await loaded("load-metadata", ["a"])
    expect(state.lastVersions.get(key("a"))).toBe(8)
    expect(state.metadata.get(key("a"))).toEqual(expected)
  })
})

describe("commit", () => {
  test("a commit on a state that has moved writes nothing", async () => {
    await makeTenant(database.app, "commit-stale")
    const stale = await loaded("commit-stale", ["a"])
    await edit("commit-stale", "a", 1)
    const late = directCommit(stale, "a", 2)
    expect(await commitScope(database.app, late)).toEqual({ kind: "conflict" })
    expect(
      await findChange(database.app, tenantId("commit-stale"), late.changes[0]!.change.content.changeId),
    ).toBeNull()
    expect(
      (await listVersions(database.app, tenantId("commit-stale"), DEVELOPMENT, key("a"), { limit: 9 }))
        .length,
    ).toBe(1)
  })

  test("a change that is updated keeps its content", async () => {
    await makeTenant(database.app, "commit-update")
    const first = directCommit(await loaded("commit-update", ["a"]), "a", 1)
    await commitScope(database.app, first)
    const state = await loaded("commit-update")
    const { content } = first.changes[0]!.change
    const change = liveChange(state, content.changeId, "a", "forged", 0, 1)
    const cancelled = {
      ...change,
      status: { state: "cancelled", at: "", by: "x", reason: "cancelled" } as const,
    }
    await commitScope(database.app, {
      scope: state.scope,
      environment: state.environment,
      expectedRev: state.rev,
      inherited: {},
      notices: [],
      releases: [],
      chunks: [],
      versions: [],
      changes: [{ change: cancelled, isNew: false, dueAt: null }],
      audit: [],
    })
    const kept = await findChange(database.app, state.scope, content.changeId)
    expect(kept?.content).toEqual(content)
    expect(kept?.status.state).toBe("cancelled")
  })

  test("versions are read back with their edit, newest first, page by page", async () => {
    await makeTenant(database.app, "commit-versions")
    for (const value of [1, 2, 3]) await edit("commit-versions", "a", value)
    const scope = tenantId("commit-versions")
    const page = await listVersions(database.app, scope, DEVELOPMENT, key("a"), { limit: 2 })
    expect(page.map(({ version, edit }) => [version, edit.value])).toEqual([
      [3, 3],
      [2, 2],
    ])
    const rest = await listVersions(database.app, scope, DEVELOPMENT, key("a"), { limit: 2, before: 2 })
    expect(rest.map(({ version }) => version)).toEqual([1])
    expect((await findVersion(database.app, scope, DEVELOPMENT, key("a"), 2))?.edit.value).toBe(2)
    expect(await findVersion(database.app, scope, DEVELOPMENT, key("a"), 4)).toBeNull()
  })

  test("the platform's first commit makes its head", async () => {
    const found = await loadScope(database.app, {
      scope: PLATFORM,
      environment: DEVELOPMENT,
      keys: [key("p")],
    })
    expect(await commitScope(database.app, directCommit(found!.state, "p", 1))).toMatchObject({
      kind: "committed",
      seq: 1,
    })
    const again = await commitScope(database.app, directCommit(found!.state, "p", 2))
    expect(again).toEqual({ kind: "conflict" })
  })

  test("of 32 simultaneous writers all succeed in the end, without a gap in revisions, pointers, versions and times", async () => {
    await makeTenant(database.app, "commit-race")
    const scope = tenantId("commit-race")
    const write = async (value: number): Promise<string> => {
      const first = await edit("commit-race", "counter", value)
      if (first.kind === "committed") return first.at
      return withLockedScope(database.app, scope, DEVELOPMENT, async (tx) => {
        const { state } = (await loadScope(tx, { scope, environment: DEVELOPMENT, keys: [key("counter")] }))!
        const second = await commitScope(tx, directCommit(state, "counter", value))
        if (second.kind !== "committed") throw new Error("a locked scope moved")
        return second.at
      })
    }
    const times = await Promise.all(Array.from({ length: 32 }, (_, value) => write(value)))
    expect(new Set(times).size).toBe(32)
    const state = await loaded("commit-race", ["counter"])
    expect(state).toMatchObject({ rev: 33, pointer: { seq: 33 } })
    const versions = await listVersions(database.app, scope, DEVELOPMENT, key("counter"), { limit: 99 })
    expect(versions.map(({ version }) => version)).toEqual(Array.from({ length: 32 }, (_, n) => 32 - n))
    expect(versions.map(({ at }) => at)).toEqual([...times].sort().reverse())
  })
})

describe("idempotency", () => {
  const reply = {
    status: 201,
    headers: { Location: "/x" },
    body: { a: 1, createdAt: "" },
    stamps: ["createdAt"],
  }

  test("the answer kept with a commit is found by key, stamped with the commit's time", async () => {
    await makeTenant(database.app, "idem")
    const commit = directCommit(await loaded("idem", ["a"]), "a", 1)
    const committed = await commitScope(database.app, commit, { key: "k1", fingerprint: "f1", reply })
    if (committed.kind !== "committed") throw new Error("conflict")
    const request = { scope: tenantId("idem"), environment: DEVELOPMENT, keys: [], idempotencyKey: "k1" }
    const { replay } = (await loadScope(database.app, request))!
    const { stamps: _, ...expected } = { ...reply, body: { a: 1, createdAt: committed.at } }
    expect(replay).toEqual({ fingerprint: "f1", reply: expected })
    expect(await findReply(database.app, tenantId("idem"), "k1")).toEqual(replay)
    expect(await findReply(database.app, tenantId("idem"), "k2")).toBeNull()
  })

  test("of simultaneous requests with one key, in different environments too, one is carried out", async () => {
    await makeTenant(database.app, "idem-race")
    const states = await Promise.all(
      [DEVELOPMENT, PRODUCTION].map((environment) => loaded("idem-race", ["a"], environment)),
    )
    const results = await Promise.all(
      states.map((state) =>
        commitScope(database.app, directCommit(state, "a", 1), { key: "once", fingerprint: "f", reply }),
      ),
    )
    expect(results.map(({ kind }) => kind).sort()).toEqual(["committed", "conflict"])
    const pointers = await Promise.all(
      [DEVELOPMENT, PRODUCTION].map((environment) =>
        readPointer(database.read, tenantId("idem-race"), environment, []),
      ),
    )
    expect(pointers.map((read) => read!.layers.tenant.seq).sort()).toEqual([1, 2])
  })
})
