import { Aws, Stack, Validations } from "aws-cdk-lib"
import { PolicyStatement } from "aws-cdk-lib/aws-iam"
import type { Construct } from "constructs"
import type { Stage, StageSettings } from "../settings.ts"
import type { Handler } from "./handler.ts"
import { WriteOnceBucket } from "./write-once-bucket.ts"

interface BackupBucketProps {
  settings: StageSettings
  /** Where another stack has to know them before they are made; made up otherwise. */
  names?: { bucketName: string; keyAlias: string }
}

/** Archives: what is removed can be brought back for some days more. */
export class BackupBucket extends WriteOnceBucket {
  constructor(scope: Construct, id: string, { settings, names }: BackupBucketProps) {
    const { stage, removalPolicy, backups } = settings
    const { lockDays, lockMode, removedKeptDays } = backups
    const options = { removalPolicy, lockDays, lockMode, removedKeptDays }
    super(scope, id, { ...options, ...names, keeps: `Hotswap ${stage}: archives` })
  }
}

/** The second location's, known in both regions before either is made. */
export const copyNames = (stage: Stage): { bucketName: string; keyAlias: string } => ({
  bucketName: `hotswap-${stage}-backup-copy-${Aws.ACCOUNT_ID}`,
  keyAlias: `hotswap-backups/${stage}-copy`,
})

/** `keep`: write once, read, list. `remove`: list and remove. */
export type BackupUse = "keep" | "remove"

const OF_BUCKET: Record<BackupUse, readonly string[]> = {
  keep: ["s3:ListBucket"],
  remove: ["s3:ListBucket", "s3:ListBucketVersions"],
}
const LOOKS = ["s3:GetObject", "s3:GetObjectVersion", "s3:GetObjectRetention", "s3:GetObjectLegalHold"]
const OF_OBJECTS: Record<BackupUse, readonly string[]> = {
  keep: ["s3:GetObject", "s3:PutObject"],
  remove: [...LOOKS, "s3:DeleteObject"],
}

const unique = (actions: readonly string[]): string[] => [...new Set(actions)]

/** The stack's own bucket: versions are removed for good once they are not locked any more. */
export const mayUseBackups = ({ fn }: Handler, { bucket, key }: BackupBucket, ...uses: BackupUse[]): void => {
  const ofObjects = uses.flatMap((use) => OF_OBJECTS[use])
  const versions = uses.includes("remove") ? ["s3:DeleteObjectVersion"] : []
  fn.addToRolePolicy(
    new PolicyStatement({
      actions: unique(uses.flatMap((use) => OF_BUCKET[use])),
      resources: [bucket.bucketArn],
    }),
  )
  fn.addToRolePolicy(
    new PolicyStatement({
      actions: unique([...ofObjects, ...versions]),
      resources: [bucket.arnForObjects("*")],
    }),
  )
  if (uses.includes("keep"))
    fn.addToRolePolicy(
      new PolicyStatement({ actions: ["kms:GenerateDataKey", "kms:Decrypt"], resources: [key.keyArn] }),
    )
  const id = Stack.of(bucket).getLogicalId(bucket.node.defaultChild as never)
  Validations.of(fn.role!).acknowledge({
    id: `AwsSolutions-IAM5[Resource::<${id}.Arn>/*]`,
    reason: "Every object of that bucket is an archive's, and their names come with what is in them.",
  })
}

/**
 * The bucket in the other region: no function may remove a version there, so that whoever takes one over can hide archives and
 * destroy none before the lifecycle does.
 */
export const mayUseCopies = (
  { fn }: Handler,
  { stage, copyRegion }: { stage: Stage; copyRegion: string },
  ...uses: BackupUse[]
): void => {
  const { bucketName, keyAlias } = copyNames(stage)
  const { partition, account } = Stack.of(fn)
  const arn = `arn:${partition}:s3:::${bucketName}`
  fn.addToRolePolicy(
    new PolicyStatement({ actions: unique(uses.flatMap((use) => OF_BUCKET[use])), resources: [arn] }),
  )
  fn.addToRolePolicy(
    new PolicyStatement({ actions: unique(uses.flatMap((use) => OF_OBJECTS[use])), resources: [`${arn}/*`] }),
  )
  const acknowledge = (resource: string, reason: string): void =>
    Validations.of(fn.role!).acknowledge({ id: `AwsSolutions-IAM5[Resource::${resource}]`, reason })
  acknowledge(
    `arn:<AWS::Partition>:s3:::hotswap-${stage}-backup-copy-<AWS::AccountId>/*`,
    "Every object of that bucket is an archive's, and their names come with what is in them.",
  )
  if (!uses.includes("keep")) return
  fn.addToRolePolicy(
    new PolicyStatement({
      actions: ["kms:GenerateDataKey", "kms:Decrypt"],
      resources: [`arn:${partition}:kms:${copyRegion}:${account}:key/*`],
      conditions: { "ForAnyValue:StringEquals": { "kms:ResourceAliases": `alias/${keyAlias}` } },
    }),
  )
  acknowledge(
    `arn:<AWS::Partition>:kms:${copyRegion}:<AWS::AccountId>:key/*`,
    "A key of another region has no name here before it is made; the condition asks for its alias.",
  )
}
