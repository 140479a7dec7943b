import type { Environment } from "../environment.ts"
import { type FieldError, Refusal } from "../errors.ts"
import { GATE, type GateThresholds } from "../gate/thresholds.ts"
import type { ConfigKey } from "../ids.ts"
import { checkGrant } from "../limits/entitlement.ts"
import { mayBeSecret, type Parted, partSecret, type SecretToKeep } from "../secret/edits.ts"
import { type Change, type ChangeContent, type Edit, type Instant, isOpen } from "./change.ts"
import type { EditInput, Submit } from "./command.ts"
import { contentHashOf } from "./content-hash.ts"
import { defined } from "./defined.ts"
import { alters, checkEdits, editOf, keysOf, type Standing } from "./edits.ts"
import { withFlagKept } from "./flag-edits.ts"
import { compiledOn, happen } from "./happen.ts"
import { Needs } from "./needs.ts"
import { notifySubmission } from "./notify.ts"
import { checkAllowed, planOf } from "./plan.ts"
import { DEFAULT_CHAIN, POLICY_KEY, type Policy } from "./policy.ts"
import { checkPolicyEdit, wholePolicyEdit } from "./policy-change.ts"
import { holdToRules } from "./rules-held.ts"
import { owedStage, standingOf } from "./stages.ts"
import { tryStart } from "./start.ts"
import { after, isReached } from "./time.ts"
import type { Worksheet } from "./worksheet.ts"

/** Puts a new change on the sheet; a direct one that nothing is in the way of is started. Throws the Refusal of what is wrong with it. */
export const submit = (sheet: Worksheet, command: Submit): void => {
  const { changeId, promotedFrom } = command
  if (sheet.find(changeId) !== null)
    throw new Refusal("CHANGE_CONFLICT", `There is a change "${changeId}" already.`)
  if (promotedFrom) checkPromotion(promotedFrom.environment, sheet)
  const isPolicy = isOfPolicy(command)
  const { edits, base, secrets } = editsOf(sheet, command)
  checkGrant(sheet.state.scope, edits, command.mayGrant ?? false)
  checkEdits(edits, secrets)
  const content = contentOf(sheet, command, edits, base, isPolicy)
  checkPolicyEdit(content)
  replace(sheet, command)
  sheet.secrets.push(...secrets)
  const change: Change = { content, status: { state: "awaiting_approval" }, approvals: [], comments: [] }
  const isOwed = owedStage(standingOf(change, sheet.policy)) !== null
  sheet.put(isOwed ? change : { ...change, status: { state: "scheduled", since: sheet.context.now } })
  recordSubmission(sheet, content)
  notifySubmission(sheet, sheet.change(changeId))
  // First of all that waits: what is in nobody's way is live at once.
  const isStarted = content.plan.length === 0 && tryStart(sheet, changeId, true) === "started"
  if (isStarted) return
  checkFit(sheet, content)
  checkRoom(sheet)
}

/** A policy is changed alone and directly, whatever it allows others: so no other edit passes in its wake. */
const isOfPolicy = ({ edits, strategy, promotedFrom }: Submit): boolean => {
  if (!edits.some(({ key }) => key === POLICY_KEY)) return false
  if (edits.length > 1) throw new Refusal("POLICY_INVALID", "A policy is changed by itself.")
  if (promotedFrom) throw new Refusal("POLICY_INVALID", "A policy belongs to its environment.")
  if (strategy !== undefined && strategy.type !== "direct")
    throw new Refusal("STRATEGY_UNSUITABLE", "A policy is for everyone at once.")
  return true
}

const checkPromotion = (from: Environment, { state, context, policy }: Worksheet): void => {
  const { environments } = context
  const source = environments.indexOf(from)
  const target = environments.indexOf(state.environment)
  if (source !== -1 && (policy.promoteFromAny ? target > source : target === source + 1)) return
  const next = environments[source + 1]
  throw new Refusal(
    "PROMOTION_BACKWARDS",
    next === undefined
      ? `Nothing comes after ${from}.`
      : `After ${from} comes ${next}, not ${state.environment}.`,
  )
}

/** The edits in full, without those that alter nothing, and the versions they were made on. */
const editsOf = (
  sheet: Worksheet,
  { edits: asked, promotedFrom }: Submit,
): { edits: Edit[]; base: ChangeContent["base"]; secrets: SecretToKeep[] } => {
  const keys = keysOf(asked)
  const seen = new Set<ConfigKey>()
  const twice = keys.find((key) => seen.size === seen.add(key).size)
  if (twice !== undefined)
    throw new Refusal("BODY_INVALID", "A change edits a key once.", {
      errors: [{ path: "/edits", message: `${twice} is edited twice` }],
    })
  if (asked.length === 0)
    throw promotedFrom
      ? new Refusal("PROMOTION_EMPTY", `${promotedFrom.environment} has none of these keys.`)
      : new Refusal("CHANGE_EMPTY", "The change has no edits.")
  const standings = standingsOf(sheet, keys)
  const inputs = asked.map((input) => wholePolicyEdit(input, standings.get(input.key)!.entry))
  checkExpectations(inputs, standings)
  const parted = partedOf(sheet, inputs, standings)
  const edits = parted
    .map(({ input }) =>
      withFlagKept(editOf(input, standings.get(input.key)!), standings.get(input.key)!.entry),
    )
    .filter((edit) => alters(edit, standings.get(edit.key)!))
  if (edits.length === 0) {
    const names = keys.map((key) => (key === POLICY_KEY ? "the policy" : key))
    throw new Refusal("CHANGE_EMPTY", `Already so: ${names.join(", ")}.`)
  }
  return {
    edits,
    secrets: parted.flatMap(({ secret }) => secret ?? []),
    base: Object.fromEntries(edits.map(({ key }) => [key, standings.get(key)!.entry?.version ?? 0])),
  }
}

/** What is secret apart from the edits that are kept. A new value's number is also that of the version it is likely to be. */
const partedOf = (
  sheet: Worksheet,
  inputs: readonly EditInput[],
  standings: ReadonlyMap<ConfigKey, Standing>,
): Parted[] => {
  const keys = keysOf(inputs.filter((input) => mayBeSecret(input, standings.get(input.key)!)))
  const last = sheet.context.secrets
  if (keys.length > 0 && last === undefined) throw new Needs({ kind: "needs_secrets", keys })
  return inputs.map((input) => {
    const { key } = input
    const sealed = last?.get(key) ?? null
    const next = Math.max(sheet.nextVersion(key), (sealed?.version ?? 0) + 1)
    return partSecret(input, standings.get(key)!, sealed, next)
  })
}

const standingsOf = (sheet: Worksheet, keys: readonly ConfigKey[]): Map<ConfigKey, Standing> => {
  const stable = sheet.release(sheet.pointer.stable)
  sheet.needKeys(stable, keys)
  return new Map(
    keys.map((key) => [key, { ...sheet.state.metadata.get(key), entry: sheet.entry(stable, key) }]),
  )
}

/** Throws Refusal `CONFIG_EXISTS` or `VERSION_STALE`, naming every key that is not as the caller thought. */
const checkExpectations = (
  inputs: readonly EditInput[],
  standings: ReadonlyMap<ConfigKey, Standing>,
): void => {
  const existing = inputs.filter(({ key, mustBeNew }) => mustBeNew && standings.get(key)!.entry !== null)
  if (existing.length > 0)
    throw new Refusal("CONFIG_EXISTS", `There already: ${keysOf(existing).join(", ")}.`, {
      errors: existing.map(({ key }) => ({ path: key, message: "exists" })),
    })
  const errors = inputs.flatMap(({ key, ifMatch }): FieldError[] => {
    const version = standings.get(key)!.entry?.version ?? 0
    return ifMatch === undefined || ifMatch === version
      ? []
      : [{ path: key, message: `is at version ${version}, not ${ifMatch}` }]
  })
  if (errors.length > 0)
    throw new Refusal("VERSION_STALE", errors.map(({ path, message }) => `${path} ${message}`).join("; "), {
      errors,
    })
}

const contentOf = (
  { state, context: { now }, policy }: Worksheet,
  command: Submit,
  edits: readonly Edit[],
  base: ChangeContent["base"],
  isPolicy: boolean,
): ChangeContent => {
  const { changeId, author, promotedFrom, comment, replaces, startAt } = command
  const strategy = isPolicy ? ({ type: "direct" } as const) : (command.strategy ?? policy.strategy)
  const plan = planOf(strategy, state.scope)
  if (!isPolicy) checkAllowed(strategy, policy)
  const gate = plan.length === 0 ? undefined : unusualIn(policy.gate)
  const expiresAt = after(now, policy.expiresAfterMs)
  return {
    changeId,
    scope: state.scope,
    environment: state.environment,
    author,
    createdAt: now,
    ...defined({ comment }),
    edits,
    base,
    ...defined({ promotedFrom }),
    ...defined({ replaces }),
    strategy,
    plan,
    stages: stagesFor(policy, command.approvalRequired ?? false),
    ...defined({ gate }),
    ...(startAt === undefined ? {} : { startAt: checkedStart(startAt, now, expiresAt) }),
    expiresAt,
    contentHash: contentHashOf({ edits, plan, base, ...defined({ gate }) }),
  }
}

/** What a policy's gate asks other than the usual. */
const unusualIn = (gate: GateThresholds): Partial<GateThresholds> | undefined => {
  const names = Object.keys(GATE) as (keyof GateThresholds)[]
  const unusual = names.filter((name) => gate[name] !== GATE[name])
  return unusual.length === 0 ? undefined : Object.fromEntries(unusual.map((name) => [name, gate[name]]))
}

const stagesFor = (policy: Policy, approvalRequired: boolean): Policy["stages"] =>
  policy.stages.length === 0 && approvalRequired ? DEFAULT_CHAIN : policy.stages

const checkedStart = (startAt: Instant, now: Instant, expiresAt: Instant): Instant => {
  const time = Date.parse(startAt)
  if (Number.isNaN(time) || time < Date.parse(now) || isReached(expiresAt, startAt))
    throw new Refusal(
      "SCHEDULE_INVALID",
      `A change submitted now starts from ${now} on and before ${expiresAt}.`,
    )
  return new Date(time).toISOString()
}

/** The change this one takes the place of is over. */
const replace = (sheet: Worksheet, { changeId, replaces }: Submit): void => {
  if (replaces === undefined) return
  // Only open changes are loaded: one that has ended cannot be told from one that never was.
  if (sheet.find(replaces) === null) throw new Refusal("CHANGE_STATE", `${replaces} is not open.`)
  const event = {
    type: "cancel",
    by: sheet.subject,
    reason: "cancelled",
    detail: `replaced by ${changeId}`,
  } as const
  const result = happen(sheet, replaces, event)
  if (!result.ok) throw new Refusal(result.code, result.detail)
}

const recordSubmission = (
  sheet: Worksheet,
  { changeId, edits, contentHash, promotedFrom }: ChangeContent,
): void =>
  sheet.audit("change.submit", changeId, {
    keys: keysOf(edits),
    contentHash,
    ...(promotedFrom
      ? { promotedFrom: { environment: promotedFrom.environment, release: promotedFrom.release } }
      : {}),
  })

/** What would not fit today need not be approved first. Throws Refusal `RELEASE_TOO_LARGE`, `FLAG_INVALID`, `RULE_BROKEN`. */
const checkFit = (sheet: Worksheet, content: ChangeContent): void => {
  const versions = Object.fromEntries(keysOf(content.edits).map((key) => [key, sheet.nextVersion(key)]))
  const stable = sheet.release(sheet.pointer.stable)
  holdToRules(sheet, content, [{ before: stable, after: compiledOn(sheet, stable, { content, versions }) }])
}

const OPEN_MAX = 200
const OPEN_CHARACTERS_MAX = 8 * 1_024 * 1_024

/**
 * Whatever is decided, every open change is read for it: without a limit a few large ones that nobody approves make
 * every other change of the scope, a rollback too, take seconds. Throws Refusal `CHANGES_TOO_MANY`.
 */
const checkRoom = (sheet: Worksheet): void => {
  const open = sheet.changes().filter(isOpen)
  const characters = open.reduce((sum, { content }) => sum + JSON.stringify(content.edits).length, 0)
  if (open.length > OPEN_MAX || (open.length > 1 && characters > OPEN_CHARACTERS_MAX))
    throw new Refusal(
      "CHANGES_TOO_MANY",
      `With it, ${open.length} changes and ${characters} characters of edits would be open.`,
    )
}
