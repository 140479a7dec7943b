import { App } from "aws-cdk-lib"
import { Template } from "aws-cdk-lib/assertions"
import { beforeAll, describe, expect, test } from "vitest"
import { SETTINGS, STAGES, type Stage } from "../../infra/settings.ts"
import { ServiceStack } from "../../infra/stacks/service.ts"
import { addStages } from "../../infra/stages.ts"
import { allowedTo, letIn, type Resources, textOf } from "./allowed.ts"

// Who may do what, in full: whatever a role is given beyond this, or less than this, fails here.

const stacks = new Map<string, Resources>()
beforeAll(() => {
  const app = new App({ context: { "aws:cdk:bundling-stacks": [] } })
  addStages(app)
  for (const { stackName, template } of app.synth().stacks) stacks.set(stackName, template.Resources)
}, 120_000)

const each = (resource: string, ...actions: string[]) => actions.map((action) => `${action} on ${resource}`)

/** What is in a network has interfaces there, which Lambda makes by its role; what runs in it is denied that. */
const INTERFACES = [
  "ec2:AssignPrivateIpAddresses",
  "ec2:CreateNetworkInterface",
  "ec2:DeleteNetworkInterface",
  "ec2:DescribeNetworkInterfaces",
  "ec2:DescribeSubnets",
  "ec2:UnassignPrivateIpAddresses",
]
const networked = (stage: Stage) =>
  SETTINGS[stage].database.kind === "connection"
    ? []
    : each("*", ...INTERFACES).flatMap((line) => [
        line,
        `NOT ${line} if lambda:SourceFunctionArn is like arn:{partition}:lambda:${OURS}:function:*`,
      ])

/** A log of its own to write, its settings to open, and a place in the network. */
const own = (name: string, stage: Stage) => [
  "taken on by lambda.amazonaws.com",
  ...networked(stage),
  ...each(`{${name}Log}`, "logs:CreateLogStream", "logs:PutLogEvents"),
  "kms:Decrypt on {Key}",
]

const OURS = "{region}:{accountid}"
const READS = "s3:GetObject"
const LOOKS = ["s3:GetObjectVersion", "s3:GetObjectRetention", "s3:GetObjectLegalHold"]

/** What may be done with keys whose names come with tenants: by the stage's tag, or below its name. */
const tenantKeys = (stage: Stage) => {
  const tagged = (...actions: string[]) =>
    each(`arn:{partition}:kms:${OURS}:key/*`, ...actions).map(
      (line) => `${line} if aws:ResourceTag/hotswap:keys is hotswap/${stage}`,
    )
  const toOpen = tagged("kms:Decrypt")
  const toMake = [
    ...toOpen,
    ...tagged("kms:Encrypt", "kms:DescribeKey", "kms:ScheduleKeyDeletion"),
    ...[`alias/hotswap/${stage}/*`, "key/*"].flatMap((named) =>
      each(`arn:{partition}:kms:${OURS}:${named}`, "kms:CreateAlias", "kms:UpdateAlias"),
    ),
    ...each("*", "kms:CreateKey", "kms:TagResource").map(
      (line) => `${line} if aws:RequestTag/hotswap:keys is hotswap/${stage}`,
    ),
  ]
  return { toOpen, toMake }
}

/** What may be done with archives: in the stage's own bucket, and in the other region where there is one. */
const archives = (stage: Stage) => {
  const { copyRegion } = SETTINGS[stage].backups
  const buckets = ["{BackupsBucket}", `arn:{partition}:s3:::hotswap-${stage}-backup-copy-{accountid}`].slice(
    0,
    copyRegion === null ? 1 : 2,
  )
  const inEach = (ofBucket: string[], ofObjects: string[]) =>
    buckets.flatMap((bucket) => [...each(bucket, ...ofBucket), ...each(`${bucket}/*`, ...ofObjects)])
  const sealing = ["kms:GenerateDataKey", "kms:Decrypt"]
  const ofCopies = each(`arn:{partition}:kms:${copyRegion}:{accountid}:key/*`, ...sealing).map(
    (line) => `${line} if kms:ResourceAliases has alias/hotswap-backups/${stage}-copy`,
  )
  const toKeep = [
    ...inEach(["s3:ListBucket"], [READS, "s3:PutObject"]),
    ...each("{BackupsKey}", ...sealing),
    ...(copyRegion === null ? [] : ofCopies),
  ]
  const toRemove = [
    ...inEach(["s3:ListBucket", "s3:ListBucketVersions"], [READS, ...LOOKS, "s3:DeleteObject"]),
    "s3:DeleteObjectVersion on {BackupsBucket}/*",
  ]
  return { toKeep, toRemove }
}

const rollout = (stage: Stage, ...actions: string[]) =>
  each(`arn:{partition}:states:${OURS}:stateMachine:Hotswap-${stage}-Rollout`, ...actions)

const SENDS = "states:SendTaskSuccess"

// Written once and read; no role of a stage may remove one.
const toKeepCheckpoints = [
  "s3:ListBucket on {Checkpoints1Bucket}",
  ...each("{Checkpoints1Bucket}/*", "s3:GetObject", "s3:PutObject"),
  ...each("{Checkpoints1Key}", "kms:GenerateDataKey", "kms:Decrypt"),
]

/** Every role and user of a stage's own stack. */
const serviceOf = (stage: Stage): Record<string, string[]> => {
  const { toOpen, toMake } = tenantKeys(stage)
  const { toKeep, toRemove } = archives(stage)
  const called = ["{ReadFunction}", "{OutcomesFunction}", "{RouterFunction}"]
  return {
    ReadRole: own("Read", stage),
    ManageRole: [
      ...own("Manage", stage),
      ...rollout(stage, "states:StartExecution", SENDS),
      ...toMake,
      ...toKeep,
      "sqs:SendMessage on {BackupQueue}",
    ],
    OutcomesRole: [...own("Outcomes", stage), ...rollout(stage, SENDS)],
    AdvanceRole: [...own("Advance", stage), ...rollout(stage, SENDS)],
    RelayRole: [...own("Relay", stage), ...toMake, ...toRemove, ...toKeepCheckpoints],
    NotifyRole: [...own("Notify", stage), ...toOpen],
    RouterRole: [...own("Router", stage), ...toOpen],
    BackupRole: [
      ...own("Backup", stage),
      ...rollout(stage, "states:StartExecution", SENDS),
      ...toMake,
      ...toKeep,
      ...toRemove,
      ...each("{BackupQueue}", "sqs:SendMessage", "sqs:ReceiveMessage", "sqs:DeleteMessage"),
      ...each("{BackupQueue}", "sqs:ChangeMessageVisibility", "sqs:GetQueueUrl", "sqs:GetQueueAttributes"),
    ],
    // By the role of who alters the database's shape, nothing else can be reached: what it is told is in its settings.
    MigrateRole: own("Migrate", stage),
    RolloutRole: [
      "taken on by states.amazonaws.com if aws:SourceAccount is {accountid}",
      "lambda:InvokeFunction on {AdvanceFunction}",
      ...each("*", "logs:CreateLogDelivery", "logs:GetLogDelivery", "logs:UpdateLogDelivery"),
      ...each("*", "logs:DeleteLogDelivery", "logs:ListLogDeliveries", "logs:PutResourcePolicy"),
      ...each("*", "logs:DescribeResourcePolicies", "logs:DescribeLogGroups"),
      ...each("*", "xray:PutTraceSegments", "xray:PutTelemetryRecords"),
      ...each("*", "xray:GetSamplingRules", "xray:GetSamplingTargets"),
    ],
    // Whom the Worker signs as: it calls three functions, through their URLs alone.
    EdgeUser: called.flatMap((fn) => [
      `lambda:InvokeFunctionUrl on ${fn} if lambda:FunctionUrlAuthType is AWS_IAM`,
      `lambda:InvokeFunction on ${fn} if lambda:InvokedViaFunctionUrl is true`,
    ]),
  }
}

/** The stacks of a stage, each with everybody who may do anything. */
const EXPECTED: Record<string, (stage: Stage) => Record<string, string[]>> = {
  "": serviceOf,
  "-backup-copy": () => ({}),
  "-data": () => ({
    NetworkVpcRejectedIAMRole: [
      "taken on by vpc-flow-logs.amazonaws.com",
      ...each("{NetworkLog}", "logs:CreateLogStream", "logs:PutLogEvents", "logs:DescribeLogStreams"),
    ],
  }),
}

const stackOf = (stage: Stage): Resources => stacks.get(`Hotswap-${stage}`)!
const namesOf = (stage: Stage): string[] =>
  [...stacks.keys()].filter((name) => name.replace(/^Hotswap-([a-z]+).*/, "$1") === stage)

const propertiesOf = (stage: Stage, type: string): Record<string, unknown>[] =>
  namesOf(stage).flatMap((name) =>
    Object.values(stacks.get(name)!).flatMap(({ Type, Properties }) =>
      Type === type ? [Properties ?? {}] : [],
    ),
  )

describe.each(STAGES)("in the %s stage", (stage) => {
  test("each role and user may do what is listed here and nothing else, and is taken on by nobody else", () => {
    for (const name of namesOf(stage)) {
      const expected = EXPECTED[name.replace(`Hotswap-${stage}`, "")]?.(stage) ?? null
      const sorted = Object.entries(expected ?? {}).map(([id, lines]) => [id, [...new Set(lines)].toSorted()])
      expect(allowedTo(stacks.get(name)!), name).toEqual(expected && Object.fromEntries(sorted))
    }
  })

  test("anybody may call manage, through its URL, which takes both permissions; otherwise only AWS's own services are let in, for this account", () => {
    const clock = (id: string, fn: string) =>
      `events.amazonaws.com: lambda:InvokeFunction on {${fn}Function} from {${id}}`
    const logs = `logs.{region}.amazonaws.com: kms:Decrypt, kms:Encrypt, kms:ReEncrypt*, kms:GenerateDataKey* on {Key} if kms:EncryptionContext:aws:logs:arn is like arn:{partition}:logs:${OURS}:*`
    const alarms = (action: string, what: string) =>
      `cloudwatch.amazonaws.com: ${action} on {${what}} if aws:SourceAccount is {accountid}`
    expect(letIn(stackOf(stage))).toEqual(
      [
        "*: lambda:InvokeFunctionUrl on {ManageFunction} by NONE",
        "*: lambda:InvokeFunction on {ManageFunction} through its URL",
        ...["Advance", "Relay", "Notify", "Router"].map((name) => clock(`${name}Clock`, name)),
        ...["work", "plan", "imports", "retain", "drill"].map((task) => clock(`Backup${task}`, "Backup")),
        logs,
        alarms("kms:Decrypt, kms:GenerateDataKey*", "Key"),
        alarms("sns:Publish", "ObservabilityAlarmsPolicy"),
      ].toSorted(),
    )
    for (const name of namesOf(stage).filter((each) => each !== `Hotswap-${stage}`))
      expect(letIn(stacks.get(name)!), name).toEqual(name.endsWith("-data") ? [logs] : [])
  })

  test("no role of a stage may tag a key that a stack made, and so use it as a tenant's", () => {
    const keys = namesOf(stage).flatMap((name) =>
      Object.entries(stacks.get(name)!).filter(([, { Type }]) => Type === "AWS::KMS::Key"),
    )
    expect(keys.length).toBeGreaterThan(1)
    for (const [id, { Properties = {} }] of keys) {
      const { Statement } = Properties.KeyPolicy as { Statement: Record<string, unknown>[] }
      const [denied, ...others] = Statement.filter(({ Effect }) => Effect === "Deny")
      expect(others, id).toEqual([])
      expect(denied, id).toMatchObject({
        Action: ["kms:TagResource", "kms:UntagResource"],
        Principal: { AWS: "*" },
        Resource: "*",
      })
      expect(textOf((denied!.Condition as Record<string, unknown>).ArnLike), id).toContain("role/Hotswap-*")
    }
    // Their names are made by CloudFormation, from the stack's.
    for (const name of namesOf(stage))
      for (const [id, { Type, Properties = {} }] of Object.entries(stacks.get(name)!))
        if (Type === "AWS::IAM::Role") expect(Properties, id).not.toHaveProperty("RoleName")
  })

  test("read, outcomes and router are behind URLs that take signed requests only, manage is not", () => {
    const doors = propertiesOf(stage, "AWS::Lambda::Url").map(
      ({ TargetFunctionArn, AuthType, InvokeMode, Cors }) =>
        `${textOf(TargetFunctionArn)} ${AuthType} ${InvokeMode} ${Cors ?? "no CORS"}`,
    )
    expect(doors.toSorted()).toEqual([
      "{ManageFunction} NONE RESPONSE_STREAM no CORS",
      "{OutcomesFunction} AWS_IAM BUFFERED no CORS",
      "{ReadFunction} AWS_IAM RESPONSE_STREAM no CORS",
      "{RouterFunction} AWS_IAM RESPONSE_STREAM no CORS",
    ])
  })
})

describe("the Worker's access key", () => {
  const withKeys = (edgeKeys: readonly number[]): Resources => {
    const app = new App({ context: { "aws:cdk:bundling-stacks": [] } })
    return Template.fromStack(new ServiceStack(app, { ...SETTINGS.dev, edgeKeys })).toJSON().Resources
  }
  const keysIn = (resources: Resources): string[] =>
    Object.entries(resources).flatMap(([id, { Type }]) => (Type === "AWS::IAM::AccessKey" ? [id] : []))
  const toldIn = (resources: Resources): unknown =>
    Object.values(resources).find(({ Properties }) => Properties?.Name === "hotswap/dev/edge-key")?.Properties
      ?.SecretString

  test("is renewed while the last one is in use: there are two, and the secret tells the new one", () => {
    const [before, both, after] = [[1], [1, 2], [2]].map(withKeys) as [Resources, Resources, Resources]
    const [[first], [, second]] = [keysIn(before), keysIn(both)]
    expect([keysIn(both), keysIn(after)]).toEqual([[first, second], [second]])
    expect(JSON.stringify(toldIn(before))).toContain(`["${first}","SecretAccessKey"]`)
    for (const later of [both, after]) {
      expect(JSON.stringify(toldIn(later))).toContain(`["${second}","SecretAccessKey"]`)
      expect(JSON.stringify(toldIn(later))).not.toContain(`"${first}"`)
    }
  })

  test.each([[[]], [[1, 2, 3]], [[2, 1]], [[1, 1]], [[0]]])("is not made of the numbers %j", (edgeKeys) => {
    expect(() => withKeys(edgeKeys)).toThrow(/^edgeKeys of dev are not one or two rising numbers/)
  })
})
