import { App, Validations } from "aws-cdk-lib"
import { Match, Template } from "aws-cdk-lib/assertions"
import { AwsSolutionsChecks } from "cdk-nag"
import { beforeAll, describe, expect, test } from "vitest"
import { TASKS } from "../../functions/backup/tasks.ts"
import { SETTINGS, STAGES, type Stage } from "../../infra/settings.ts"
import { BackupCopyStack } from "../../infra/stacks/backup-copy.ts"
import { ServiceStack } from "../../infra/stacks/service.ts"
import { type Statement, statementsOf } from "./statements.ts"

const WITHOUT_BUNDLING = { "aws:cdk:bundling-stacks": [] }
const REGION = "eu-west-1"

const services = new Map<Stage, Template>()
const copies = new Map<Stage, Template>()
beforeAll(() => {
  for (const stage of STAGES) {
    const app = new App({ context: WITHOUT_BUNDLING })
    const service = new ServiceStack(app, SETTINGS[stage])
    const copy = new BackupCopyStack(app, SETTINGS[stage], REGION)
    services.set(stage, Template.fromStack(service))
    copies.set(stage, Template.fromStack(copy))
  }
})

const functionOf = (
  stage: Stage,
  name: string,
): { Timeout: number; Environment: { Variables: Record<string, unknown> } } => {
  const all = Object.entries(services.get(stage)!.findResources("AWS::Lambda::Function"))
  return all.find(([id]) => id.startsWith(`${name}Function`))![1].Properties
}

const PLACES = [
  ["copy", "backup-copy"],
  ["own", "Backup"],
  ["checkpoints", "Checkpoints"],
] as const

/** What a function may do, an action and where: `own` bucket, `copy` in the other region, `checkpoints`, or the resource. */
const allowed = (stage: Stage, name: string, service: string): string[] => {
  const policies = Object.entries(services.get(stage)!.findResources("AWS::IAM::Policy"))
  const [, found] = policies.find(([id]) => id.startsWith(`${name}Role`))!
  return statementsOf(found.Properties)
    .flatMap(({ Action, Resource }: Statement) => {
      const resource = JSON.stringify(Resource)
      const [place] = PLACES.find(([, part]) => resource.includes(part)) ?? [resource]
      return [Action].flat().map((action) => `${action} ${place}`)
    })
    .filter((line) => line.startsWith(`${service}:`))
    .toSorted()
}

const DENIED_TO_WRITE_OVER = Match.objectLike({
  Effect: "Deny",
  Principal: { AWS: "*" },
  Action: "s3:PutObject",
  Condition: { Null: { "s3:if-none-match": "true" }, Bool: { "s3:ObjectCreationOperation": "true" } },
})

const DENIED_WITHOUT_TLS = Match.objectLike({
  Effect: "Deny",
  Principal: { AWS: "*" },
  Condition: { Bool: { "aws:SecureTransport": "false" } },
})

describe.each(STAGES)("archives of the %s stage", (stage) => {
  test.each(["in its own bucket", "in the other region"])(
    "are locked, versioned, encrypted and nobody else's: %s",
    (where) => {
      const template = (where === "in its own bucket" ? services : copies).get(stage)!
      const { lockDays, lockMode, removedKeptDays } = SETTINGS[stage].backups
      template.hasResourceProperties("AWS::S3::Bucket", {
        VersioningConfiguration: { Status: "Enabled" },
        ObjectLockEnabled: true,
        ObjectLockConfiguration: {
          ObjectLockEnabled: "Enabled",
          Rule: { DefaultRetention: { Days: lockDays, Mode: lockMode.toUpperCase() } },
        },
        BucketEncryption: {
          ServerSideEncryptionConfiguration: [
            Match.objectLike({
              ServerSideEncryptionByDefault: {
                SSEAlgorithm: "aws:kms",
                KMSMasterKeyID: { "Fn::GetAtt": [Match.stringLikeRegexp("^BackupsKey"), "Arn"] },
              },
            }),
          ],
        },
        PublicAccessBlockConfiguration: {
          BlockPublicAcls: true,
          BlockPublicPolicy: true,
          IgnorePublicAcls: true,
          RestrictPublicBuckets: true,
        },
        OwnershipControls: { Rules: [{ ObjectOwnership: "BucketOwnerEnforced" }] },
        LifecycleConfiguration: {
          Rules: [
            Match.objectLike({
              NoncurrentVersionExpiration: { NoncurrentDays: removedKeptDays },
              Status: "Enabled",
            }),
          ],
        },
      })
      template.hasResourceProperties("AWS::S3::BucketPolicy", {
        PolicyDocument: {
          Statement: Match.arrayWith([
            DENIED_WITHOUT_TLS,
            Match.objectLike({ Effect: "Deny", Condition: { NumericLessThan: { "s3:TlsVersion": 1.2 } } }),
            DENIED_TO_WRITE_OVER,
          ]),
        },
      })
      template.hasResourceProperties("AWS::KMS::Key", {
        Description: `Hotswap ${stage}: archives`,
        EnableKeyRotation: true,
      })
    },
  )

  test("are written by who takes them in and who makes them, and removed by no other than who makes or erases", () => {
    const [keep, look] = [
      ["s3:GetObject", "s3:PutObject"],
      ["s3:GetObject", "s3:GetObjectLegalHold", "s3:GetObjectRetention", "s3:GetObjectVersion"],
    ]
    const places = SETTINGS[stage].backups.copyRegion === null ? ["own"] : ["own", "copy"]
    const at = (...actions: string[]) =>
      places.flatMap((place) => actions.map((action) => `${action} ${place}`))
    const removing = [
      ...at(...look, "s3:DeleteObject", "s3:ListBucket", "s3:ListBucketVersions"),
      "s3:DeleteObjectVersion own",
    ]
    expect(allowed(stage, "Manage", "s3")).toEqual(at(...keep, "s3:ListBucket").toSorted())
    const checkpoints = [...keep, "s3:ListBucket"].map((action) => `${action} checkpoints`)
    expect(allowed(stage, "Relay", "s3")).toEqual([...removing, ...checkpoints].toSorted())
    expect(allowed(stage, "Backup", "s3")).toEqual([...removing, ...at("s3:PutObject")].toSorted())
    for (const name of ["Read", "Outcomes", "Advance", "Notify"])
      expect(allowed(stage, name, "s3"), name).toEqual([])
  })

  test("may be unlocked, or taken out of the lifecycle, by no function; in the other region no version is removed by one", () => {
    const policies = JSON.stringify(services.get(stage)!.findResources("AWS::IAM::Policy"))
    expect(policies).not.toMatch(
      /s3:(Bypass|PutObjectRetention|PutObjectLegalHold|PutBucket|PutLifecycle|PutEncryption|\*)/,
    )
    for (const name of ["Manage", "Relay", "Backup"])
      expect(allowed(stage, name, "s3"), name).not.toContain("s3:DeleteObjectVersion copy")
  })

  test("are where the functions that need them are told", () => {
    const { copyRegion } = SETTINGS[stage].backups
    for (const name of ["Manage", "Relay", "Backup"]) {
      const told = functionOf(stage, name).Environment.Variables
      expect(told.HOTSWAP_BACKUP_BUCKET, name).toEqual({ Ref: expect.stringMatching(/^BackupsBucket/) })
      expect(told.HOTSWAP_BACKUP_COPY_REGION ?? null, name).toBe(copyRegion)
      const bucket = Object.values(copies.get(stage)!.findResources("AWS::S3::Bucket"))[0]?.Properties
        .BucketName
      expect(told.HOTSWAP_BACKUP_COPY_BUCKET ?? null, name).toEqual(copyRegion === null ? null : bucket)
    }
    for (const name of ["Read", "Outcomes", "Advance", "Notify"])
      expect(JSON.stringify(functionOf(stage, name)), name).not.toContain("HOTSWAP_BACKUP")
  })

  test("have a key in the other region that functions find by the name it has there", () => {
    const policies = JSON.stringify(services.get(stage)!.findResources("AWS::IAM::Policy"))
    copies
      .get(stage)!
      .hasResourceProperties("AWS::KMS::Alias", { AliasName: `alias/hotswap-backups/${stage}-copy` })
    expect(policies.includes(`"kms:ResourceAliases":"alias/hotswap-backups/${stage}-copy"`)).toBe(
      SETTINGS[stage].backups.copyRegion !== null,
    )
  })
})

describe.each(STAGES)("copies of the checkpoints of the %s stage", (stage) => {
  test("are locked for as long as is set, never written over and never removed by a lifecycle; who signs is told where they are", () => {
    const template = services.get(stage)!
    const { lockDays, lockMode } = SETTINGS[stage].checkpoints
    const found = Object.entries(template.findResources("AWS::S3::Bucket"))
    const [id, { Properties }] = found.find(([each]) => each.startsWith("Checkpoints1Bucket"))!
    expect(Properties.ObjectLockConfiguration.Rule.DefaultRetention).toEqual({
      Days: lockDays,
      Mode: lockMode.toUpperCase(),
    })
    expect(JSON.stringify(Properties.LifecycleConfiguration)).not.toContain("Noncurrent")
    expect(JSON.stringify(Properties.BucketEncryption)).toContain("Checkpoints1Key")
    template.hasResourceProperties("AWS::S3::BucketPolicy", {
      Bucket: { Ref: id },
      PolicyDocument: { Statement: Match.arrayWith([DENIED_WITHOUT_TLS, DENIED_TO_WRITE_OVER]) },
    })
    for (const name of ["Read", "Manage", "Outcomes", "Advance", "Relay", "Notify", "Backup"])
      expect(functionOf(stage, name).Environment.Variables.HOTSWAP_BLOB_BUCKET, name).toEqual(
        name === "Relay" ? { Ref: id } : undefined,
      )
  })
})

describe.each(STAGES)("jobs of the %s stage", (stage) => {
  test("are woken by a queue that is encrypted, takes no plain connection, and keeps what fails for somebody to look at", () => {
    const template = services.get(stage)!
    template.resourceCountIs("AWS::SQS::Queue", 2)
    template.allResourcesProperties("AWS::SQS::Queue", { SqsManagedSseEnabled: true })
    template.allResourcesProperties("AWS::SQS::QueuePolicy", {
      PolicyDocument: { Statement: [DENIED_WITHOUT_TLS] },
    })
    template.hasResourceProperties("AWS::SQS::Queue", {
      RedrivePolicy: {
        maxReceiveCount: 5,
        deadLetterTargetArn: { "Fn::GetAtt": [Match.stringLikeRegexp("^BackupQueueDead"), "Arn"] },
      },
    })
    template.hasResourceProperties("AWS::SQS::Queue", { MessageRetentionPeriod: 14 * 86_400 })
  })

  test("are done by one function a message, by so many at once as is set, and shown to no other meanwhile", () => {
    const template = services.get(stage)!
    template.resourceCountIs("AWS::Lambda::EventSourceMapping", 1)
    template.hasResourceProperties("AWS::Lambda::EventSourceMapping", {
      BatchSize: 1,
      FunctionName: { Ref: Match.stringLikeRegexp("^BackupFunction") },
      FunctionResponseTypes: ["ReportBatchItemFailures"],
      ScalingConfig: { MaximumConcurrency: SETTINGS[stage].backups.workersMax },
    })
    const [queue] = Object.values(template.findResources("AWS::SQS::Queue")).filter(
      ({ Properties }) => Properties.RedrivePolicy,
    )
    expect(queue?.Properties.VisibilityTimeout).toBeGreaterThan(functionOf(stage, "Backup").Timeout)
  })

  test("are announced by who makes them, and nobody else may read the queue", () => {
    for (const name of ["Manage", "Backup"]) {
      expect(allowed(stage, name, "sqs"), name).toContain("sqs:SendMessage own")
      expect(functionOf(stage, name).Environment.Variables.HOTSWAP_BACKUP_QUEUE_URL, name).toBeDefined()
    }
    expect(allowed(stage, "Manage", "sqs")).toEqual(["sqs:SendMessage own"])
    for (const name of ["Read", "Outcomes", "Advance", "Relay", "Notify"])
      expect(allowed(stage, name, "sqs"), name).toEqual([])
  })

  test("and each of the tasks by the clock come as often as in one process, told apart by their names", () => {
    const rules = Object.values(services.get(stage)!.findResources("AWS::Events::Rule"))
    const clocks = rules.flatMap(({ Properties: { ScheduleExpression, State, Targets } }) =>
      Targets[0].Arn["Fn::GetAtt"][0].startsWith("Backup")
        ? [[JSON.parse(Targets[0].Input), ScheduleExpression, State]]
        : [],
    )
    const rateOf = (everyMs: number): string => {
      const minutes = everyMs / 60_000
      if (minutes === 1_440) return "rate(1 day)"
      if (minutes === 60) return "rate(1 hour)"
      return minutes === 1 ? "rate(1 minute)" : `rate(${minutes} minutes)`
    }
    const tasks = Object.entries(TASKS).map(([task, { everyMs }]) => [{ task }, rateOf(everyMs), "ENABLED"])
    expect(clocks).toEqual(
      expect.arrayContaining([[{ task: "work" }, "rate(1 minute)", "ENABLED"], ...tasks]),
    )
    expect(clocks).toHaveLength(tasks.length + 1)
  })
})

describe("production", () => {
  test("keeps archives and their keys when a stack is deleted, which takes switching a guard off", () => {
    for (const template of [services.get("prod")!, copies.get("prod")!])
      for (const type of ["AWS::S3::Bucket", "AWS::KMS::Key"])
        for (const resource of Object.values(template.findResources(type)))
          expect([resource.DeletionPolicy, resource.UpdateReplacePolicy]).toEqual([
            "RetainExceptOnCreate",
            "Retain",
          ])
    const app = new App({ context: WITHOUT_BUNDLING })
    expect(new ServiceStack(app, SETTINGS.prod).terminationProtection).toBe(true)
    expect(new BackupCopyStack(app, SETTINGS.prod, REGION).terminationProtection).toBe(true)
  })

  test("lets nobody at all remove an archive in its first week, which is no longer than an erasure waits", () => {
    const { backups, eraseAfterDays } = SETTINGS.prod
    expect([backups.lockMode, backups.lockDays]).toEqual(["compliance", 7])
    expect(backups.lockDays).toBeLessThanOrEqual(eraseAfterDays)
  })

  test("has room for its workers and its clocks among the functions that may run at once", () => {
    expect(SETTINGS.prod.functions.backup.concurrency).toBeGreaterThan(
      SETTINGS.prod.backups.workersMax + Object.keys(TASKS).length,
    )
  })

  test("tells who manages how long a deleted tenant is kept, and whether managing has limits", () => {
    expect(functionOf("prod", "Manage").Environment.Variables).toMatchObject({
      HOTSWAP_ERASE_AFTER_DAYS: "7",
      HOTSWAP_MANAGEMENT_LIMITS: "on",
    })
    const settings = {
      ...SETTINGS.prod,
      eraseAfterDays: 30,
      managementLimits: false,
      trustedDeployments: ["a", "b"],
    }
    const app = new App({ context: WITHOUT_BUNDLING })
    Template.fromStack(new ServiceStack(app, settings)).hasResourceProperties("AWS::Lambda::Function", {
      Environment: {
        Variables: Match.objectLike({
          HOTSWAP_ERASE_AFTER_DAYS: "30",
          HOTSWAP_MANAGEMENT_LIMITS: "off",
          HOTSWAP_TRUSTED_DEPLOYMENTS: "a,b",
        }),
      },
    })
  })

  test("the other region passes the AWS Solutions rules, but for a log of accesses", () => {
    const app = new App({ context: WITHOUT_BUNDLING })
    const stack = new BackupCopyStack(app, SETTINGS.prod, REGION)
    Validations.of(app).addPlugins(new AwsSolutionsChecks(app))
    expect(() => app.synth()).not.toThrow()
    const acknowledged = stack.node
      .findAll()
      .flatMap(({ node }) =>
        node.metadata
          .filter(({ type }) => type.includes("acknowledged"))
          .flatMap(({ data }) => Object.keys(data)),
      )
    expect(acknowledged).toEqual(["Annotation::AwsSolutions-S1"])
  })
})
