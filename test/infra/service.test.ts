import { App, Validations } from "aws-cdk-lib"
import { Match, Template } from "aws-cdk-lib/assertions"
import { AwsSolutionsChecks } from "cdk-nag"
import { beforeAll, describe, expect, test } from "vitest"
import { readTraceSettings } from "../../core/trace/settings.ts"
import { HANDLERS, SETTINGS, STAGES, type Stage } from "../../infra/settings.ts"
import { ServiceStack } from "../../infra/stacks/service.ts"

const COPY = "arn:<AWS::Partition>:s3:::hotswap-prod-backup-copy-<AWS::AccountId>"
/** Code is bundled by another test; here only the shape counts. */
const WITHOUT_BUNDLING = { "aws:cdk:bundling-stacks": [] }

const templates = new Map<Stage, Template>()
beforeAll(() => {
  for (const stage of STAGES) {
    const app = new App({ context: WITHOUT_BUNDLING })
    templates.set(stage, Template.fromStack(new ServiceStack(app, SETTINGS[stage])))
  }
})
const template = (stage: Stage): Template => templates.get(stage)!

interface FunctionProperties {
  Environment: { Variables: Record<string, unknown> }
  MemorySize: number
}
const properties = <Properties>(stage: Stage, type: string): [string, Properties][] =>
  Object.entries(template(stage).findResources(type)).map(([id, resource]) => [id, resource.Properties])
const settingsOf = (stage: Stage, name: string): Record<string, unknown> => {
  const found = properties<FunctionProperties>(stage, "AWS::Lambda::Function").find(([id]) =>
    id.toLowerCase().startsWith(name),
  )
  return found?.[1].Environment.Variables ?? {}
}

describe.each(STAGES)("the %s stage", (stage) => {
  test("deploys each handler once, on the Node that runs here and on arm64", () => {
    template(stage).resourceCountIs("AWS::Lambda::Function", HANDLERS.length)
    template(stage).allResourcesProperties("AWS::Lambda::Function", {
      Runtime: "nodejs24.x",
      Architectures: ["arm64"],
    })
  })

  test("opens a URL to the four functions that answer requests and to no other", () => {
    template(stage).resourceCountIs("AWS::Lambda::Url", 4)
    for (const name of ["Read", "Manage", "Outcomes", "Router"])
      template(stage).hasResourceProperties("AWS::Lambda::Url", {
        TargetFunctionArn: { "Fn::GetAtt": [Match.stringLikeRegexp(`^${name}Function`), "Arn"] },
      })
  })

  test("wakes advance, relay, notify and router every minute, and never repeats a run that failed, nor a migration", () => {
    for (const name of ["Advance", "Relay", "Notify", "Router"])
      template(stage).hasResourceProperties("AWS::Events::Rule", {
        ScheduleExpression: "rate(1 minute)",
        State: "ENABLED",
        Targets: [
          Match.objectLike({
            Arn: { "Fn::GetAtt": [Match.stringLikeRegexp(`^${name}Function`), "Arn"] },
            RetryPolicy: { MaximumRetryAttempts: 0, MaximumEventAgeInSeconds: 60 },
          }),
        ],
      })
    template(stage).resourcePropertiesCountIs(
      "AWS::Lambda::EventInvokeConfig",
      { MaximumRetryAttempts: 0 },
      6,
    )
  })

  test("paces changes by a state machine that is traced, and whose log holds no task token", () => {
    template(stage).hasResourceProperties("AWS::StepFunctions::StateMachine", {
      StateMachineType: "STANDARD",
      StateMachineName: `Hotswap-${stage}-Rollout`,
      TracingConfiguration: { Enabled: true },
      LoggingConfiguration: { Level: "ALL", IncludeExecutionData: false },
    })
    for (const name of ["manage", "outcomes", "advance", "backup"])
      expect(JSON.stringify(settingsOf(stage, name).HOTSWAP_STATE_MACHINE_ARN), name).toContain(
        `:stateMachine:Hotswap-${stage}-Rollout"`,
      )
  })

  test("encrypts settings and logs under a key of its own that is renewed every year", () => {
    template(stage).hasResourceProperties("AWS::KMS::Key", { EnableKeyRotation: true })
    const underOwnKey = { "Fn::GetAtt": [Match.stringLikeRegexp("^Key"), "Arn"] }
    template(stage).allResourcesProperties("AWS::Lambda::Function", { KmsKeyArn: underOwnKey })
    template(stage).allResourcesProperties("AWS::Logs::LogGroup", { KmsKeyId: underOwnKey })
  })

  test("keeps every log for a stated time", () => {
    template(stage).resourceCountIs("AWS::Logs::LogGroup", HANDLERS.length + 1)
    template(stage).allResourcesProperties("AWS::Logs::LogGroup", {
      RetentionInDays: SETTINGS[stage].logRetention,
    })
  })

  test("names every secret and holds none", () => {
    for (const handler of HANDLERS)
      for (const [name, value] of Object.entries(settingsOf(stage, handler)))
        if (/URL|TOKEN|SECRET|KEY/.test(name) && name !== "HOTSWAP_BACKUP_QUEUE_URL")
          expect(JSON.stringify(value), `${handler} ${name}`).toContain(`{{resolve:secretsmanager:`)
  })
})

describe("what each function is told", () => {
  test("read can neither write to the database nor sign a token", () => {
    const names = Object.keys(settingsOf("prod", "read"))
    expect(names).toContain("DATABASE_READ_URL")
    expect(names).not.toContain("DATABASE_URL")
    expect(names).not.toContain("DATABASE_SYSTEM_URL")
    expect(names).not.toContain("HOTSWAP_READER_KEYS")
  })

  test("only the functions that write to the database are told how", () => {
    const holders = HANDLERS.filter((handler) => "DATABASE_URL" in settingsOf("prod", handler))
    expect(holders).toEqual([
      "manage",
      "outcomes",
      "advance",
      "relay",
      "notify",
      "backup",
      "router",
      "migrate",
    ])
  })

  test("only what migrates is told how to be the owner of the tables, and nothing calls it but a deployment", () => {
    const owners = HANDLERS.filter((handler) => "DATABASE_OWNER_URL" in settingsOf("prod", handler))
    expect(owners).toEqual(["migrate"])
    const callable = ["AWS::Lambda::Permission", "AWS::Lambda::Url", "AWS::Events::Rule"].flatMap((type) =>
      properties<object>("prod", type).map(([, found]) => JSON.stringify(found)),
    )
    expect(callable.filter((found) => found.includes("MigrateFunction"))).toEqual([])
  })

  test("where mail is sent, the two that send it are told the server, by the name of its secret", () => {
    const app = new App({ context: WITHOUT_BUNDLING })
    const mailing = Template.fromStack(new ServiceStack(app, { ...SETTINGS.prod, mailFrom: "a@example.com" }))
    for (const [id, { Properties }] of Object.entries(mailing.findResources("AWS::Lambda::Function"))) {
      const url = JSON.stringify(Properties.Environment.Variables.SMTP_URL ?? null)
      if (/^(Manage|Notify)/.test(id)) expect(url, id).toContain("{{resolve:secretsmanager:")
      else expect(url, id).toBe("null")
    }
    expect(settingsOf("prod", "notify")).not.toHaveProperty("SMTP_URL")
  })

  test("where it is traced, all but what migrates are told to whom, and share what began before them", () => {
    const traces = { endpoint: "https://otlp.example.com", ratio: 0.05, hasHeaders: true }
    const traced = Template.fromStack(
      new ServiceStack(new App({ context: WITHOUT_BUNDLING }), { ...SETTINGS.prod, traces }),
    )
    const complaints: string[] = []
    for (const [id, { Properties }] of Object.entries(traced.findResources("AWS::Lambda::Function"))) {
      const { OTEL_EXPORTER_OTLP_HEADERS: headers = null, ...others } = Properties.Environment.Variables
      const read = readTraceSettings({ ...others, OTEL_EXPORTER_OTLP_HEADERS: "a=b" }, (line) =>
        complaints.push(line),
      )
      expect(JSON.stringify(headers).includes("hotswap/prod/otlp"), id).toBe(!id.startsWith("Migrate"))
      if (id.startsWith("Migrate")) expect(read).toBeNull()
      else
        expect(read, id).toMatchObject({
          url: "https://otlp.example.com/v1/traces",
          sampler: { asParent: true, ratio: 0.05 },
        })
    }
    expect(complaints).toEqual([])
    expect(Object.keys(settingsOf("prod", "read")).filter((name) => name.startsWith("OTEL"))).toEqual([])
  })

  test("the issuers of people's tokens are told to those who let people in, and to nobody else", () => {
    const jwtIssuers = [{ issuer: "https://login.example.com", audience: "hotswap" }]
    const corsOrigins = ["https://console.example.com"]
    const app = new App({ context: WITHOUT_BUNDLING })
    const signing = Template.fromStack(new ServiceStack(app, { ...SETTINGS.prod, jwtIssuers, corsOrigins }))
    for (const [id, { Properties }] of Object.entries(signing.findResources("AWS::Lambda::Function"))) {
      const { HOTSWAP_JWT_ISSUERS = null, HOTSWAP_CORS_ORIGINS = null } = Properties.Environment.Variables
      const issuers = /^(Manage|Read|Outcomes|Router)/.test(id) ? JSON.stringify(jwtIssuers) : null
      const origins = /^(Manage|Read|Router)/.test(id) ? "https://console.example.com" : null
      expect([HOTSWAP_JWT_ISSUERS, HOTSWAP_CORS_ORIGINS], id).toEqual([issuers, origins])
    }
  })

  test("whoever counts failures by address knows the edge, which tells whose they are", () => {
    const holders = HANDLERS.filter((handler) => "HOTSWAP_EDGE_SECRET" in settingsOf("prod", handler))
    expect(holders).toEqual(["read", "manage", "outcomes", "router"])
  })

  test("only manage holds the signing key", () => {
    const holders = HANDLERS.filter((handler) => "HOTSWAP_READER_KEYS" in settingsOf("prod", handler))
    expect(holders).toEqual(["manage"])
  })
})

describe("production", () => {
  test("caps how many of each function run at once, below what its database takes", () => {
    const reserved = properties<{ ReservedConcurrentExecutions?: number }>("prod", "AWS::Lambda::Function")
    for (const [id, found] of reserved) expect(found.ReservedConcurrentExecutions, id).toBeGreaterThan(0)
  })

  test("keeps its logs and its key when the stack is deleted", () => {
    for (const type of ["AWS::Logs::LogGroup", "AWS::KMS::Key"])
      for (const resource of Object.values(template("prod").findResources(type)))
        expect(resource.DeletionPolicy).toBe("RetainExceptOnCreate")
  })

  test("passes the AWS Solutions rules, with exceptions for what cannot be named", () => {
    const app = new App({ context: WITHOUT_BUNDLING })
    const stack = new ServiceStack(app, SETTINGS.prod)
    Validations.of(app).addPlugins(new AwsSolutionsChecks(app))
    expect(() => app.synth()).not.toThrow()
    const acknowledged = new Set(
      stack.node
        .findAll()
        .flatMap(({ node }) =>
          node.metadata
            .filter(({ type }) => type.includes("acknowledged"))
            .flatMap(({ data }) => Object.keys(data).map((rule) => `${node.path} ${rule}`)),
        ),
    )
    const key = "arn:<AWS::Partition>:kms:<AWS::Region>:<AWS::AccountId>"
    const of = (path: string, resource: string): string =>
      `Hotswap-prod/${path}/Role Annotation::AwsSolutions-IAM5[Resource::${resource}]`
    const making = [`${key}:key/*`, `${key}:alias/hotswap/prod/*`, "*"]
    const objects = ["<BackupsBucket2936A3AA.Arn>/*", `${COPY}/*`]
    const ofCopies = "arn:<AWS::Partition>:kms:eu-west-1:<AWS::AccountId>:key/*"
    expect([...acknowledged].toSorted()).toEqual(
      [
        of("Rollout", "*"),
        ...["Notify", "Router"].map((name) => of(name, `${key}:key/*`)),
        ...["Manage", "Relay", "Backup"].flatMap((name) =>
          [...making, ...objects].map((resource) => of(name, resource)),
        ),
        of("Manage", ofCopies),
        of("Backup", ofCopies),
        ...["Read", "Outcomes", "Advance", "Notify", "Router", "Migrate"].map((name) => of(name, "*")),
        of("Relay", "<Checkpoints1BucketBD2518A7.Arn>/*"),
        "Hotswap-prod/Backups/Bucket Annotation::AwsSolutions-S1",
        "Hotswap-prod/Checkpoints1/Bucket Annotation::AwsSolutions-S1",
        "Hotswap-prod/Edge/Secret Annotation::AwsSolutions-SMG4",
      ].toSorted(),
    )
  })
})
