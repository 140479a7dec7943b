import postgres from "postgres"
import { afterAll, beforeAll, expect, test } from "vitest"
import type { Figures } from "../../../functions/platform/metric-log.ts"
import { createRelay } from "../../../functions/relay/relay.ts"
import { makeTenant, PRODUCTION } from "../../db/fixtures.ts"
import { realWorld } from "../read/real.ts"

let world: Awaited<ReturnType<typeof realWorld>>
let admin: postgres.Sql
let tenant: string
beforeAll(async () => {
  world = await realWorld()
  admin = postgres(world.url("postgres"), { max: 1, onnotice: () => {} })
  tenant = (await makeTenant(world.app, "acme")).tenantId
})
afterAll(async () => {
  await admin.end()
  await world.stop()
})

/** A relay that publishes nothing, so that what waits stays, and what it tells of. */
const telling = () => {
  const told: Figures[] = []
  const relay = createRelay({
    ...world.platform,
    settings: { eventDays: 90, metricTenants: 10 } as never,
    system: world.system,
    publisher: { publish: async () => false },
    metrics: { tell: (figures) => void told.push(figures) },
  })
  const sweep = async (): Promise<Figures> => {
    await relay.sweep()
    await world.background.settled()
    return told.at(-1)!
  }
  return { told, sweep }
}

const IDLE = {
  DueChangeAge: 0,
  DueDeliveryAge: 0,
  DeadDeliveries: 0,
  BackupsOverdue: 0,
  BackupsFailing: 0,
  BackupAge: null,
  DrillAge: null,
  JobsDead: 0,
  JobsWaited: 0,
}

test("where nothing waits every figure is nought, and what has never been is not known", async () => {
  await admin`delete from hotswap.outbox`
  expect(await telling().sweep()).toMatchObject({ ...IDLE, OutboxAge: 0, OutboxMarks: 0 })
})

test("they are told once a minute, however often is swept", async () => {
  const { told, sweep } = telling()
  for (let second = 0; second < 60; second++) {
    await sweep()
    world.clock.advance(1_000)
  }
  expect(told).toHaveLength(1)
  await sweep()
  expect(told).toHaveLength(2)
})

const within = (seconds: number) => expect.toSatisfy((age: number) => age >= seconds && age < seconds + 60)

test("each tells how long the one has waited that waits longest, and how many there are", async () => {
  await admin`insert into hotswap.outbox (tenant_id, environment, at) values
    (${tenant}, ${PRODUCTION}, now() - interval '100 seconds'), (${tenant}, 'QA', now())
    on conflict (tenant_id, environment) do update set at = excluded.at`
  await admin`insert into hotswap.changes
    (tenant_id, change_id, environment, content, key_hashes, state, status, approvals, comments, due_at, updated_at)
    select ${tenant}, ${`${tenant}:chg_`} || n, 'QA', '{}', '{}', 'rolling_out', '{}', '[]', '[]', now() + due, now()
    from (values (1, interval '-200 seconds'), (2, interval '1 day')) as c (n, due)`
  await admin`insert into hotswap.deliveries
    (tenant_id, channel_id, environment, type, change_id, detail, at, state, due_at, settled_at)
    select ${tenant}, gen_random_uuid(), 'QA', 'change.live', 'c', '{}', now(), state, now() + due, now() + settled
    from (values ('pending', interval '-300 seconds', null::interval), ('pending', null, null),
      ('delivered', interval '-1 day', interval '-1 day'), ('dead', null, interval '-1 minute'),
      ('dead', null, interval '-2 hours')) as d (state, due, settled)`
  await admin`insert into hotswap.jobs
    (tenant_id, kind, params, state, created_by, due_at, ended_at, problem)
    select ${tenant}, 'backup.create', '{}', state, '{}', now() + due, now() + ended, problem::jsonb
    from (values ('queued', interval '-400 seconds', null::interval, null), ('failed', interval '-1 day', interval '-1 hour', '{}'))
      as j (state, due, ended, problem)`
  await admin`update hotswap.tenants set created_at = now() - interval '100 days'`
  await admin`insert into hotswap.backup_schedules (tenant_id, next_due_at, last_at, failures)
    values (${tenant}, now(), now() - interval '50 hours', 2)`
  expect(await telling().sweep()).toMatchObject({
    OutboxAge: within(100),
    OutboxMarks: 2,
    DueChangeAge: within(200),
    DueDeliveryAge: within(300),
    DeadDeliveries: 1,
    JobsWaited: within(400),
    JobsDead: 1,
    BackupAge: within(180_000),
    BackupsFailing: 1,
    BackupsOverdue: 5,
    BackupsNever: 4,
  })
})

test("a drill that succeeded is as old as the last one is", async () => {
  await admin`insert into hotswap.jobs (tenant_id, kind, params, state, created_by, ended_at)
    select '~platform', 'backup.drill', '{}', 'succeeded', '{}', to_timestamp(${world.clock.nowMs() / 1_000}) - make_interval(hours => h)
    from generate_series(3, 4) h`
  expect((await telling().sweep()).DrillAge).toBeCloseTo(3 * 3_600, 0)
})

test("what cannot be read is logged, and told of as nothing rather than as something", async () => {
  const told: Figures[] = []
  const relay = createRelay({
    ...world.platform,
    settings: { eventDays: 90, metricTenants: 10 } as never,
    system: { ...world.system, transaction: () => Promise.reject(new Error("away")) },
    publisher: { publish: async () => false },
    metrics: { tell: (figures) => void told.push(figures) },
  })
  await expect(relay.sweep()).rejects.toThrow("away")
  await world.background.settled()
  expect(told).toEqual([])
  expect(world.log.lines).toContainEqual(
    expect.objectContaining({ level: "error", message: "how everything goes could not be told" }),
  )
})
