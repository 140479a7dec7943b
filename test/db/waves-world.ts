import type { Environment } from "../../core/environment.ts"
import type { OutcomeReport } from "../../core/gate/evidence.ts"
import type { TenantId, TokenId } from "../../core/ids.ts"
import { formatRevision } from "../../core/release/revision.ts"
import { recordOutcomes } from "../../db/queries/gate.ts"
import { readPointer } from "../../db/queries/reading.ts"
import type { OpenTestDatabase } from "../support/database.ts"
import { makeTenant, tenantId } from "./fixtures.ts"

const START_MS = Date.parse("2026-03-01T00:00:00.000Z")
export const minute = (minutes: number) => new Date(START_MS + minutes * 60_000).toISOString()

/** An environment of its own for each test, with a tenant of the Pro tier that reports there. */
let made = 0
export const wavesWorld = async (database: OpenTestDatabase) => {
  made += 1
  const environment = `Waves${made}` as Environment
  let seq = 0
  const tenant = async (name: string, tier: "Free" | "Pro" = "Pro") => {
    const id = tenantId(`${name}-${made}`)
    await makeTenant(database.app, id, tier)
    return id
  }
  const revision = async (id: TenantId): Promise<string> => {
    const { epoch, layers } = (await readPointer(database.read, id, environment, []))!
    return formatRevision({
      epoch,
      platform: layers.platform.seq,
      tier: layers.tier.seq,
      tenant: layers.tenant.seq,
    })
  }
  const report = async (
    id: TenantId,
    [ok, errors]: readonly [number, number],
    more: Partial<OutcomeReport> = {},
  ): Promise<OutcomeReport> => {
    seq += 1
    return {
      revision: await revision(id),
      arm: "stable",
      instance: "server",
      seq,
      ok,
      errors,
      ...more,
    }
  }
  const record = async (id: TenantId, reports: readonly OutcomeReport[], at = minute(0), token = "0") => {
    const tokenId = `${id}:tok_${token}` as TokenId
    const recorded = await recordOutcomes(database.app, { tenantId: id, environment, tokenId, reports, at })
    if (recorded.kind !== "recorded") throw new Error(recorded.kind)
    return recorded
  }
  /** One report of what is current. */
  const send = async (
    id: TenantId,
    counts: readonly [number, number],
    at = minute(0),
    more: Partial<OutcomeReport> = {},
  ) => record(id, [await report(id, counts, more)], at)
  return { environment, tenant, revision, report, record, send }
}

export const tally = (requests: number, errors: number) => ({ requests, errors })
