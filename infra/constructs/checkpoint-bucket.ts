import { Stack, Validations } from "aws-cdk-lib"
import { PolicyStatement } from "aws-cdk-lib/aws-iam"
import type { Construct } from "constructs"
import type { StageSettings } from "../settings.ts"
import type { Handler } from "./handler.ts"
import { WriteOnceBucket } from "./write-once-bucket.ts"

/** Copies of the audit's checkpoints: what the database says was signed is held against them before more is. */
export class CheckpointBucket extends WriteOnceBucket {
  constructor(scope: Construct, id: string, { stage, removalPolicy, checkpoints }: StageSettings) {
    const { lockDays, lockMode } = checkpoints
    super(scope, id, { removalPolicy, lockDays, lockMode, keeps: `Hotswap ${stage}: copies of checkpoints` })
  }
}

/** May write each copy once and read it; who signs has no way to remove one. */
export const mayKeepCheckpoints = ({ fn }: Handler, { bucket, key }: CheckpointBucket): void => {
  const may = (resource: string, ...actions: string[]): void =>
    fn.addToRolePolicy(new PolicyStatement({ actions, resources: [resource] }))
  // Without being able to list, what is not there reads as forbidden.
  may(bucket.bucketArn, "s3:ListBucket")
  may(bucket.arnForObjects("*"), "s3:GetObject", "s3:PutObject")
  may(key.keyArn, "kms:GenerateDataKey", "kms:Decrypt")
  const id = Stack.of(bucket).getLogicalId(bucket.node.defaultChild as never)
  Validations.of(fn.role!).acknowledge({
    id: `AwsSolutions-IAM5[Resource::<${id}.Arn>/*]`,
    reason: "Every object of that bucket is a copy of a checkpoint, and their names come with the chains.",
  })
}
