import { readdir } from "node:fs/promises"
import { join } from "node:path"
import { App } from "aws-cdk-lib"
import type { CloudFormationStackArtifact } from "aws-cdk-lib/cx-api"
import { beforeAll, describe, expect, test } from "vitest"
import { readSettings } from "../../functions/edge/runtime.ts"
import { LIMITS_MS } from "../../functions/http/deadline.ts"
import { addPipelines } from "../../infra/pipelines.ts"
import { HANDLERS, SETTINGS, STAGES, type Stage } from "../../infra/settings.ts"
import { addStages } from "../../infra/stages.ts"
import type { Resources } from "./allowed.ts"
import { deployedDefinition } from "./deployed-definition.ts"
import { templateText } from "./template-text.ts"

const ACCEPTED = join(import.meta.dirname, "templates")

let stacks: readonly CloudFormationStackArtifact[]
beforeAll(() => {
  const app = new App({ context: { "aws:cdk:bundling-stacks": [] } })
  addStages(app)
  addPipelines(app)
  stacks = app.synth().stacks
}, 120_000)

const resourcesOf = (stage: Stage): [string, Resources[string]][] =>
  stacks
    .filter(({ stackName }) => `${stackName}-`.startsWith(`Hotswap-${stage}-`))
    .flatMap(({ template }) => Object.entries(template.Resources as Resources))

test("each template is the one that was accepted; `npm run synth:accept` takes an altered one", async () => {
  for (const stack of stacks)
    await expect(templateText(stack)).toMatchFileSnapshot(join(ACCEPTED, `${stack.stackName}.txt`))
  const names = stacks.map(({ stackName }) => `${stackName}.txt`)
  expect((await readdir(ACCEPTED)).filter((file) => !names.includes(file))).toEqual([])
})

/** Where each kind of resource that holds anything says what it is encrypted under. */
const ENCRYPTED: Readonly<Record<string, string>> = {
  "AWS::Logs::LogGroup": "KmsKeyId",
  "AWS::S3::Bucket": "BucketEncryption",
  "AWS::SQS::Queue": "SqsManagedSseEnabled",
  "AWS::SecretsManager::Secret": "KmsKeyId",
  "AWS::SNS::Topic": "KmsMasterKeyId",
  "AWS::RDS::DBCluster": "StorageEncrypted",
}
/** Resources that what was kept in them goes with. */
const KEEPERS = ["AWS::Logs::LogGroup", "AWS::S3::Bucket", "AWS::KMS::Key", "AWS::RDS::DBCluster"]

describe.each(STAGES)("in the %s stage", (stage) => {
  test("whatever holds anything holds it encrypted", () => {
    for (const [id, { Type, Properties = {} }] of resourcesOf(stage)) {
      const property = ENCRYPTED[Type]
      if (property !== undefined) expect(Properties[property] ?? false, id).not.toBe(false)
      if (Type === "AWS::Lambda::Function" && "Environment" in Properties)
        expect(Properties.KmsKeyArn, id).toBeDefined()
    }
  })

  test("logs are kept for a stated time, and in production nothing that was kept goes with its stack", () => {
    for (const [id, { Type, Properties = {}, DeletionPolicy }] of resourcesOf(stage)) {
      if (Type === "AWS::Logs::LogGroup")
        expect(Properties.RetentionInDays, id).toBe(SETTINGS[stage].logRetention)
      if (stage === "prod" && KEEPERS.includes(Type)) expect(DeletionPolicy, id).toMatch(/^(Retain|Snapshot)/)
    }
  })

  test("keys are renewed every year", () => {
    for (const [id, { Type, Properties = {} }] of resourcesOf(stage))
      if (Type === "AWS::KMS::Key") expect(Properties.EnableKeyRotation, id).toBe(true)
  })

  test("a request is refused as too late before its function is ended, and that before who waits for it gives up", () => {
    const { read, manage, outcomes } = SETTINGS[stage].functions
    const edge = readSettings({
      READ_ORIGIN: "https://read",
      MANAGE_ORIGIN: "https://manage",
      EDGE_SECRET: "secret",
      READER_PUBLIC_KEYS: "",
      HOTSWAP_ENVIRONMENTS: "Production",
      LAST_KNOWN_GOOD: undefined!,
    })
    expect(LIMITS_MS.read).toBeLessThan(edge.originDeadlineMs)
    expect(edge.originDeadlineMs).toBeLessThan(read.timeoutSeconds * 1_000)
    expect(LIMITS_MS.write).toBeLessThan(outcomes.timeoutSeconds * 1_000)
    expect(LIMITS_MS.long).toBeLessThan(manage.timeoutSeconds * 1_000)
    for (const name of HANDLERS)
      expect(SETTINGS[stage].functions[name].timeoutSeconds, name).toBeLessThanOrEqual(900)
  })
})

test("the state machine waits longer for what it asks than that may take", () => {
  const states: Record<string, { TimeoutSeconds?: number }> = deployedDefinition().States
  const asked = Object.values(states).flatMap(({ TimeoutSeconds }) => TimeoutSeconds ?? [])
  expect(asked).toHaveLength(3)
  for (const seconds of asked) expect(seconds).toBeGreaterThan(SETTINGS.prod.functions.advance.timeoutSeconds)
})
