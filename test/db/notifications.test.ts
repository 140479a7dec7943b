import { randomUUID } from "node:crypto"
import postgres from "postgres"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import type { NoticeType } from "../../core/change/notice.ts"
import type { Commit } from "../../core/change/scope-state.ts"
import type { ScopeId } from "../../core/ids.ts"
import { auditHead } from "../../db/queries/audit.ts"
import {
  CHANNELS_MAX,
  deleteChannel,
  insertChannel,
  listChannels,
  listDeliveries,
  type NewChannel,
  retryDelivery,
  settleDelivery,
  takeDelivery,
  updateChannel,
} from "../../db/queries/notifications.ts"
import { commitScope } from "../../db/queries/scope.ts"
import { dueDeliveries } from "../../db/system.ts"
import { type OpenTestDatabase, openTestDatabase } from "../support/database.ts"
import { auditOf, DEVELOPMENT, directCommit, makeTenant, PRODUCTION, tenantId } from "./fixtures.ts"
import { loadState } from "./rollouts.ts"

let database: OpenTestDatabase
beforeAll(async () => {
  database = await openTestDatabase()
})
afterAll(() => database.close())

const AUDIT = auditOf("channel", "c")
const second = (n: number) => `2026-03-01T00:00:${String(n).padStart(2, "0")}.000000Z`

const tenant = async (name: string) => {
  await makeTenant(database.app, name)
  return tenantId(name)
}
const newChannel = (more: Partial<NewChannel> = {}): NewChannel => ({
  channelId: randomUUID(),
  environment: null,
  type: "webhook",
  config: { url: "https://example.com" },
  secret: "whsec_x",
  events: null,
  createdBy: "ada",
  ...more,
})
const channelOf = async (scope: ScopeId, more: Partial<NewChannel> = {}) => {
  const made = await insertChannel(database.app, scope, newChannel(more), AUDIT)
  if (made.kind !== "inserted") throw new Error(made.kind)
  return made.channel
}
const notice = (commit: Commit, type: NoticeType, n = 0) => ({
  type,
  changeId: commit.changes[0]!.change.content.changeId,
  detail: { n },
})
const commitWith = async (scope: ScopeId, ...types: NoticeType[]) => {
  const commit = directCommit(await loadState(database.app, scope), "k", 1)
  const notices = types.map((type, n) => notice(commit, type, n))
  return await commitScope(database.app, { ...commit, notices })
}
const deliveriesOf = (scope: ScopeId, more: Partial<Parameters<typeof listDeliveries>[2]> = {}) =>
  listDeliveries(database.app, scope, { limit: 50, ...more })
/** One delivery, not attempted yet. */
const deliveryOf = async (name: string) => {
  const scope = await tenant(name)
  const channel = await channelOf(scope)
  await commitWith(scope, "change.live")
  return { scope, channel, delivery: (await deliveriesOf(scope))[0]! }
}

describe("channels", () => {
  test("a channel is read back as it was written, and as it was altered, each time with an audit entry", async () => {
    const scope = await tenant("channels")
    const written = newChannel({ environment: PRODUCTION, events: ["change.live"] })
    const seqBefore = (await auditHead(database.app, scope))?.seq ?? 0
    await insertChannel(database.app, scope, written, AUDIT)
    expect(await listChannels(database.app, scope)).toMatchObject([{ ...written, tenantId: scope }])
    const patch = { environment: null, events: null, secret: null, config: { url: "https://example.org" } }
    expect(await updateChannel(database.app, scope, written.channelId, patch, AUDIT)).toMatchObject(patch)
    expect(await deleteChannel(database.app, scope, written.channelId, AUDIT)).toBe(true)
    expect(await listChannels(database.app, scope)).toEqual([])
    expect((await auditHead(database.app, scope))!.seq).toBe(seqBefore + 3)
  })

  test("a channel that is not there, or another's, is neither altered nor deleted, and nothing is written down", async () => {
    const [scope, other] = [await tenant("mine"), await tenant("theirs")]
    const { channelId } = await channelOf(other)
    const seqBefore = await auditHead(database.app, scope)
    expect(await updateChannel(database.app, scope, channelId, { secret: null }, AUDIT)).toBeNull()
    expect(await deleteChannel(database.app, scope, channelId, AUDIT)).toBe(false)
    expect(await auditHead(database.app, scope)).toEqual(seqBefore)
    expect(await listChannels(database.app, other)).toHaveLength(1)
  })

  test("of many added at once no more stay than a scope may have", async () => {
    const scope = await tenant("many")
    const added = await Promise.all(
      Array.from({ length: CHANNELS_MAX + 5 }, () => insertChannel(database.app, scope, newChannel(), AUDIT)),
    )
    expect(added.filter(({ kind }) => kind === "too_many")).toHaveLength(5)
    expect(await listChannels(database.app, scope)).toHaveLength(CHANNELS_MAX)
  })
})

describe("notices", () => {
  test("a commit leaves each notice to each channel that wants it, and to nobody else's", async () => {
    const [scope, other] = [await tenant("fan"), await tenant("fan-other")]
    await channelOf(other)
    const all = await channelOf(scope)
    const some = await channelOf(scope, { events: ["change.rolled_back"] })
    const here = await channelOf(scope, { environment: DEVELOPMENT })
    await channelOf(scope, { environment: PRODUCTION })
    const committed = await commitWith(scope, "change.live", "change.rolled_back")
    if (committed.kind !== "committed") throw new Error("nobody else writes")
    const left = await deliveriesOf(scope)
    expect(left.map(({ channelId, type }) => `${channelId} ${type}`).sort()).toEqual(
      [
        `${all.channelId} change.live`,
        `${all.channelId} change.rolled_back`,
        `${here.channelId} change.live`,
        `${here.channelId} change.rolled_back`,
        `${some.channelId} change.rolled_back`,
      ].sort(),
    )
    expect(left.at(-1)).toMatchObject({
      state: "pending",
      attempts: 0,
      dueAt: null,
      at: committed.at,
      environment: DEVELOPMENT,
      detail: { n: 0 },
    })
    expect(await deliveriesOf(other)).toEqual([])
  })

  test("a commit that is a conflict leaves none, nor does one that fails", async () => {
    const scope = await tenant("atomic")
    await channelOf(scope)
    const stale = directCommit(await loadState(database.app, scope), "k", 1)
    await commitScope(database.app, directCommit(await loadState(database.app, scope), "k", 2))
    const notices = [notice(stale, "change.live")]
    expect((await commitScope(database.app, { ...stale, notices })).kind).toBe("conflict")
    const failing = directCommit(await loadState(database.app, scope), "k", 3)
    const changes = failing.changes.map((one) => ({ ...one, isNew: false }))
    await expect(
      commitScope(database.app, { ...failing, changes, notices: [notice(failing, "change.live")] }),
    ).rejects.toThrow()
    expect(await deliveriesOf(scope)).toEqual([])
  })

  test("deliveries are listed newest first, page by page, of one state or all", async () => {
    const scope = await tenant("listed")
    await channelOf(scope)
    await commitWith(scope, "change.started", "change.live", "change.rolled_back")
    const [newest, middle, oldest] = await deliveriesOf(scope)
    expect([newest!.detail, middle!.detail, oldest!.detail]).toEqual([{ n: 2 }, { n: 1 }, { n: 0 }])
    expect(await deliveriesOf(scope, { before: newest!.deliveryId, limit: 1 })).toEqual([middle])
    await settleDelivery(database.app, scope, middle!.deliveryId, { state: "delivered", at: second(0) })
    expect((await deliveriesOf(scope, { state: "delivered" })).map(({ deliveryId }) => deliveryId)).toEqual([
      middle!.deliveryId,
    ])
  })
})

describe("delivering", () => {
  const isDue = async (deliveryId: string, now: string) =>
    (await dueDeliveries(database.system, now, 1_000)).some((due) => due.deliveryId === deliveryId)

  test("that waits in another scope's thousands has its turn among the first", async () => {
    const [crowded, other] = [await deliveryOf("crowded"), await deliveryOf("beside-it")]
    const admin = postgres(database.url("postgres"), { max: 1, onnotice: () => {} })
    for (const dueAt of [null, second(0)])
      await admin`insert into hotswap.deliveries
        (tenant_id, delivery_id, channel_id, environment, type, change_id, detail, at, due_at)
        select ${crowded.scope}, ('00000000-0000-7000-8000-' || lpad(n::text, 12, '0'))::uuid, gen_random_uuid(),
          ${PRODUCTION}, 'change.live', 'c', '{}', now(), ${dueAt}
        from generate_series(${dueAt === null ? 1 : 20_001}::int, ${dueAt === null ? 10_001 : 30_001}::int) n`
    const due = await dueDeliveries(database.system, second(1), 1_000, 3)
    expect(due.filter(({ scope }) => scope === crowded.scope)).toHaveLength(3)
    expect(due).toContainEqual({ scope: other.scope, deliveryId: other.delivery.deliveryId })
    await admin`delete from hotswap.deliveries where tenant_id = ${crowded.scope}`
    await admin.end()
  })

  test("of many that take a delivery at once one gets it, with its channel, until its lease is over", async () => {
    const { scope, channel, delivery } = await deliveryOf("taken")
    const { deliveryId } = delivery
    expect(await isDue(deliveryId, second(0))).toBe(true)
    const take = (now: number, until: number) =>
      takeDelivery(database.app, scope, deliveryId, second(now), second(until))
    const taken = await Promise.all(Array.from({ length: 8 }, (_, n) => take(0, 30 + n)))
    expect(taken.filter((one) => one !== null)).toMatchObject([
      { channel: { channelId: channel.channelId, secret: "whsec_x" }, delivery: { deliveryId, attempts: 1 } },
    ])
    expect([await isDue(deliveryId, second(29)), await isDue(deliveryId, second(40))]).toEqual([false, true])
    expect((await take(40, 50))?.delivery.attempts).toBe(2)
  })

  test("what failed is tried again when it is due; what is settled is never taken again", async () => {
    const { scope, delivery } = await deliveryOf("settled")
    const { deliveryId } = delivery
    const take = (now: number) => takeDelivery(database.app, scope, deliveryId, second(now), second(59))
    await take(0)
    await settleDelivery(database.app, scope, deliveryId, {
      state: "pending",
      dueAt: second(10),
      error: "503",
    })
    expect((await deliveriesOf(scope))[0]).toMatchObject({
      state: "pending",
      dueAt: second(10),
      lastError: "503",
    })
    expect([await take(9), (await take(10))?.delivery.attempts]).toEqual([null, 2])
    await settleDelivery(database.app, scope, deliveryId, { state: "delivered", at: second(11) })
    await settleDelivery(database.app, scope, deliveryId, { state: "dead", at: second(12), error: "late" })
    expect((await deliveriesOf(scope))[0]).toMatchObject({
      state: "delivered",
      dueAt: null,
      lastError: null,
      settledAt: second(11),
    })
    expect([await take(59), await isDue(deliveryId, second(59))]).toEqual([null, false])
  })

  test("a dead delivery can be tried again, once and written down; others cannot", async () => {
    const { scope, channel, delivery } = await deliveryOf("dead")
    const { deliveryId } = delivery
    const retry = (id = deliveryId) => retryDelivery(database.app, scope, id, AUDIT)
    expect((await retry()).kind).toBe("not_dead")
    expect((await retry(randomUUID())).kind).toBe("missing")
    const die = () =>
      settleDelivery(database.app, scope, deliveryId, { state: "dead", at: second(1), error: "410" })
    await die()
    const seqBefore = (await auditHead(database.app, scope))!.seq
    const retries = await Promise.all([retry(), retry(), retry()])
    expect(retries.map(({ kind }) => kind).sort()).toEqual(["not_dead", "not_dead", "retried"])
    expect((await auditHead(database.app, scope))!.seq).toBe(seqBefore + 1)
    expect(await isDue(deliveryId, second(0))).toBe(true)
    await die()
    await deleteChannel(database.app, scope, channel.channelId, AUDIT)
    expect((await retry()).kind).toBe("not_dead")
  })

  test("what is pending for a channel that was deleted is dead, also when a commit left it at that moment", async () => {
    const { scope, channel } = await deliveryOf("orphan")
    const orphan = await channelOf(scope)
    await commitWith(scope, "change.rolled_back")
    await deleteChannel(database.app, scope, channel.channelId, AUDIT)
    const states = async () =>
      (await deliveriesOf(scope)).map(({ channelId, state }) => `${channelId} ${state}`).sort()
    const expected = [
      `${channel.channelId} dead`,
      `${channel.channelId} dead`,
      `${orphan.channelId} pending`,
    ].sort()
    expect(await states()).toEqual(expected)
    const [dead] = await deliveriesOf(scope, { state: "dead" })
    const { default: postgres } = await import("postgres")
    const admin = postgres(database.url("postgres"), { max: 1 })
    await admin`update hotswap.deliveries set state = 'pending', settled_at = null where delivery_id = ${dead!.deliveryId}`
    await admin.end()
    expect(await takeDelivery(database.app, scope, dead!.deliveryId, second(0), second(9))).toBeNull()
    expect(await states()).toEqual(expected)
  })
})
