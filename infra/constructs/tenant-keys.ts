import { Stack, Validations } from "aws-cdk-lib"
import { PolicyStatement } from "aws-cdk-lib/aws-iam"
import type { Construct } from "constructs"
import type { Stage } from "../settings.ts"
import type { Handler } from "./handler.ts"

/** What the aliases of a stage's keys begin with: one key for each tenant, made by the service when it is first needed. */
export const keyAlias = (stage: Stage): string => `hotswap/${stage}`

const OPENS = ["kms:Decrypt"]
const MAKES = [...OPENS, "kms:Encrypt", "kms:DescribeKey", "kms:ScheduleKeyDeletion"]

/**
 * The keys that tenants' data keys are wrapped by are no resources of a stack: each comes with a tenant and goes with it.
 * What a function may do to keys holds for those that carry this stage's tag, but for naming them, which holds for this stage's names.
 */
export const mayUseTenantKeys = (
  scope: Construct,
  stage: Stage,
  { fn }: Handler,
  may: "open" | "make" = "open",
): void => {
  const stack = Stack.of(scope)
  const keys = stack.formatArn({ service: "kms", resource: "key", resourceName: "*" })
  const aliases = stack.formatArn({ service: "kms", resource: "alias", resourceName: `${keyAlias(stage)}/*` })
  const tagged = { StringEquals: { "aws:ResourceTag/hotswap:keys": keyAlias(stage) } }
  fn.addToRolePolicy(
    new PolicyStatement({
      actions: may === "make" ? MAKES : OPENS,
      resources: [keys],
      conditions: tagged,
    }),
  )
  const named = (resource: string) => `AwsSolutions-IAM5[Resource::${resource}]`
  const arn = "arn:<AWS::Partition>:kms:<AWS::Region>:<AWS::AccountId>"
  const acknowledge = (resource: string, reason: string): void =>
    Validations.of(fn.role!).acknowledge({ id: named(resource), reason })
  acknowledge(
    `${arn}:key/*`,
    "Tenants' keys are made while it runs; the condition asks for this stage's tag, or the alias for its name.",
  )
  if (may === "open") return
  acknowledge(`${arn}:alias/${keyAlias(stage)}/*`, "Each tenant's key has an alias of its own below this.")
  acknowledge("*", "A key has no name before it is made; it has to be made with this stage's tag.")
  // Whatever key it is: a tag may be known for some minutes only after the key is, and one that got no alias would be made again.
  fn.addToRolePolicy(
    new PolicyStatement({ actions: ["kms:CreateAlias", "kms:UpdateAlias"], resources: [aliases, keys] }),
  )
  fn.addToRolePolicy(
    new PolicyStatement({
      actions: ["kms:CreateKey", "kms:TagResource"],
      resources: ["*"],
      conditions: { StringEquals: { "aws:RequestTag/hotswap:keys": keyAlias(stage) } },
    }),
  )
}
