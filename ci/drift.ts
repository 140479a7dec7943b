import { setTimeout as pause } from "node:timers/promises"
import { type Stack, stacksOf } from "./assembly.ts"
import { ask, OUT, show } from "./command.ts"

/** What `aws cloudformation …` answers, in the region or, without one, in that of the process. */
export type CloudFormation = (
  region: string | null,
  command: string,
  ...options: string[]
) => Promise<Record<string, unknown>>

interface ResourceDrift {
  LogicalResourceId: string
  ResourceType: string
  StackResourceDriftStatus: string
  PropertyDifferences?: { PropertyPath: string }[]
}

const PAUSE_MS = 5_000
const LOOKS_MAX = 120

/**
 * What differs though nobody altered it: settings, which are closed to who looks, so that all of them seem to be gone; and the
 * version of a database, which takes minor ones by itself.
 */
const EXPECTED: Readonly<Record<string, RegExp>> = {
  "AWS::Lambda::Function": /^\/Environment(\/|$)/,
  "AWS::RDS::DBCluster": /^\/EngineVersion$/,
}

/** In words, without what a property has been or is: that may be a secret. `null`: as it should be. */
const complaintOf = (stack: string, drift: ResourceDrift): string | null => {
  const { LogicalResourceId, ResourceType, StackResourceDriftStatus, PropertyDifferences = [] } = drift
  const what = `${stack}: ${LogicalResourceId} (${ResourceType})`
  if (StackResourceDriftStatus === "DELETED") return `${what} is gone`
  const paths = PropertyDifferences.map(({ PropertyPath }) => PropertyPath)
  const altered = paths.filter((path) => !EXPECTED[ResourceType]?.test(path))
  if (paths.length > 0 && altered.length === 0) return null
  return `${what} is altered: ${altered.join(", ") || "CloudFormation does not say where"}`
}

const detect = async (ask: CloudFormation, { name, region }: Stack, pauseMs: number): Promise<void> => {
  const { StackDriftDetectionId: id } = await ask(region, "detect-stack-drift", "--stack-name", name)
  for (let look = 0; look < LOOKS_MAX; look++) {
    const asked = ["--stack-drift-detection-id", String(id)]
    const told = await ask(region, "describe-stack-drift-detection-status", ...asked)
    if (told.DetectionStatus === "DETECTION_COMPLETE") return
    if (told.DetectionStatus === "DETECTION_FAILED")
      throw new Error(`${name} could not be looked at whole: ${told.DetectionStatusReason}`)
    await pause(pauseMs)
  }
  throw new Error(`${name}: CloudFormation has not found out in time`)
}

const driftsOf = async (ask: CloudFormation, { name, region }: Stack): Promise<ResourceDrift[]> => {
  const filter = ["--stack-resource-drift-status-filters", "MODIFIED", "DELETED"]
  const found: ResourceDrift[] = []
  let next: string[] = []
  do {
    const page = await ask(region, "describe-stack-resource-drifts", "--stack-name", name, ...filter, ...next)
    found.push(...(page.StackResourceDrifts as ResourceDrift[]))
    next = typeof page.NextToken === "string" ? ["--next-token", page.NextToken] : []
  } while (next.length > 0)
  return found
}

/** A line for each resource of the stacks that is not as it was deployed. */
export const findDrift = async (
  ask: CloudFormation,
  stacks: readonly Stack[],
  pauseMs = PAUSE_MS,
): Promise<string[]> => {
  const complaints: string[] = []
  for (const stack of stacks) {
    await detect(ask, stack, pauseMs)
    for (const drift of await driftsOf(ask, stack)) {
      const complaint = complaintOf(stack.name, drift)
      if (complaint !== null) complaints.push(complaint)
    }
  }
  return complaints
}

const askAws: CloudFormation = async (region, command, ...options) => {
  const where = region === null ? [] : ["--region", region]
  return JSON.parse(
    await ask("aws", ["cloudformation", command, ...options, ...where, "--output", "json"]),
  ) as Record<string, unknown>
}

/** Asks CloudFormation whether each resource is as it was deployed. Throws, naming them, if one is not. */
export const checkDrift = async (stage: string): Promise<void> => {
  await show("cdk", ["synth", "--quiet"])
  const complaints = await findDrift(askAws, await stacksOf(OUT, stage))
  if (complaints.length > 0) throw new Error(complaints.join("\n"))
  console.log("all is as it was deployed")
}
