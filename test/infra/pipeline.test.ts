import { App, Validations } from "aws-cdk-lib"
import { AwsSolutionsChecks } from "cdk-nag"
import { expect, test } from "vitest"
import { addPipelines } from "../../infra/pipelines.ts"
import { allowedTo, type Resources } from "./allowed.ts"

const app = new App()
addPipelines(app)
Validations.of(app).addPlugins(new AwsSolutionsChecks(app))
const stacks = new Map(app.synth().stacks.map(({ stackName, template }) => [stackName, template]))
const resourcesOf = (name: string): Resources => stacks.get(name)?.Resources

test("there are roles for the stages that workflows deploy, and one place where GitHub's word is taken", () => {
  expect([...stacks.keys()].toSorted()).toEqual([
    "Hotswap-github",
    "Hotswap-prod-pipeline",
    "Hotswap-staging-pipeline",
  ])
  expect(Object.values(resourcesOf("Hotswap-github")).map(({ Properties }) => Properties)).toEqual([
    { ClientIdList: ["sts.amazonaws.com"], Url: "https://token.actions.githubusercontent.com" },
  ])
})

/** What a role of a stage may do, and, told apart, who takes it on. */
const roleOf = (stage: string, id: string): { may: string[]; takenOnBy: string[] } => {
  const lines = allowedTo(resourcesOf(`Hotswap-${stage}-pipeline`))[id] ?? []
  const isTrust = (line: string): boolean => line.startsWith("taken on by ")
  return { may: lines.filter((line) => !isTrust(line)), takenOnBy: lines.filter(isTrust) }
}

test.each(["staging", "prod"])(
  "roles of %s are taken on by jobs of one repository in one environment",
  (stage) => {
    const github = "token.actions.githubusercontent.com"
    const by = (environment: string) => [
      `taken on by arn:{partition}:iam::{accountid}:oidc-provider/${github} if ${github}:aud is sts.amazonaws.com if ${github}:sub is repo:{repository}:environment:${environment}`,
    ]
    expect(roleOf(stage, "DeployRole").takenOnBy).toEqual(by(stage))
    expect(roleOf(stage, "WatchRole").takenOnBy).toEqual(by(`${stage}-watch`))
  },
)

test("a repository is one name of one owner: nothing that stands for several", () => {
  const { AllowedPattern, Default } = stacks.get("Hotswap-prod-pipeline")!.Parameters.Repository
  expect(Default).toBeUndefined()
  const pattern = new RegExp(AllowedPattern)
  for (const right of ["an-owner/a.name_1", "an-owner@123456/a.name_1@456789"]) expect(right).toMatch(pattern)
  for (const wrong of [
    "*/name",
    "owner/*",
    "owner",
    "owner/name:ref",
    "owner/name/more",
    "owner/na?e",
    "owner@1/name",
    "owner/name@2",
    "owner@*/name@2",
    "owner@1/name@*",
    "",
  ])
    expect(wrong).not.toMatch(pattern)
})

test("who deploys takes on the bootstrap's roles in both regions and reads what the Worker is given; who looks sees no contents", () => {
  const ours = "{region}:{accountid}"
  const secret = (name: string) => `arn:{partition}:secretsmanager:${ours}:secret:hotswap/prod/${name}-??????`
  const roles = ["deploy", "file-publishing", "lookup"].flatMap((name) =>
    ["{region}", "eu-west-1"].map((region) => `cdk-hnb659fds-${name}-role-{accountid}-${region}`),
  )
  expect(roleOf("prod", "DeployRole").may).toEqual(
    [
      ...roles.map((name) => `sts:AssumeRole on arn:{partition}:iam::{accountid}:role/${name}`),
      ...["edge", "edge-key", "reader-keys", "redis"].map(
        (name) => `secretsmanager:GetSecretValue on ${secret(name)}`,
      ),
      `kms:Decrypt on arn:{partition}:kms:${ours}:key/* if kms:ViaService is secretsmanager.{region}.amazonaws.com if kms:EncryptionContext:SecretARN is like ${secret("edge-key")}`,
    ].toSorted(),
  )
  const stacksOfStage = "arn:{partition}:cloudformation:*:{accountid}:stack/Hotswap-prod*/*"
  const watching = roleOf("prod", "WatchRole").may
  expect(watching.filter((line) => !line.startsWith("NOT "))).toEqual([
    "all that arn:{partition}:iam::aws:policy/ReadOnlyAccess allows",
    `cloudformation:DetectStackDrift on ${stacksOfStage}`,
    `cloudformation:DetectStackResourceDrift on ${stacksOfStage}`,
  ])
  for (const contents of [
    "s3:GetObject",
    "secretsmanager:GetSecretValue",
    "kms:Decrypt",
    "sqs:ReceiveMessage",
  ])
    expect(watching).toContain(`NOT ${contents} on *`)
})
