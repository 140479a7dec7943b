import { App, Validations } from "aws-cdk-lib"
import { AwsSolutionsChecks } from "cdk-nag"
import { expect, test } from "vitest"
import { addPipelines } from "../../infra/pipelines.ts"
import { allowedTo, type Resources, textOf } from "./allowed.ts"

const app = new App()
addPipelines(app)
Validations.of(app).addPlugins(new AwsSolutionsChecks(app))
const stacks = new Map(app.synth().stacks.map(({ stackName, template }) => [stackName, template]))
const resourcesOf = (name: string): Resources => stacks.get(name)?.Resources

interface Trust {
  Statement: { Action: string; Principal: { Federated: unknown }; Condition: Record<string, unknown> }[]
}

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

test.each(["staging", "prod"])(
  "roles of %s are taken on by jobs of one repository in one environment",
  (stage) => {
    const trusted = Object.entries(resourcesOf(`Hotswap-${stage}-pipeline`))
      .filter(([, { Type }]) => Type === "AWS::IAM::Role")
      .map(([id, { Properties }]) => {
        const { Statement } = Properties!.AssumeRolePolicyDocument as Trust
        expect(Statement).toHaveLength(1)
        const [{ Action, Principal, Condition }] = Statement as [Trust["Statement"][number]]
        expect(Action).toBe("sts:AssumeRoleWithWebIdentity")
        expect(textOf(Principal.Federated)).toBe(
          "arn:{partition}:iam::{accountid}:oidc-provider/token.actions.githubusercontent.com",
        )
        expect(Object.keys(Condition)).toEqual(["StringEquals"])
        const equals = Object.entries(Condition.StringEquals as object).map(([name, value]) => [
          name,
          textOf(value),
        ])
        return [id.replace(/Role.*/, ""), Object.fromEntries(equals)]
      })
    const audience = { "token.actions.githubusercontent.com:aud": "sts.amazonaws.com" }
    const subject = (environment: string) => ({
      ...audience,
      "token.actions.githubusercontent.com:sub": `repo:{repository}:environment:${environment}`,
    })
    expect(Object.fromEntries(trusted)).toEqual({ Deploy: subject(stage), Watch: subject(`${stage}-watch`) })
  },
)

test("a repository is one name of one owner: nothing that stands for several", () => {
  const { AllowedPattern, Default } = stacks.get("Hotswap-prod-pipeline")!.Parameters.Repository
  expect(Default).toBeUndefined()
  const pattern = new RegExp(AllowedPattern)
  expect("an-owner/a.name_1").toMatch(pattern)
  for (const wrong of ["*/name", "owner/*", "owner", "owner/name:ref", "owner/name/more", "owner/na?e", ""])
    expect(wrong).not.toMatch(pattern)
})

test("who deploys takes on the bootstrap's roles in both regions and reads what the Worker is given; who looks sees no contents", () => {
  const ours = "{region}:{accountid}"
  const secret = (name: string) => `arn:{partition}:secretsmanager:${ours}:secret:hotswap/prod/${name}-??????`
  const roles = ["deploy", "file-publishing", "lookup"].flatMap((name) =>
    ["{region}", "eu-west-1"].map((region) => `cdk-hnb659fds-${name}-role-{accountid}-${region}`),
  )
  const { DeployRole, WatchRole } = allowedTo(resourcesOf("Hotswap-prod-pipeline"))
  expect(DeployRole).toEqual(
    [
      ...roles.map((name) => `sts:AssumeRole on arn:{partition}:iam::{accountid}:role/${name}`),
      ...["edge", "edge-key", "reader-keys", "redis"].map(
        (name) => `secretsmanager:GetSecretValue on ${secret(name)}`,
      ),
      `kms:Decrypt on arn:{partition}:kms:${ours}:key/* if kms:ViaService is secretsmanager.{region}.amazonaws.com if kms:EncryptionContext:SecretARN is ${secret("edge-key")}`,
    ].toSorted(),
  )
  const stacksOfStage = "arn:{partition}:cloudformation:*:{accountid}:stack/Hotswap-prod*/*"
  expect(WatchRole?.filter((line) => !line.startsWith("NOT "))).toEqual(
    ["DetectStackDrift", "DetectStackResourceDrift"].map(
      (name) => `cloudformation:${name} on ${stacksOfStage}`,
    ),
  )
  for (const contents of [
    "s3:GetObject",
    "secretsmanager:GetSecretValue",
    "kms:Decrypt",
    "sqs:ReceiveMessage",
  ])
    expect(WatchRole).toContain(`NOT ${contents} on *`)
})
