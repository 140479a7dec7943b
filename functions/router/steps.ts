import { BACKENDS, type Deployments } from "../../core/deployment/deployments.ts"
import { Refusal } from "../../core/errors.ts"
import { canonical, type Json } from "../../core/json.ts"
import { type Pass, startPass } from "../../core/provisioning/pass.ts"
import {
  type Provisioning,
  type ProvisioningEvent,
  touchedBy,
  type Working,
} from "../../core/provisioning/state.ts"
import type { DeploymentsRow } from "../../db/queries/deployments.ts"
import type { RouterPlatform } from "../platform/compose-router.ts"
import type { TenantClients } from "../platform/deployments/clients.ts"
import { NoAnswer } from "../platform/deployments/exchange.ts"
import { bringOver } from "./bring-over.ts"
import { validate } from "./validate.ts"

/** What came of one step, and how long to wait before the next. */
export interface Step {
  event: ProvisioningEvent
  pauseMs: number
}

/** Who is asked: the backends of the plan, and those that it takes the place of. Throws Refusal where credentials cannot be opened. */
export interface Both {
  planned(): Promise<TenantClients>
  former(): Promise<TenantClients>
}

const AGAIN_MS = 5_000
const PROBED_MS = 2_000
/** What was written shows a moment later: so long between two times through. */
const BETWEEN_MS = 10_000
const PASSES_MAX = 10
const TRIES_MAX = 20
const BACKOFF_MAX_MS = 60_000
/** A request that was let through to the former backend may still be on its way for so long. */
const STRAGGLERS_MS = 150_000

const soon = (event: ProvisioningEvent): Step => ({ event, pauseMs: 0 })

const validating = async (
  platform: RouterPlatform,
  { planned }: Both,
  standing: Extract<Working, { state: "validating" }>,
): Promise<Step> => {
  const seen = await validate(platform, await planned(), standing.probe)
  switch (seen.kind) {
    case "valid":
      return soon({ type: "validated" })
    case "probe":
      return { event: { type: "probed", probe: seen.probe }, pauseMs: PROBED_MS }
    case "waiting":
      return platform.clock.nowMs() >= standing.untilMs
        ? soon({ type: "failed", reason: "unhealthy", words: seen.words })
        : { event: { type: "missed", words: seen.words }, pauseMs: AGAIN_MS }
  }
}

const unequal = ({ nth, missing, late }: Pass, isSettling: boolean): Step =>
  soon({
    type: "failed",
    reason: "unequal",
    words: `The ${nth}th time through, ${isSettling ? missing : late} samples of the former backend were still missing at the new one: it does not take them, or somebody goes on writing of times long past.`,
  })

/** Through once: is that enough? */
const through = (standing: Extract<Working, { pass: Pass }>, nowMs: number): Step => {
  const { pass } = standing
  const isSettling = standing.state === "settling"
  const quietAtMs = isSettling ? standing.switchedAtMs + STRAGGLERS_MS : 0
  if (isSettling && pass.missing === 0 && pass.startedAtMs >= quietAtMs) return soon({ type: "settled" })
  if (!isSettling && pass.late === 0) return soon({ type: "moved" })
  const isBefore = pass.startedAtMs < quietAtMs
  if (pass.nth >= PASSES_MAX && !isBefore) return unequal(pass, isSettling)
  const pauseMs = Math.max(BETWEEN_MS, isSettling && pass.missing === 0 ? quietAtMs - nowMs : 0)
  const next = startPass(pass.sinceMs, nowMs + pauseMs, pass)
  return { event: { type: "passed", pass: next }, pauseMs }
}

const bringing = async (
  { clock }: RouterPlatform,
  { planned, former }: Both,
  standing: Extract<Working, { pass: Pass }>,
  tries: number,
): Promise<Step> => {
  const nowMs = clock.nowMs()
  try {
    const [source, target] = [(await former()).backends.metrics!, (await planned()).backends.metrics!]
    const brought = await bringOver(source, target, standing.pass, nowMs)
    switch (brought.kind) {
      case "window":
        return soon({ type: "passed", pass: brought.pass })
      case "through":
        return through(standing, nowMs)
      case "dense": {
        const at = new Date(brought.atMs).toISOString()
        const words = `A second at ${at} holds more than is compared at once.`
        return soon({ type: "failed", reason: "unequal", words })
      }
    }
  } catch (error) {
    if (!(error instanceof NoAnswer || error instanceof Refusal)) throw error
    if (tries >= TRIES_MAX) return soon({ type: "failed", reason: "unhealthy", words: error.message })
    const pauseMs = Math.min(BACKOFF_MAX_MS, 1_000 * 2 ** tries)
    return { event: { type: "missed", words: error.message }, pauseMs }
  }
}

const same = (left: unknown, right: unknown): boolean =>
  canonical((left ?? null) as Json) === canonical((right ?? null) as Json)

/** What the tenant's deployments become; `null`: the tenant is not what the plan was made for any more. */
export const activated = (
  provisioning: Provisioning,
  row: DeploymentsRow,
): { deployments: Deployments; vouched: DeploymentsRow["vouched"] } | null => {
  const { plan, former } = provisioning
  const touched = touchedBy(provisioning)
  const isAltered = touched.some((name) => !same(row.deployments[name], former.deployments[name]))
  if (isAltered || row.tier !== plan.tier) return null
  const others = BACKENDS.filter((name) => row.deployments[name] && !touched.includes(name))
  return {
    deployments: {
      ...Object.fromEntries(others.map((name) => [name, row.deployments[name]!])),
      ...plan.deployments,
    },
    vouched: [...row.vouched.filter((name) => !touched.includes(name)), ...plan.backends],
  }
}

/** What is done next of what is no activation. */
export const stepOf = async (
  platform: RouterPlatform,
  both: Both,
  { tries }: Provisioning,
  standing: Exclude<Working, { state: "activating" }>,
): Promise<Step> =>
  standing.state === "validating"
    ? await validating(platform, both, standing)
    : await bringing(platform, both, standing, tries)
