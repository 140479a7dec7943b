import { App, Validations } from "aws-cdk-lib"
import { Match, Template } from "aws-cdk-lib/assertions"
import { AwsSolutionsChecks } from "cdk-nag"
import { beforeAll, describe, expect, test } from "vitest"
import {
  type AuroraSettings,
  HANDLERS,
  SETTINGS,
  STAGES,
  type Stage,
  type StageSettings,
} from "../../infra/settings.ts"
import { DataStack } from "../../infra/stacks/data.ts"
import { ServiceStack } from "../../infra/stacks/service.ts"
import { addStages } from "../../infra/stages.ts"

const WITHOUT_BUNDLING = { "aws:cdk:bundling-stacks": [] }

const OWN = STAGES.map((stage) => SETTINGS[stage]).flatMap((settings) =>
  settings.database.kind === "aurora" ? [{ settings, aurora: settings.database }] : [],
)

const serviceOf = (settings: StageSettings): Template =>
  Template.fromStack(new ServiceStack(new App({ context: WITHOUT_BUNDLING }), settings))

const services = new Map<Stage, Template>()
beforeAll(() => {
  for (const stage of STAGES) services.set(stage, serviceOf(SETTINGS[stage]))
}, 120_000)

interface FunctionProperties {
  Environment: { Variables: Record<string, unknown> }
  VpcConfig?: unknown
}
interface Resource<Properties = Record<string, unknown>> {
  Properties: Properties
  DependsOn?: string[]
  DeletionPolicy?: string
}

const functionsIn = (template: Template): [string, Resource<FunctionProperties>][] =>
  Object.entries(template.findResources("AWS::Lambda::Function")) as never

/** A value as CloudFormation puts it together, with what it looks up elsewhere in braces. */
const textOf = (value: unknown): string => {
  if (typeof value === "string") return value
  const [[kind, of] = ["", ""]] = Object.entries(value as object)
  if (kind === "Fn::Join") return (of as [string, unknown[]])[1].map(textOf).join("")
  return `{${kind === "Fn::ImportValue" ? String(of) : kind}}`
}

describe.each(OWN)("the database of $settings.stage", ({ settings, aurora }) => {
  const { stage } = settings
  let data: Template
  let service: Template
  beforeAll(() => {
    data = Template.fromStack(new DataStack(new App(), settings, aurora))
    service = services.get(stage)!
  })
  const valuesIn = (type: string): Resource[] => Object.values(data.findResources(type)) as never

  test("is encrypted under a key of its own, speaks to nobody in the clear, and logs no values", () => {
    data.hasResourceProperties("AWS::RDS::DBCluster", {
      Engine: "aurora-postgresql",
      EngineVersion: Match.stringLikeRegexp("^18\\."),
      StorageEncrypted: true,
      KmsKeyId: { "Fn::GetAtt": [Match.stringLikeRegexp("^Key"), "Arn"] },
      MasterUsername: "hotswap_owner",
    })
    data.hasResourceProperties("AWS::KMS::Key", { EnableKeyRotation: true })
    data.hasResourceProperties("AWS::RDS::DBClusterParameterGroup", {
      Parameters: Match.objectLike({
        "rds.force_ssl": "1",
        log_parameter_max_length: "0",
        log_parameter_max_length_on_error: "0",
        log_statement: "none",
      }),
    })
  })

  test("can be had as it was at any second of the last days, and no longer than an erased tenant may be in it", () => {
    data.hasResourceProperties("AWS::RDS::DBCluster", { BackupRetentionPeriod: aurora.restoreDays })
    expect(aurora.restoreDays).toBeLessThanOrEqual(settings.eraseAfterDays)
  })

  test("has room for all connections that functions may open at once", () => {
    const each = {
      read: 1,
      manage: 12,
      outcomes: 11,
      advance: 5,
      relay: 7,
      notify: 5,
      backup: 12,
      router: 7,
      migrate: 4,
    }
    const most = HANDLERS.reduce(
      (sum, name) => sum + each[name] * (SETTINGS.prod.functions[name].concurrency ?? 0),
      0,
    )
    if (stage === "prod") expect(most).toBeLessThan(aurora.capacityMax * 205 * 0.9)
    data.hasResourceProperties("AWS::RDS::DBCluster", {
      ServerlessV2ScalingConfiguration: { MinCapacity: aurora.capacityMin, MaxCapacity: aurora.capacityMax },
    })
    data.resourceCountIs("AWS::RDS::DBInstance", aurora.hasStandby ? 2 : 1)
  })

  test("is reached by functions and from nowhere else, and reaches nothing itself", () => {
    for (const { Properties } of valuesIn("AWS::RDS::DBInstance"))
      expect(Properties).toMatchObject({ PubliclyAccessible: false, DBInstanceClass: "db.serverless" })
    const groups = Object.entries(data.findResources("AWS::EC2::SecurityGroup")) as [string, Resource][]
    const [functionsId] = groups.find(([id]) => id.startsWith("NetworkFunctions"))!
    const functions = { "Fn::GetAtt": [functionsId, "GroupId"] }
    for (const [id, { Properties }] of groups)
      if (id === functionsId) expect(Properties).not.toHaveProperty("SecurityGroupIngress")
      else
        expect(Properties.SecurityGroupIngress).toEqual([
          expect.objectContaining({ FromPort: 5432, ToPort: 5432, SourceSecurityGroupId: functions }),
        ])
    // A subnet without a route: not even an answer finds a way out.
    const routed = valuesIn("AWS::EC2::Route").map(({ Properties }) => textOf(Properties.RouteTableId))
    data.resourceCountIs("AWS::EC2::Route", 4)
    expect(routed.filter((table) => table.includes("Database"))).toEqual([])
    for (const { Properties } of valuesIn("AWS::EC2::Subnet"))
      expect(Properties.MapPublicIpOnLaunch).toBe(false)
    data.resourceCountIs("AWS::EC2::NatGateway", aurora.natGateways)
  })

  test("whoever is turned away in the network stands in a log that is encrypted and kept for a stated time", () => {
    data.hasResourceProperties("AWS::EC2::FlowLog", { TrafficType: "REJECT" })
    data.allResourcesProperties("AWS::Logs::LogGroup", {
      RetentionInDays: settings.logRetention,
      KmsKeyId: Match.anyValue(),
    })
    data.resourceCountIs("AWS::Logs::LogGroup", 2)
  })

  test("has a password for each role, made by chance where nobody sees it", () => {
    const names = valuesIn("AWS::SecretsManager::Secret").map(({ Properties }) => Properties.Name)
    const roles = ["hotswap_app", "hotswap_owner", "hotswap_read", "hotswap_system"]
    expect(names.toSorted()).toEqual(roles.map((role) => `hotswap/${stage}/${role}`))
    data.allResourcesProperties("AWS::SecretsManager::Secret", {
      GenerateSecretString: Match.objectLike({ ExcludePunctuation: true, PasswordLength: 48 }),
      SecretString: Match.absent(),
    })
  })

  test("each function is told how to reach it as its roles, encrypted and verified, and runs where it can", () => {
    const told = Object.entries(data.toJSON().Outputs as Record<string, { Export: { Name: string } }>).map(
      ([, { Export }]) => Export.Name,
    )
    const roles = { OWNER_URL: "owner", URL: "app", READ_URL: "read", SYSTEM_URL: "system" }
    for (const [id, { Properties }] of functionsIn(service)) {
      expect(Properties.Environment.Variables.NODE_EXTRA_CA_CERTS, id).toBe("/var/runtime/ca-cert.pem")
      expect(JSON.stringify(Properties.VpcConfig).match(/hotswap-[\w-]+/g), id).toEqual([
        `hotswap-${stage}-functions`,
        `hotswap-${stage}-subnet-1`,
        `hotswap-${stage}-subnet-2`,
      ])
      for (const [name, role] of Object.entries(roles)) {
        const url = Properties.Environment.Variables[`DATABASE_${name}`]
        if (url !== undefined)
          expect(textOf(url), id).toMatch(
            new RegExp(
              `^postgres://hotswap_${role}:\\{\\{resolve:secretsmanager:[^@]*hotswap/${stage}/hotswap_${role}:SecretString:password::\\}\\}@\\{hotswap-${stage}-database-host\\}:5432/hotswap\\?sslmode=verify-full$`,
            ),
          )
      }
    }
    const imported = new Set(JSON.stringify(service.toJSON()).match(/(?<="Fn::ImportValue":")[^"]+/g))
    expect([...imported].toSorted()).toEqual(told.toSorted())
  })
})

describe("production's data", () => {
  test("outlives its stack, and neither the stack nor the database can be deleted by mistake", () => {
    const stack = new DataStack(new App(), SETTINGS.prod, SETTINGS.prod.database as AuroraSettings)
    const template = Template.fromStack(stack)
    expect(stack.terminationProtection).toBe(true)
    template.hasResourceProperties("AWS::RDS::DBCluster", { DeletionProtection: true })
    const kept = [
      "AWS::RDS::DBCluster",
      "AWS::RDS::DBInstance",
      "AWS::KMS::Key",
      "AWS::SecretsManager::Secret",
    ]
    for (const type of kept)
      for (const [id, { DeletionPolicy }] of Object.entries(template.findResources(type)))
        expect(DeletionPolicy, id).toBe("RetainExceptOnCreate")
  })

  test("is there before the functions are, in every stage that has a database of its own", () => {
    const app = new App({ context: WITHOUT_BUNDLING })
    addStages(app)
    const dependencies = new Map(
      app.synth().stacks.map((stack) => [stack.stackName, stack.dependencies.map(({ id }) => id)]),
    )
    for (const stage of STAGES)
      expect(dependencies.get(`Hotswap-${stage}`)!.includes(`Hotswap-${stage}-data`), stage).toBe(
        SETTINGS[stage].database.kind === "aurora",
      )
  })

  test("passes the AWS Solutions rules, with a reason for each exception", () => {
    const app = new App({ context: WITHOUT_BUNDLING })
    for (const { settings, aurora } of OWN) new DataStack(app, settings, aurora)
    Validations.of(app).addPlugins(new AwsSolutionsChecks(app))
    expect(() => app.synth()).not.toThrow()
  })
})

test("a database made elsewhere is known by its URLs alone: no network, no certificates of Amazon's", () => {
  const settings: StageSettings = { ...SETTINGS.prod, database: { kind: "connection" } }
  const template = serviceOf(settings)
  for (const [id, { Properties }] of functionsIn(template)) {
    expect(Properties, id).not.toHaveProperty("VpcConfig")
    const { Variables } = Properties.Environment
    expect(Variables, id).not.toHaveProperty("NODE_EXTRA_CA_CERTS")
    for (const [name, value] of Object.entries(Variables))
      if (name.startsWith("DATABASE_"))
        expect(textOf(value), `${id} ${name}`).toMatch(/hotswap\/prod\/database:SecretString:\w+Url::\}\}$/)
  }
  expect(JSON.stringify(template.toJSON())).not.toMatch(/ImportValue|ec2:/)
})

describe("migrations", () => {
  const migratedIn = (template: Template): [string, Resource] =>
    Object.entries(template.findResources("Custom::Migrated"))[0] as never

  test.each(STAGES)("of %s are done before any other function is altered", (stage) => {
    const template = services.get(stage)!
    const [migrated, { Properties }] = migratedIn(template)
    const functions = functionsIn(template)
    const [migrate] = functions.find(([id]) => id.startsWith("Migrate"))!
    expect(Properties.ServiceToken).toEqual({ "Fn::GetAtt": [migrate, "Arn"] })
    for (const [id, { DependsOn = [] }] of functions)
      expect(DependsOn.includes(migrated), id).toBe(id !== migrate)
    expect(functions).toHaveLength(HANDLERS.length)
  })

  test("have the deployment wait for them longer than the function may take", () => {
    const [, { Properties }] = migratedIn(services.get("prod")!)
    expect(Number(Properties.ServiceTimeout)).toBeGreaterThan(SETTINGS.prod.functions.migrate.timeoutSeconds)
  })

  test("are asked for again when a secret was altered, as roles' passwords are", () => {
    const asked = (template: Template) => migratedIn(template)[1].Properties
    const altered = { ...SETTINGS.prod, credentialsRevision: SETTINGS.prod.credentialsRevision + 1 }
    const { Credentials, ...rest } = asked(serviceOf(altered))
    expect(Credentials).toBe(SETTINGS.prod.credentialsRevision + 1)
    expect(asked(services.get("prod")!)).toEqual({ ...rest, Credentials: SETTINGS.prod.credentialsRevision })
  })
})
