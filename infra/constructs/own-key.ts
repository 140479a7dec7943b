import { Stack } from "aws-cdk-lib"
import { AnyPrincipal, Effect, PolicyStatement } from "aws-cdk-lib/aws-iam"
import { Key, type KeyProps } from "aws-cdk-lib/aws-kms"
import type { Construct } from "constructs"

/**
 * A key that belongs to a stack, renewed each year. Functions may tag the keys that they make for tenants, and by that tag open with
 * them and have them deleted: so no role of any stage may tag this one.
 */
export const ownKey = (scope: Construct, id: string, props: KeyProps): Key => {
  const key = new Key(scope, id, { ...props, enableKeyRotation: true })
  const { partition, account } = Stack.of(scope)
  key.addToResourcePolicy(
    new PolicyStatement({
      effect: Effect.DENY,
      principals: [new AnyPrincipal()],
      actions: ["kms:TagResource", "kms:UntagResource"],
      resources: ["*"],
      // CloudFormation begins a role's name with its stack's.
      conditions: { ArnLike: { "aws:PrincipalArn": `arn:${partition}:iam::${account}:role/Hotswap-*` } },
    }),
  )
  return key
}
