import { type Action, PERMISSIONS } from "../../core/access.ts"
import type { Chance } from "./chance.ts"
import type { Operation } from "./document.ts"
import type { KnownChange, Person, Scene } from "./scene.ts"

const STATES: Readonly<Record<string, readonly string[]>> = {
  approveChange: ["awaiting_approval"],
  rejectChange: ["awaiting_approval"],
  remindApprovers: ["awaiting_approval"],
  withdrawApproval: ["awaiting_approval", "scheduled"],
  cancelChange: ["awaiting_approval", "scheduled"],
  breakGlass: ["awaiting_approval", "scheduled"],
  pauseChange: ["rolling_out"],
  resumeChange: ["rolling_out"],
  advanceChange: ["rolling_out"],
  abortChange: ["rolling_out"],
  signalChange: ["rolling_out"],
  rollBackChange: ["live"],
  reviewChange: ["live"],
}

/** Is the change, as far as is known, in a state for that operation? */
export const suits = (operation: string, change: KnownChange): boolean => {
  if (!(STATES[operation]?.includes(change.state) ?? true)) return false
  if (operation === "withdrawApproval") return approversOf(change).length > 0
  if (operation === "reviewChange") return change.review != null
  if (operation === "resumeChange") return change.paused
  return true
}

const approversOf = ({ stages }: KnownChange): string[] =>
  stages.flatMap(({ approvals }) => approvals.map(({ subject }) => subject))

/** Operations that would end a tenant, and with it what the others do. */
const ENDS = new Set(["deleteTenant", "suspendTenant", "resumeTenant"])
export const isEnding = ({ id, path, method }: Operation): boolean =>
  ENDS.has(id) || /eras|shred|purge/i.test(path) || (method === "DELETE" && path.endsWith("/{tenantId}"))
/** What platform and tiers say lasts longer than a scene. */
export const OF_TENANTS = new Set([
  "setPolicy",
  "setRules",
  "setAuditRetention",
  "createChannel",
  "issueToken",
])

const mayDo = (person: Person, operation: Operation, tenant: string): boolean => {
  if (operation.action === "public") return true
  if (person.roles.includes("platform_admin")) return true
  if (person.tenant !== tenant) return false
  const roles: readonly string[] = PERMISSIONS[operation.action as Action]
  return person.roles.some((role) => roles.includes(role))
}

/** Somebody who may, mostly of the tenant itself. */
export const whoFor = (
  { people }: Scene,
  operation: Operation,
  tenant: string,
  environment: string,
  change: KnownChange | null,
  chance: Chance,
): Person => {
  if (operation.id === "withdrawApproval" && change) {
    const approver = people.find(({ name }) => approversOf(change).includes(name))
    if (approver) return approver
  }
  const able = people.filter(
    (person) =>
      person.token !== null &&
      mayDo(person, operation, tenant) &&
      (person.environment === null || person.environment === environment),
  )
  const theirs = able.filter((person) => person.tenant === tenant)
  // Approvals of the start-up token do not count as anybody's.
  return chance.one(theirs.length > 0 && chance.of(0.85) ? theirs : able)
}

/** Somebody who may not. */
export const strangerFor = (
  { people }: Scene,
  operation: Operation,
  tenant: string,
  chance: Chance,
): Person => {
  const unable = people.filter((person) => !mayDo(person, operation, tenant))
  return chance.one(unable.length > 0 ? unable : people)
}
