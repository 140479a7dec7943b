import type { Principal } from "../../core/access.ts"
import { derivedUuid } from "../../core/backup/derived-uuid.ts"
import { migrateEdits } from "../../core/backup/migrate-edits.ts"
import type { Change } from "../../core/change/change.ts"
import type { Environment } from "../../core/environment.ts"
import { Refusal } from "../../core/errors.ts"
import { type ConfigKey, changeIdOf } from "../../core/ids.ts"
import type { Job } from "../../core/job/job.ts"
import type { JsonObject } from "../../core/json.ts"
import type { Database } from "../../db/client.ts"
import { findPromoted } from "../../db/queries/kept-versions.ts"
import { permit } from "../http/permit.ts"
import type { MutatePlatform } from "../platform/mutate.ts"
import { promotionFrom } from "../platform/promotion.ts"
import { reportOf, toldDiff } from "./change-report.ts"
import { fileWish, rehearseWish, type Wish } from "./filing.ts"
import { ownerNow } from "./job-owner.ts"
import { heldNow } from "./kept-keys.ts"
import type { Work } from "./work.ts"

/** What was asked for, as the route has checked it. */
interface Params {
  from: Environment
  to: Environment
  /** All that there are, when left out. */
  keys?: readonly ConfigKey[]
  /** The target's own as well. */
  overwrite?: boolean
  dryRun?: boolean
}

interface Planned {
  wish: Wish
  kept: readonly ConfigKey[]
  keys: number
}

const ATTEMPTS_MAX = 10
const KEYS_TOLD_MAX = 5

/** `tenant.migrate`: everything that one environment has becomes a change of another, which approvals are owed for as ever. */
export const migrateWork =
  (given: MutatePlatform & { bulk: Database }): Work =>
  async ({ job, progress }) => {
    const owner = await ownerNow(given, job)
    // As much as an environment may hold takes longer than a request has.
    const platform = { ...given, db: given.bulk }
    const params = job.params as unknown as Params
    permit(owner, "change.submit", { scope: job.scope, environment: params.to })
    permit(owner, "config.read", { scope: job.scope, environment: params.from })
    await progress({ step: `comparing ${params.from} with ${params.to}` })
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
      const result = await migrateOnce(platform, owner, job, params)
      if (result !== null) return { kind: "done", result }
    }
    throw new Refusal("CHANGE_CONFLICT", `${params.to}: it was being changed all the while.`)
  }

/** `null`: the target moved meanwhile. */
const migrateOnce = async (
  platform: MutatePlatform,
  owner: Principal,
  job: Job,
  params: Params,
): Promise<JsonObject | null> => {
  const planned = await planOf(platform, job, params)
  const rehearsed = await rehearseWish(platform, owner, planned.wish)
  switch (rehearsed.kind) {
    case "moved":
      return null
    case "refused":
      throw rehearsed.refusal
    case "nothing":
      return resultOf(job, params, planned, null, [])
    case "filed":
      return resultOf(job, params, planned, rehearsed.change, [])
  }
  const { change, diff } = rehearsed
  if (params.dryRun) return resultOf(job, params, planned, change, diff)
  const filed = await fileWish(platform, owner, planned.wish)
  if (filed.kind === "moved") return null
  return resultOf(job, params, planned, filed.kind === "filed" ? filed.change : null, diff)
}

const planOf = async (
  platform: MutatePlatform,
  { scope, jobId }: Job,
  { from, to, keys, overwrite = false }: Params,
): Promise<Planned> => {
  const target = { scope, environment: to }
  const { edits: promotion, promotedFrom } = await promotionFrom(platform, { scope, environment: from }, keys)
  const there = new Set(promotion.map(({ key }) => key))
  refuseMissing(
    from,
    (keys ?? []).filter((key) => !there.has(key)),
  )
  if (promotion.length === 0) throw new Refusal("PROMOTION_EMPTY", `${from} has nothing to promote.`)
  const present = await heldNow(platform.db, target)
  const named = [...present.keys].map(([key, { entry }]) => ({ key, version: entry.version }))
  const promoted = overwrite ? there : await findPromoted(platform.db, scope, to, named)
  const { edits, kept } = migrateEdits(promotion, present.keys, promoted)
  const versions = Object.fromEntries(edits.map(({ key }) => [key, promotedFrom!.versions[key]!]))
  return {
    wish: {
      target,
      changeId: changeIdOf(scope, derivedUuid(jobId, to, "promotion")),
      edits,
      promotedFrom: { ...promotedFrom!, versions },
      comment: `Everything from ${from}`,
      base: present.release,
    },
    kept,
    keys: promotion.length,
  }
}

/** Whoever names keys means all of them. */
const refuseMissing = (from: Environment, missing: readonly ConfigKey[]): void => {
  if (missing.length === 0) return
  const told = missing.slice(0, KEYS_TOLD_MAX).join(", ")
  throw new Refusal(
    "PROMOTION_EMPTY",
    `${from} does not have ${told}${missing.length > KEYS_TOLD_MAX ? ", …" : ""}.`,
    {
      errors: missing.map((path) => ({ path, message: "is not stable there" })),
    },
  )
}

const resultOf = (
  { scope }: Job,
  { from, to, dryRun = false }: Params,
  { kept, keys, wish }: Planned,
  change: Change | null,
  diff: Parameters<typeof toldDiff>[0],
): JsonObject => {
  const isFiled = !dryRun || change?.content.changeId !== wish.changeId
  const report = reportOf(change, isFiled)
  return {
    tenantId: scope,
    from,
    to,
    dryRun,
    ...report,
    unchanged: keys - kept.length - report.set,
    kept: [...kept],
    ...toldDiff(diff),
  }
}
