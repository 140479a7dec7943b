import { sql } from "drizzle-orm"
import fc from "fast-check"
import { expect } from "vitest"
import { backupIdOf, type ScopeId } from "../../core/ids.ts"
import { migrateWork } from "../../functions/backup/migrate.ts"
import { restoreWork } from "../../functions/backup/restore.ts"
import { createRunner } from "../../functions/backup/runner.ts"
import { type ArchiveWorld, archiveWorld } from "../functions/backup/archive-world.ts"
import { ALL_DUE, QUICK } from "../functions/backup/job-world.ts"
import { createWorld, must, type World } from "../functions/manage/world.ts"

/** One who holds every role of a tenant, and no second person beside her. */
interface Mallory {
  world: World
  tenantId: string
  /** Her own token with every role, and those she mints for friends with one role each. */
  tokens: string[]
  /** Changes and releases that she could name. */
  changes: string[]
  releases: string[]
  /** What she could have restored: her tenant as it was, archived and at times. */
  backups: string[]
  instants: string[]
  /** Has the jobs done that she asked for. */
  work(): Promise<void>
  /** Counts what she writes, so that nothing she sends is there already. */
  count: number
}

/** A request she sends; `null` when she has nothing to send it about. */
interface Attempt {
  method: string
  path: string
  body?: unknown
  headers?: Record<string, string>
}

type Attack = (mallory: Mallory, pick: (among: readonly string[]) => string) => Attempt

const ENVIRONMENT = "Production"
/** What the platform granted her tenant, in Staging as well. */
const GRANT = { key: "limit.command", value: { max: 3, windowMs: 60_000 } }
const KEYS = ["limit", "other", "new.key", GRANT.key, "feature.unlimitedCommands"]
const ROLES = ["viewer", "engineer", "manager", "compliance", "tenant_admin"]

const id = (key: string) => `mallory:${ENVIRONMENT}:${key}`
/** What she would have a key be: of what is granted, without limit. */
const wished = (key: string, number: number): unknown =>
  key.startsWith("limit.") ? { max: -1, windowMs: 60_000 } : key.startsWith("feature.") || number
const post = (path: string, body: unknown = {}): Attempt => ({ method: "POST", path, body })
const onChange =
  (action: string, body: unknown = {}): Attack =>
  ({ changes }, pick) =>
    post(`/api/v1/changes/${pick(changes)}/${action}`, body)
const onApproval =
  (action: string): Attack =>
  ({ changes }, pick) =>
    post(`/api/v1/approvals/${pick(changes)}/${action}`)
const environmentPath = (tenantId: string, part: string) =>
  `/api/v1/tenants/${tenantId}/environments/${ENVIRONMENT}/${part}`

const STRATEGIES = [
  undefined,
  { type: "direct" },
  { type: "canary", steps: [{ weightBp: 9_999, holdMs: 0 }] },
  { type: "blue_green" },
  { type: "rolling", waves: [{ weightBp: 10_000 }] },
]
const LOOSE_POLICIES = [
  { stages: [] },
  { stages: [{ role: "engineer", required: 1 }] },
  { promoteFromAny: true },
  { breakGlass: ROLES.slice(1) },
  { rollbackWindowMs: 30 * 24 * 3_600_000 },
]

/** Routes that alter who is told of changes, or her backends, or are the platform's, and no configuration of hers: beside the one tried above they have nothing to try. */
export const BESIDE: readonly string[] = [
  "createChannel",
  "putChannel",
  "deleteChannel",
  "rotateChannel",
  "rotateKeys",
  "testChannel",
  "retryDelivery",
  "setAuditRetention",
  "reviewAccess",
  "checkLimit",
  "consumeLimit",
  "resetLimit",
  "reload",
  "exportPerson",
  "evaluateFlag",
  "explainFlag",
  "cancelJob",
  "cloneTenant",
  "beginImport",
  "sendImportPart",
  "completeImport",
  "adoptBackups",
  "createBackup",
  "validateBackup",
  "holdBackup",
  "deleteBackup",
  "setBackupSchedule",
  "startDrill",
  "putDeployments",
  "checkDeployments",
  "planProvisioning",
  "applyProvisioning",
  "confirmProvisioning",
  "retryProvisioning",
  "cancelProvisioning",
  "retireProvisioning",
  "putProvisioningTemplate",
]

/** Every route that alters something, by the name it has in the reference, as somebody would use it who wants past the approvals. */
export const ATTACKS: Readonly<Record<string, Attack>> = {
  createConfig: (mallory) =>
    post("/api/v1/configs", {
      tenantId: "mallory",
      environment: ENVIRONMENT,
      key: `made.${++mallory.count}`,
      value: 666,
    }),
  editConfig: (mallory, pick) => {
    const key = pick(KEYS)
    const body = { value: wished(key, ++mallory.count + 1_000), locked: true }
    return { method: "PUT", path: `/api/v1/configs/${pick([id(key), `mallory:Staging:${key}`])}`, body }
  },
  deleteConfig: (_mallory, pick) => ({ method: "DELETE", path: `/api/v1/configs/${id(pick(KEYS))}` }),
  setFlag: (mallory, pick) => ({
    method: "PUT",
    path: `/api/v1/tenants/mallory/flags/${pick([...KEYS, "flag"])}?environment=${ENVIRONMENT}`,
    body: { enabled: true, percentage: ++mallory.count % 100, locked: true },
  }),
  deleteFlag: (_mallory, pick) => ({
    method: "DELETE",
    path: `/api/v1/tenants/mallory/flags/${pick([...KEYS, "flag"])}?environment=${ENVIRONMENT}`,
  }),
  rollBackConfig: (_mallory, pick) =>
    post(`/api/v1/configs/${id(pick(KEYS))}/rollback`, { toVersion: Number(pick(["1", "2"])) }),
  promoteConfig: (_mallory, pick) =>
    post(`/api/v1/configs/mallory:${pick(["Staging", "Development"])}:${pick(KEYS)}/promote`, {
      targetEnvironment: ENVIRONMENT,
      approvalRequired: false,
    }),
  submitChange: (mallory, pick) => {
    const { changes } = mallory
    const key = pick(KEYS)
    const edits = [{ key, value: wished(key, ++mallory.count + 2_000) }]
    const strategy = STRATEGIES[mallory.count % STRATEGIES.length]
    return {
      ...post("/api/v1/changes", {
        tenantId: "mallory",
        environment: ENVIRONMENT,
        ...(mallory.count % 4 === 0 ? { promote: { from: "Staging" } } : { edits }),
        ...(strategy ? { strategy } : {}),
        ...(mallory.count % 3 === 0 && changes.length > 0 ? { replaces: pick(changes) } : {}),
        approvalRequired: false,
      }),
      headers: { "Idempotency-Key": `again-${mallory.count % 3}` },
    }
  },
  previewChange: (mallory, pick) =>
    post("/api/v1/changes/preview", {
      tenantId: "mallory",
      environment: ENVIRONMENT,
      edits: [{ key: pick(KEYS), value: ++mallory.count }],
    }),
  approveChange: onApproval("approve"),
  rejectChange: onApproval("reject"),
  withdrawApproval: onApproval("withdraw"),
  cancelChange: onChange("cancel"),
  rollBackChange: onChange("rollback"),
  breakGlass: onChange("break-glass"),
  reviewChange: onChange("review"),
  pauseChange: onChange("pause"),
  resumeChange: onChange("resume"),
  advanceChange: onChange("advance"),
  abortChange: onChange("abort"),
  commentOnChange: onChange("comments", { text: "please" }),
  remindApprovers: onChange("remind"),
  signalChange: onChange("signals", { source: "mallory", status: "resolved", summary: "all is well" }),
  signalEnvironment: ({ tenantId }) =>
    post(environmentPath(tenantId, "signals"), {
      source: "mallory",
      status: "resolved",
      summary: "all is well",
    }),
  rollBackEnvironment: ({ tenantId, releases, count }, pick) =>
    post(
      environmentPath(tenantId, "rollback"),
      count % 2 === 0 && releases.length > 0 ? { toRelease: pick(releases) } : {},
    ),
  setPolicy: ({ tenantId, count }) => ({
    method: "PUT",
    path: environmentPath(tenantId, "policy"),
    body: LOOSE_POLICIES[count % LOOSE_POLICIES.length],
  }),
  setRules: ({ tenantId, count }) => ({
    method: "PUT",
    path: environmentPath(tenantId, "rules"),
    body: {
      rules: count % 2 === 0 ? [] : [{ id: `r${count}`, description: "hers", require: { var: "limit" } }],
    },
  }),
  checkRules: ({ tenantId }) =>
    post(environmentPath(tenantId, "rules/check"), {
      rules: [{ id: "hers", description: "hers", require: { var: "limit" } }],
    }),
  inheritPolicy: ({ tenantId }) => ({ method: "DELETE", path: environmentPath(tenantId, "policy") }),
  issueToken: (mallory) => {
    const { tenantId } = mallory
    const role = ROLES[mallory.count++ % ROLES.length]!
    return post(`/api/v1/tenants/${tenantId}/tokens`, { subject: `friend.${role}`, roles: [role] })
  },
  issuePlatformToken: (_mallory, pick) =>
    post("/api/v1/tokens", { subject: "mallory", roles: ["platform_admin"], tenants: [pick(["mallory"])] }),
  erasePerson: ({ tenantId }, pick) =>
    post(`/api/v1/tenants/${tenantId}/persons/erase`, {
      subject: pick(["mallory", "friend", "platform", ...ROLES.map((role) => `friend.${role}`)]),
    }),
  revokeToken: ({ tenantId }, pick) => ({
    method: "DELETE",
    path: `/api/v1/tenants/${tenantId}/tokens/${tenantId}:tok_${pick(["0", "1"]).repeat(32)}`,
  }),
  restoreBackup: ({ backups, count }, pick) =>
    post(`/api/v1/backups/${pick(backups)}/restore`, count % 2 === 0 ? {} : { environments: [ENVIRONMENT] }),
  restoreTenant: ({ tenantId, instants, count }, pick) =>
    post(`/api/v1/tenants/${tenantId}/restore`, {
      asOf: pick(instants),
      ...(count % 2 === 0 ? {} : { environments: [ENVIRONMENT] }),
    }),
  migrateTenant: ({ tenantId, count }, pick) =>
    post(`/api/v1/tenants/${tenantId}/migrate`, {
      from: pick(["Staging", "Development"]),
      to: ENVIRONMENT,
      overwrite: true,
      ...(count % 2 === 0 ? { keys: [pick(KEYS)] } : {}),
    }),
  createTenant: () => post("/api/v1/tenants", { name: "Mallory", tenantId: "mallory" }),
  suspendTenant: ({ tenantId }) => post(`/api/v1/tenants/${tenantId}/suspend`),
  resumeTenant: ({ tenantId }) => post(`/api/v1/tenants/${tenantId}/resume`),
  deleteTenant: ({ tenantId }) => ({ method: "DELETE", path: `/api/v1/tenants/${tenantId}` }),
  verifyAudit: ({ tenantId }) => post("/api/v1/audit/verify", { tenantId }),
  updateTenant: (mallory) => ({
    method: "PATCH",
    path: "/api/v1/tenants/mallory",
    body: { displayName: `Mallory ${++mallory.count}`, features: { approvals: false } },
  }),
}

const ALL = [...ROLES]

/** The platform's word on what the tenant may, between two changes of the tenant's own. */
const grant = async (
  world: World,
  tenantId: string,
  honest: Readonly<Record<"engineer" | "manager" | "compliance", string>>,
): Promise<string> => {
  const edits = [GRANT]
  await must(
    world.call("POST", "/api/v1/changes", { body: { tenantId, environment: "Staging", edits } }),
    202,
  )
  const body = { tenantId, environment: ENVIRONMENT, edits, strategy: { type: "direct" } }
  const made = await must(world.call("POST", "/api/v1/changes", { body }), 202)
  for (const role of ["engineer", "manager", "compliance"] as const)
    await must(
      world.call("POST", `/api/v1/approvals/${made.body.changeId}/approve`, { token: honest[role] }),
      200,
    )
  return String(made.body.changeId)
}

/** What does the jobs that are asked for. */
const workerOf = (world: World, archiving: ArchiveWorld) => {
  const platform = { ...world.platform, ...archiving, queue: undefined } as never
  const works = { "backup.restore": restoreWork(platform), "tenant.migrate": migrateWork(platform) }
  const runner = createRunner(platform, works, QUICK)
  return async () => {
    await runner.run(ALL_DUE())
    await world.platform.background.settled()
  }
}

/** A tenant whose Production holds what two honest chains approved, and Mallory with a token of every role. */
const createScene = async (world: World, archiving: ArchiveWorld): Promise<Mallory> => {
  const tenantId = "mallory"
  const backups: string[] = []
  const instants: string[] = []
  const { issue, tokens: honest } = await world.tenant(tenantId)
  const author = await issue("author@honest", ["engineer", "tenant_admin"])
  const all = await issue("mallory", ALL)
  const changes: string[] = []
  for (const value of [1, 2]) {
    for (const key of ["limit", "other"]) {
      for (const environment of ["Development", "Staging"])
        await world.call("POST", "/api/v1/changes", {
          token: author,
          body: { tenantId, environment, edits: [{ key, value: 500 + value }] },
        })
    }
    const edits = ["limit", "other"].map((key) => ({ key, value }))
    const body = { tenantId, environment: ENVIRONMENT, edits, strategy: { type: "direct" } }
    const made = await must(world.call("POST", "/api/v1/changes", { token: author, body }), 202)
    for (const role of ["engineer", "manager", "compliance"] as const)
      await must(
        world.call("POST", `/api/v1/approvals/${made.body.changeId}/approve`, { token: honest[role] }),
        200,
      )
    changes.push(String(made.body.changeId))
    const archived = await archiving.backUp(tenantId)
    if (archived !== "later") backups.push(backupIdOf(tenantId as ScopeId, archived.backupId))
    instants.push(await instantOf(world))
    if (value === 1) changes.push(await grant(world, tenantId, honest))
  }
  // And one that is approved, to start in a week: nobody may bring it forward, or alter it, without those who approved.
  const startAt = new Date(world.platform.clock.nowMs() + 6 * 24 * 3_600_000).toISOString()
  const body = { tenantId, environment: ENVIRONMENT, edits: [{ key: "new.key", value: "approved" }], startAt }
  const planned = await must(world.call("POST", "/api/v1/changes", { token: author, body }), 202)
  for (const role of ["engineer", "manager", "compliance"] as const)
    await must(
      world.call("POST", `/api/v1/approvals/${planned.body.changeId}/approve`, { token: honest[role] }),
      200,
    )
  changes.push(String(planned.body.changeId))
  const work = workerOf(world, archiving)
  return { world, tenantId, tokens: [all], changes, releases: [], backups, instants, work, count: 0 }
}

const instantOf = async ({ app }: World): Promise<string> => {
  const [row] = await app.transaction(({ db }) =>
    db.execute<{ at: string }>(sql`select hotswap.instant(clock_timestamp()) as at`),
  )
  return row!.at
}

/** What is granted in Staging, where she needs nobody to agree with the rest. */
const grantedInStaging = async ({ world, tenantId }: Mallory): Promise<unknown> => {
  const path = `/api/v1/configs?tenantId=${tenantId}&environment=Staging&prefix=limit.`
  const { body } = await must(world.call<{ items: { key: string; value: unknown }[] }>("GET", path), 200)
  return body.items.map(({ key, value }) => ({ key, value }))
}

interface Served {
  stable: Record<string, unknown>
  hasCandidate: boolean
}

const served = async ({ world, tenantId }: Mallory): Promise<Served> => {
  const path = `/api/v1/configs?tenantId=${tenantId}&environment=${ENVIRONMENT}&limit=200`
  const { body } = await must(world.call<{ items: { key: string; value: unknown }[] }>("GET", path), 200)
  const open = await must(
    world.call<{ items: unknown[] }>(
      "GET",
      `/api/v1/changes?tenantId=${tenantId}&environment=${ENVIRONMENT}&state=rolling_out`,
    ),
    200,
  )
  return {
    stable: Object.fromEntries(body.items.map(({ key, value }) => [key, value])),
    hasCandidate: open.body.items.length > 0,
  }
}

/** What honest people approved, in the order it went live; what was granted stays, however far back she goes. */
const LAWFUL: readonly Record<string, unknown>[] = [{}, { limit: 1, other: 1 }, { limit: 2, other: 2 }].map(
  (approved) => ({ ...approved, [GRANT.key]: GRANT.value }),
)

const hasBrokenGlass = async ({ world, tenantId }: Mallory): Promise<boolean> => {
  const path = `/api/v1/audit?tenantId=${tenantId}&action=change.break_glass&limit=1`
  const { body } = await must(world.call<{ items: unknown[] }>("GET", path), 200)
  return body.items.length > 0
}

/** Has a job done that an answer tells of, and looks at what it filed. */
const learnOfJob = async (mallory: Mallory, { jobId }: Record<string, unknown>): Promise<void> => {
  if (typeof jobId !== "string") return
  await mallory.work()
  const { body } = await mallory.world.call<{ result: { environments?: [] } | null }>(
    "GET",
    `/api/v1/jobs/${jobId}`,
  )
  for (const done of [body.result ?? {}, ...(body.result?.environments ?? [])]) learn(mallory, done)
}

/** Remembers what an answer tells her that she can use. */
const learn = (mallory: Mallory, body: Record<string, unknown>): void => {
  if (typeof body.changeId === "string" && !mallory.changes.includes(body.changeId))
    mallory.changes.push(body.changeId)
  if (typeof body.token === "string") mallory.tokens.push(body.token)
  if (Array.isArray(body.items))
    for (const item of body.items as { release?: string }[])
      if (item.release !== undefined && !mallory.releases.includes(item.release))
        mallory.releases.push(item.release)
}

/**
 * What she does as herself. Who issues tokens can make people up: of two that she made, neither descends from the other, so
 * one could approve what the other submits. That is for whoever hands out `tenant_admin` to know, and in the audit.
 */
const HER_OWN: ReadonlySet<string> = new Set([
  "createConfig",
  "editConfig",
  "deleteConfig",
  "setFlag",
  "deleteFlag",
  "rollBackConfig",
  "promoteConfig",
  "submitChange",
  "restoreBackup",
  "restoreTenant",
  "migrateTenant",
  "setPolicy",
  "setRules",
  "inheritPolicy",
  "issueToken",
])

/** One call by each of those, and what readers of Production get after it: nothing that was not approved. */
const attempt = async (mallory: Mallory, name: string, choices: readonly number[]): Promise<number[]> => {
  const { world } = mallory
  let nth = 0
  /** The newest half of the time. */
  const pick = (among: readonly string[]) => {
    const choice = choices[nth++ % choices.length]!
    return (choice % 2 === 0 ? among.at(-1) : among[choice % among.length]) ?? "none"
  }
  const own = mallory.tokens[0]!
  const other = mallory.tokens[choices[0]! % mallory.tokens.length]!
  // An approval is asked of all her tokens in turn, once for each role that may be due.
  const tokens =
    name === "approveChange"
      ? ROLES.flatMap(() => mallory.tokens)
      : [HER_OWN.has(name) || choices[1]! % 2 === 0 ? own : other]
  const { method, path, body, headers } = ATTACKS[name]!(mallory, pick)
  const statuses: number[] = []
  for (const token of tokens) {
    const answer = await world.call(method, path, {
      token,
      ...(body === undefined ? {} : { body }),
      ...(headers ? { headers } : {}),
    })
    learn(mallory, answer.body)
    await learnOfJob(mallory, answer.body)
    statuses.push(answer.status)
  }
  const now = await served(mallory)
  const told = `${method} ${path} ${JSON.stringify(body)} → ${statuses.join()}`
  expect(LAWFUL, told).toContainEqual(now.stable)
  expect(now.hasCandidate, told).toBe(false)
  return statuses
}

/** What gets somewhere takes several calls on one change: those that make and approve one come more often than the rest. */
const names = [
  ...Object.keys(ATTACKS),
  ...["submitChange", "submitChange", "editConfig", "setPolicy", "issueToken", "issueToken"],
  ...new Array<string>(6).fill("approveChange"),
]

/**
 * Lets Mallory try so many sequences of so many calls, in any order, with any of her tokens; only the glass she leaves alone.
 * Returns how many calls were taken (2xx) and refused.
 */
export const tryToBypass = async (options: {
  sequences: number
  calls: number
  seed: number
  /** Told, for each sequence, whether what honest people do is over and it is Mallory's turn. */
  turn?: (isMallorys: boolean) => void
}): Promise<{ taken: number; refused: number }> => {
  const tally = { taken: 0, refused: 0 }
  const quiet = names.filter((name) => name !== "breakGlass")
  const call = fc.tuple(fc.constantFrom(...quiet), fc.array(fc.nat(1_000), { minLength: 3, maxLength: 6 }))
  const sequence = fc.array(call, { minLength: options.calls, maxLength: options.calls })
  for (const calls of fc.sample(sequence, { numRuns: options.sequences, seed: options.seed })) {
    const world = await createWorld()
    const archiving = archiveWorld(world, world.platform as never)
    try {
      options.turn?.(false)
      options.turn?.(false)
      const mallory = await createScene(world, archiving)
      options.turn?.(true)
      options.turn?.(true)
      learn(mallory, (await world.call("GET", `${environmentPath("mallory", "releases")}?limit=50`)).body)
      for (const [name, choices] of calls) {
        for (const status of await attempt(mallory, name, choices)) {
          if (status < 300) tally.taken++
          else tally.refused++
        }
      }
      expect(await grantedInStaging(mallory), JSON.stringify(calls)).toEqual([GRANT])
      expect(await hasBrokenGlass(mallory)).toBe(false)
    } finally {
      await archiving.close()
      await world.close()
    }
  }
  return tally
}

/** Mallory breaks glass: what she changes is live, is written down as that, and owes a review that none of her tokens can give. */
export const breakGlassAlone = async (
  world: World,
): Promise<{ due: string; friend: string; changeId: string }> => {
  const archiving = archiveWorld(world, world.platform as never)
  const mallory = await createScene(world, archiving)
  await archiving.close()
  const [token] = mallory.tokens
  const call = (path: string, body: unknown = {}, by = token!) =>
    world.call("POST", path, { token: by, body })
  const body = { tenantId: "mallory", environment: ENVIRONMENT, edits: [{ key: "limit", value: 666 }] }
  const made = await must(call("/api/v1/changes", body), 202)
  const changeId = String(made.body.changeId)
  const broken = await must(call(`/api/v1/changes/${changeId}/break-glass`, { comment: "now" }), 200)
  expect(broken.body).toMatchObject({ state: "live", review: { due: expect.any(String) } })
  expect(await hasBrokenGlass(mallory)).toBe(true)
  const minted = await must(
    call("/api/v1/tenants/mallory/tokens", { subject: "friend", roles: ["compliance", "manager"] }),
    201,
  )
  return { changeId, friend: String(minted.body.token), due: (broken.body.review as { due: string }).due }
}
