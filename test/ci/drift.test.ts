import { expect, test } from "vitest"
import type { Stack } from "../../ci/assembly.ts"
import { type CloudFormation, findDrift } from "../../ci/drift.ts"

const HERE: Stack = { name: "Hotswap-prod", template: "", region: null }
const THERE: Stack = { name: "Hotswap-prod-backup-copy", template: "", region: "eu-west-1" }

interface Drift {
  LogicalResourceId: string
  ResourceType: string
  StackResourceDriftStatus: string
  PropertyDifferences?: { PropertyPath: string; ExpectedValue: string; ActualValue: string }[]
}

const altered = (LogicalResourceId: string, ResourceType: string, ...paths: string[]): Drift => ({
  LogicalResourceId,
  ResourceType,
  StackResourceDriftStatus: "MODIFIED",
  PropertyDifferences: paths.map((PropertyPath) => ({
    PropertyPath,
    ExpectedValue: "correct horse",
    ActualValue: "battery staple",
  })),
})

/** CloudFormation as far as this is asked of it: it takes a while to look, and tells one resource at a time. */
const cloudFormation = (
  stacks: Readonly<Record<string, { region: string | null; drifts: readonly Drift[]; fails?: string }>>,
): CloudFormation => {
  const looks = new Map<string, number>()
  const commands: Readonly<
    Record<string, (region: string | null, options: string[]) => Record<string, unknown>>
  > = {
    "detect-stack-drift": (region, [option, name = ""]) => {
      if (option !== "--stack-name" || stacks[name]?.region !== region) throw new Error(`no ${name} there`)
      return { StackDriftDetectionId: `looking-at-${name}` }
    },
    "describe-stack-drift-detection-status": (_region, [option, id = ""]) => {
      if (option !== "--stack-drift-detection-id") throw new Error("which?")
      const looked = (looks.get(id) ?? 0) + 1
      looks.set(id, looked)
      if (looked < 3) return { DetectionStatus: "DETECTION_IN_PROGRESS" }
      const { fails } = stacks[id.replace("looking-at-", "")]!
      return fails === undefined
        ? { DetectionStatus: "DETECTION_COMPLETE" }
        : { DetectionStatus: "DETECTION_FAILED", DetectionStatusReason: fails }
    },
    "describe-stack-resource-drifts": (region, [option, name = "", ...rest]) => {
      if (option !== "--stack-name" || stacks[name]?.region !== region) throw new Error(`no ${name} there`)
      if (looks.get(`looking-at-${name}`) !== 3) throw new Error("nobody has looked yet")
      expect(rest.slice(0, 3)).toEqual(["--stack-resource-drift-status-filters", "MODIFIED", "DELETED"])
      const { drifts } = stacks[name]
      const at = Number(rest[4] ?? 0)
      const more = at + 1 < drifts.length ? { NextToken: String(at + 1) } : {}
      return { StackResourceDrifts: drifts.slice(at, at + 1), ...more }
    },
  }
  return async (region, command, ...options) => commands[command]!(region, options)
}

test("what was altered or taken away by hand is named, in every region, and no value is shown", async () => {
  const gone = {
    LogicalResourceId: "Clock",
    ResourceType: "AWS::Events::Rule",
    StackResourceDriftStatus: "DELETED",
  }
  const aws = cloudFormation({
    [HERE.name]: {
      region: null,
      drifts: [
        altered("Read", "AWS::Lambda::Function", "/Timeout", "/Environment/Variables/DATABASE_URL"),
        altered("Cluster", "AWS::RDS::DBCluster", "/EngineVersion", "/DeletionProtection"),
        { ...altered("Topic", "AWS::SNS::Topic") },
        gone,
      ],
    },
    [THERE.name]: {
      region: "eu-west-1",
      drifts: [altered("Bucket", "AWS::S3::Bucket", "/LifecycleConfiguration")],
    },
  })
  expect(await findDrift(aws, [HERE, THERE], 0)).toEqual([
    "Hotswap-prod: Read (AWS::Lambda::Function) is altered: /Timeout",
    "Hotswap-prod: Cluster (AWS::RDS::DBCluster) is altered: /DeletionProtection",
    "Hotswap-prod: Topic (AWS::SNS::Topic) is altered: CloudFormation does not say where",
    "Hotswap-prod: Clock (AWS::Events::Rule) is gone",
    "Hotswap-prod-backup-copy: Bucket (AWS::S3::Bucket) is altered: /LifecycleConfiguration",
  ])
})

test("settings that who looks may not open, and a database that renewed itself, are no drift", async () => {
  const aws = cloudFormation({
    [HERE.name]: {
      region: null,
      drifts: [
        altered(
          "Read",
          "AWS::Lambda::Function",
          "/Environment/Variables",
          "/Environment/Variables/HOTSWAP_STAGE",
        ),
        altered("Cluster", "AWS::RDS::DBCluster", "/EngineVersion"),
      ],
    },
  })
  expect(await findDrift(aws, [HERE], 0)).toEqual([])
})

test("what CloudFormation could not look at is not taken for well", async () => {
  const aws = cloudFormation({ [HERE.name]: { region: null, drifts: [], fails: "access denied" } })
  await expect(findDrift(aws, [HERE], 0)).rejects.toThrow(
    "Hotswap-prod could not be looked at whole: access denied",
  )
})
