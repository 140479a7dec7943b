import type { Environment } from "../../../core/environment.ts"
import type { OutcomeReport } from "../../../core/gate/evidence.ts"
import type { TenantId } from "../../../core/ids.ts"
import { formatRevision } from "../../../core/release/revision.ts"
import { readPointer } from "../../../db/queries/reading.ts"
import { createOutcomes } from "../../../functions/outcomes/outcomes.ts"
import type { OutcomesPlatform } from "../../../functions/platform/compose-outcomes.ts"
import { type Answer, CONTEXT, createWorld, eventOf, must } from "../manage/world.ts"

export const HOLD_MS = 60_000

export interface Reported {
  accepted: number
  ignored: { index: number; reason: string }[]
  verdict: { changeId: string; step: number; kind: string; words: string } | null
  wave: { changeId: string; step: number; kind: string; words: string } | null
}

export interface ShownChange {
  changeId: string
  state: string
  step: number | null
  reason: string | null
  gate: {
    current: { kind: string; words: string; numbers: Record<string, number> } | null
    steps: { step: number; kind: string; words: string; overriddenBy?: string }[]
  }
}

export type GateWorld = Awaited<ReturnType<typeof createGateWorld>>
export type Canary = Awaited<ReturnType<GateWorld["canary"]>>

/** The functions that alter and the one that listens, over one database. */
export const createGateWorld = async (options: Parameters<typeof createWorld>[0] = {}) => {
  const world = await createWorld(options)
  const { environments } = world.platform.settings
  const platform = {
    ...world.platform,
    settings: {
      ...{ environments, readerPublicKeys: world.readerKeys, edgeSecret: null, eventDays: 90 },
      ...{ adminTokenHash: world.platform.settings.adminTokenHash, jwtIssuers: [], outboundAllow: [] },
    },
  } as unknown as OutcomesPlatform
  const outcomes = createOutcomes(platform)

  const send = async (
    token: string | null,
    body: unknown,
    { headers = {}, method = "POST" }: { headers?: Record<string, string>; method?: string } = {},
  ): Promise<Answer<Reported & { code: string; errors: { path: string }[] }>> => {
    const text = typeof body === "string" ? body : JSON.stringify(body)
    const authorization = token === null ? {} : { authorization: `Bearer ${token}` }
    const event = eventOf(method, "/api/v1/outcomes", {
      headers: { ...authorization, ...headers },
      body: text,
    })
    const result = await outcomes(event, CONTEXT)
    if (result.statusCode === 500) throw new Error(world.logged.at(-1))
    return {
      status: result.statusCode,
      headers: new Headers(result.headers),
      text: result.body,
      body: JSON.parse(result.body),
    }
  }

  const revisionOf = async (tenantId: string): Promise<string> => {
    const read = await readPointer(world.app, tenantId as TenantId, "QA" as Environment, [])
    return formatRevision({
      epoch: read!.epoch,
      platform: read!.layers.platform.seq,
      tier: read!.layers.tier.seq,
      tenant: read!.layers.tenant.seq,
    })
  }

  /** A tenant with a canary under way in QA, which asks nobody: 10 %, then 50 %, a minute each. */
  const canary = async (tenantId: string) => {
    const tenant = await world.tenant(tenantId)
    const reader = await tenant.issue(`app@${tenantId}`, ["reader"], "QA")
    const steps = [
      { weightBp: 1_000, holdMs: HOLD_MS },
      { weightBp: 5_000, holdMs: HOLD_MS },
    ]
    const body = {
      tenantId,
      environment: "QA",
      edits: [{ key: "k", value: 1 }],
      strategy: { type: "canary", steps },
    }
    const { changeId } = (await must(world.call<ShownChange>("POST", "/api/v1/changes", { body }), 202)).body
    let seq = 0
    const show = async () =>
      (await must(world.call<ShownChange>("GET", `/api/v1/changes/${changeId}`), 200)).body
    return {
      ...tenant,
      reader,
      changeId,
      show,
      revision: () => revisionOf(tenantId),
      /** A report on what is current, newer than the ones before. */
      report: async (
        arm: OutcomeReport["arm"],
        counts: Pick<OutcomeReport, "ok" | "errors">,
        more: Partial<OutcomeReport> = {},
      ): Promise<OutcomeReport> => {
        seq += 1
        return { revision: await revisionOf(tenantId), arm, instance: "server-1", seq, ...counts, ...more }
      },
      audit: async () =>
        (
          await must(
            world.call<{
              items: { action: string; actor: { subject: string }; detail?: Record<string, unknown> }[]
            }>("GET", `/api/v1/audit?tenantId=${tenantId}&target=${changeId}`),
            200,
          )
        ).body.items,
      publishedTimes: () => world.published.filter((one) => one === `${tenantId} QA`).length,
    }
  }

  return { ...world, outcomes, send, canary }
}
