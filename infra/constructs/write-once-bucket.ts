import { Duration, type RemovalPolicy, Validations } from "aws-cdk-lib"
import { AnyPrincipal, Effect, PolicyStatement } from "aws-cdk-lib/aws-iam"
import type { Key } from "aws-cdk-lib/aws-kms"
import {
  BlockPublicAccess,
  Bucket,
  BucketEncryption,
  ObjectLockRetention,
  ObjectOwnership,
} from "aws-cdk-lib/aws-s3"
import { Construct } from "constructs"
import type { LockMode } from "../settings.ts"
import { ownKey } from "./own-key.ts"

interface WriteOnceBucketProps {
  /** What is in it, for whoever sees its key. */
  keeps: string
  /** Where another stack has to know them before they are made; made up otherwise. */
  bucketName?: string
  keyAlias?: string
  removalPolicy: RemovalPolicy
  lockDays: number
  lockMode: LockMode
  /** How long what was removed can be brought back; absent: for ever. */
  removedKeptDays?: number
}

/** Each object is written once, and nobody can remove a version while it is locked. */
export class WriteOnceBucket extends Construct {
  readonly bucket: Bucket
  /** Of its own: what is in here is worth as much as the key that opens it. */
  readonly key: Key

  constructor(scope: Construct, id: string, props: WriteOnceBucketProps) {
    super(scope, id)
    const { keeps, bucketName, keyAlias, removalPolicy, lockDays, lockMode, removedKeptDays } = props
    const alias = keyAlias === undefined ? {} : { alias: keyAlias }
    this.key = ownKey(this, "Key", { ...alias, description: keeps, removalPolicy })
    const lock = Duration.days(lockDays)
    const removed =
      removedKeptDays === undefined
        ? {}
        : { noncurrentVersionExpiration: Duration.days(removedKeptDays), expiredObjectDeleteMarker: true }
    this.bucket = new Bucket(this, "Bucket", {
      ...(bucketName === undefined ? {} : { bucketName }),
      removalPolicy,
      encryption: BucketEncryption.KMS,
      encryptionKey: this.key,
      bucketKeyEnabled: true,
      blockPublicAccess: BlockPublicAccess.BLOCK_ALL,
      objectOwnership: ObjectOwnership.BUCKET_OWNER_ENFORCED,
      enforceSSL: true,
      minimumTLSVersion: 1.2,
      versioned: true,
      objectLockEnabled: true,
      objectLockDefaultRetention:
        lockMode === "compliance"
          ? ObjectLockRetention.compliance(lock)
          : ObjectLockRetention.governance(lock),
      lifecycleRules: [{ ...removed, abortIncompleteMultipartUploadAfter: Duration.days(1) }],
    })
    this.#refuseWritingOver()
    Validations.of(this.bucket).acknowledge({
      id: "AwsSolutions-S1",
      reason: "Only the functions come here; what they do stands in the audit, and calls in CloudTrail.",
    })
  }

  /** A lock keeps the version that was there, but whoever asks is given the newest: so there is no second one under a name. */
  #refuseWritingOver(): void {
    this.bucket.addToResourcePolicy(
      new PolicyStatement({
        effect: Effect.DENY,
        principals: [new AnyPrincipal()],
        actions: ["s3:PutObject"],
        resources: [this.bucket.arnForObjects("*")],
        // The second leaves the parts of an upload in several alone: only what ends one makes an object.
        conditions: { Null: { "s3:if-none-match": "true" }, Bool: { "s3:ObjectCreationOperation": "true" } },
      }),
    )
  }
}
