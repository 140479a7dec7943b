import { type RemovalPolicy, Stack } from "aws-cdk-lib"
import { ServicePrincipal } from "aws-cdk-lib/aws-iam"
import type { Key } from "aws-cdk-lib/aws-kms"
import type { Construct } from "constructs"
import { ownKey } from "./own-key.ts"

interface LogKeyProps {
  description: string
  removalPolicy: RemovalPolicy
}

/** A key of the stack's own, for its logs among other things: the log service may use it for this account's logs only. */
export const logKey = (scope: Construct, id: string, props: LogKeyProps): Key => {
  const key = ownKey(scope, id, { ...props })
  const stack = Stack.of(scope)
  const ownLogs = stack.formatArn({ service: "logs", resource: "*" })
  key.grantEncryptDecrypt(
    new ServicePrincipal(`logs.${stack.region}.amazonaws.com`, {
      conditions: { ArnLike: { "kms:EncryptionContext:aws:logs:arn": ownLogs } },
    }),
  )
  return key
}
