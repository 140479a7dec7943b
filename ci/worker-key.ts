import { ask } from "./command.ts"

/** What `aws <service> <command> …` answers. */
export type Aws = (...command: string[]) => Promise<Record<string, unknown>>

interface StackResource {
  LogicalResourceId: string
  PhysicalResourceId: string
  ResourceType: string
}
interface Key {
  /** As `edgeKeys` numbers it; `null`: no deployment made it. */
  number: number | null
  createdAt: number
  isActive: boolean
  /** Of the last request that it signed; `null`: it has signed none. */
  usedAt: number | null
}

const DAY_MS = 24 * 3_600_000
/** Older ones are to be renewed. */
const KEY_AGE_DAYS_MAX = 90
/** Renewing takes a while, and IAM tells some hours later what a key was used for. */
const RENEWING_DAYS_MAX = 1

const HOW = "docs/deploy-worker.md#renewing-its-key"

const daysSince = (at: number, now: number): number => Math.floor((now - at) / DAY_MS)
const isSettled = ({ createdAt }: Key, now: number): boolean => daysSince(createdAt, now) >= RENEWING_DAYS_MAX

const numberIn = (logicalId: string): number => Number(/Key(\d+)[0-9A-F]{8}$/.exec(logicalId)?.[1])

const keyOf = async (
  aws: Aws,
  made: readonly StackResource[],
  told: Record<string, string>,
): Promise<Key> => {
  const id = told.AccessKeyId!
  const resource = made.find(({ PhysicalResourceId }) => PhysicalResourceId === id)
  const { AccessKeyLastUsed } = await aws("iam", "get-access-key-last-used", "--access-key-id", id)
  const { LastUsedDate } = AccessKeyLastUsed as { LastUsedDate?: string }
  return {
    number: resource ? numberIn(resource.LogicalResourceId) : null,
    createdAt: Date.parse(told.CreateDate!),
    isActive: told.Status === "Active",
    usedAt: LastUsedDate === undefined ? null : Date.parse(LastUsedDate),
  }
}

const keysOf = async (aws: Aws, stage: string): Promise<Key[]> => {
  const stack = await aws("cloudformation", "list-stack-resources", "--stack-name", `Hotswap-${stage}`)
  const resources = stack.StackResourceSummaries as StackResource[]
  const ofType = (type: string) => resources.filter(({ ResourceType }) => ResourceType === type)
  const [user] = ofType("AWS::IAM::User")
  if (user === undefined) throw new Error(`Hotswap-${stage} has no user that the Worker signs as`)
  const listed = await aws("iam", "list-access-keys", "--user-name", user.PhysicalResourceId)
  const told = listed.AccessKeyMetadata as Record<string, string>[]
  return await Promise.all(told.map((each) => keyOf(aws, ofType("AWS::IAM::AccessKey"), each)))
}

/** Whether the newest key is the one that the Worker has, by who signed last: nothing else tells without reading secrets. */
const complaintOfUse = (newest: Key, before: Key | undefined, now: number): string[] => {
  if (!isSettled(newest, now)) return []
  const days = daysSince(newest.createdAt, now)
  if (newest.usedAt === null || newest.usedAt < (before?.usedAt ?? 0))
    return [`the Worker does not sign with key ${newest.number}, made ${days} days ago: upload it, ${HOW}`]
  if (before === undefined) return []
  return [`key ${before.number} is there, and the Worker signs with ${newest.number}: take it away, ${HOW}`]
}

/** A line for each thing that is wrong with what the Worker signs with, and what to do; none, if nothing is. */
export const complaintsOfKeys = async (aws: Aws, stage: string, now: number): Promise<string[]> => {
  const keys = await keysOf(aws, stage)
  const made = keys
    .filter(({ number }) => number !== null)
    .toSorted((one, other) => other.number! - one.number!)
  const [newest, before] = made
  if (newest === undefined) return ["the Worker's user has no key of the deployment: deploy again"]
  const days = daysSince(newest.createdAt, now)
  return [
    ...(made.length < keys.length
      ? ["the Worker's user has a key that no deployment made: find out who has it, and delete it"]
      : []),
    ...(newest.isActive
      ? []
      : [`key ${newest.number} of the Worker is switched off: readers get what was last known`]),
    ...(days > KEY_AGE_DAYS_MAX
      ? [
          `key ${newest.number} of the Worker is ${days} days old, ${KEY_AGE_DAYS_MAX} are allowed: renew it, ${HOW}`,
        ]
      : []),
    ...complaintOfUse(newest, before, now),
  ]
}

const askAws: Aws = async (...command) =>
  JSON.parse(await ask("aws", [...command, "--output", "json"])) as Record<string, unknown>

/** Asks AWS how old the Worker's keys are and which of them signs. Throws with what to do, if there is something. */
export const checkWorkerKey = async (stage: string): Promise<void> => {
  const complaints = await complaintsOfKeys(askAws, stage, Date.now())
  if (complaints.length > 0) throw new Error(complaints.join("\n"))
  console.log("the Worker's key is as it should be")
}
