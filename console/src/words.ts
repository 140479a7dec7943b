import type { ChangeListed, Flag, Json, Layer, NoticeType, PlanStep, State } from "./shapes.ts"

const PERCENT = new Intl.NumberFormat("en-GB", { maximumFractionDigits: 2 })

/** Basis points as people say them: `12.5 %`. */
export const percentOf = (weightBp: number): string => `${PERCENT.format(weightBp / 100)} %`

const UNITS = [
  [86_400_000, "day"],
  [3_600_000, "hour"],
  [60_000, "minute"],
  [1_000, "second"],
] as const

/** `1 minute 30 seconds`: all of it, as whoever reads it decides by it. */
export const durationOf = (ms: number): string => {
  let rest = ms
  const parts = UNITS.flatMap(([size, name]) => {
    const many = Math.floor(rest / size)
    rest -= many * size
    return many === 0 ? [] : [countOf(many, name)]
  })
  if (rest > 0) parts.push(`${rest} ms`)
  return parts.join(" ") || "0 seconds"
}

const BYTES = new Intl.NumberFormat("en-GB", { maximumSignificantDigits: 3 })

/** `12.3 MB`; in powers of a thousand. */
export const bytesOf = (bytes: number): string => {
  const power = Math.min(4, Math.floor(Math.log10(Math.max(1, bytes)) / 3))
  return `${BYTES.format(bytes / 1_000 ** power)} ${["B", "KB", "MB", "GB", "TB"][power]}`
}

const RELATIVE = new Intl.RelativeTimeFormat("en-GB", { numeric: "auto" })

/** `3 minutes ago`, `in 6 days`. */
export const agoOf = (at: string, nowMs: number): string => {
  const ms = Date.parse(at) - nowMs
  const [size, name] = UNITS.find(([size]) => Math.abs(ms) >= size) ?? [1_000, "second"]
  return RELATIVE.format(Math.round(ms / size), name)
}

const EXACT = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "medium" })
export const exactOf = (at: string): string => EXACT.format(new Date(at))

export const STATE_WORDS: Readonly<Record<State, string>> = {
  awaiting_approval: "Awaits approval",
  scheduled: "Scheduled",
  rolling_out: "Rolling out",
  live: "Live",
  rejected: "Rejected",
  cancelled: "Cancelled",
  expired: "Expired",
  rolled_back: "Rolled back",
}

/** A role as it is said: `tenant_admin` is a tenant admin. */
export const roleOf = (role: string): string => role.replaceAll("_", " ")

/** When people are told of a change. */
export const NOTICE_WORDS: Readonly<Record<NoticeType, string>> = {
  "change.approval_requested": "has to be approved",
  "change.approval_reminder": "has still to be approved",
  "change.approved": "was approved",
  "change.rejected": "was rejected",
  "change.cancelled": "was cancelled",
  "change.expired": "expired",
  "change.started": "starts to reach readers",
  "change.live": "is live for everyone",
  "change.held": "is held back by the gate or an alarm",
  "change.tenant_tripped": "failed a tenant, which is back on stable",
  "change.rolled_back": "was rolled back",
  "change.glass_broken": "went live without its approvals",
}

const PEOPLE: Readonly<Record<string, string>> = {
  engineer: "an engineer",
  manager: "a manager",
  compliance: "somebody of compliance",
  tenant_admin: "a tenant admin",
}

/** Somebody who holds a role. */
export const personOf = (role: string): string => PEOPLE[role] ?? roleOf(role)

export const countOf = (many: number, one: string, others = `${one}s`): string =>
  `${many} ${many === 1 ? one : others}`

type Defined = Pick<Flag, "enabled" | "percentage" | "state" | "variants" | "defaultVariant" | "targeting">

/** Is it on for anybody at all? */
export const isOn = (flag: Defined): boolean => flag.enabled ?? flag.state === "ENABLED"

/** Whom a flag is on for, in one phrase. */
export const reachOf = (flag: Defined): string => {
  if (flag.enabled === undefined) {
    if (flag.state === "DISABLED") return "Disabled: callers use their own default"
    const isTargeted =
      typeof flag.targeting === "object" && flag.targeting !== null && Object.keys(flag.targeting).length > 0
    return isTargeted
      ? `Rules, of ${countOf(Object.keys(flag.variants ?? {}).length, "variant")}`
      : `Everyone gets ${flag.defaultVariant ?? "their own default"}`
  }
  if (!flag.enabled) return "Off for everyone"
  return flag.percentage === undefined
    ? "On for everyone"
    : `On for ${percentOf(flag.percentage * 100)} of entities`
}

export const titleOf = (change: Pick<ChangeListed, "keys" | "editCount">): string => {
  const shown = change.keys.slice(0, 3).map(keyWords).join(", ")
  const more = change.editCount - Math.min(3, change.keys.length)
  return more > 0 ? `${shown} and ${countOf(more, "more key")}` : shown
}

/** Whom a step reaches. */
export const stepOf = ({ weightBp, tiers = [], tenants = [] }: PlanStep): string => {
  const named = [...tiers.map((tier) => `tier ${tier}`), ...tenants]
  if (weightBp === 10_000) return "Everyone"
  if (named.length > 0)
    return weightBp > 0 ? `${named.join(", ")} and ${percentOf(weightBp)}` : named.join(", ")
  return weightBp === 0 ? "Nobody: a preview only" : percentOf(weightBp)
}

/** `for 2 minutes` */
export const holdOf = ({ holdMs }: Pick<PlanStep, "holdMs">): string =>
  holdMs === null ? "until a person goes on" : `for ${durationOf(holdMs)}`

/** JSON for people to read. */
export const pretty = (value: Json | undefined): string =>
  value === undefined ? "" : JSON.stringify(value, null, 2)

export const isMarker = (value: Json | undefined): boolean =>
  typeof value === "object" && value !== null && !Array.isArray(value) && value.$secret === true

export const isFlagValue = (value: Json | undefined): value is Defined & Json =>
  typeof value === "object" &&
  value !== null &&
  !Array.isArray(value) &&
  (value.state === "ENABLED" || value.state === "DISABLED") &&
  typeof value.variants === "object"

export const layerOf = (scope: string): Layer =>
  scope === "~platform" ? "platform" : scope.startsWith("~tier.") ? "tier" : "tenant"

/** What policies and rules are kept under: no key that anybody may name. */
export const POLICY_KEY = "~policy"

/** A key as people call it. */
export const keyWords = (key: string): string => (key === POLICY_KEY ? "policy and rules" : key)

/** A scope as people call it. */
export const scopeOf = (scope: string): string =>
  scope === "~platform" ? "The platform" : scope.startsWith("~tier.") ? `Tier ${scope.slice(6)}` : scope

/** The same within a sentence. */
export const withinOf = (scope: string): string =>
  scope.startsWith("~") ? scopeOf(scope).replace(/^T/, "t") : scope
