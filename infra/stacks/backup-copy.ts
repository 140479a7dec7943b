import { RemovalPolicy, Stack } from "aws-cdk-lib"
import type { Construct } from "constructs"
import { BackupBucket, copyNames } from "../constructs/backup-bucket.ts"
import { keepOnceMade } from "../constructs/kept.ts"
import type { StageSettings } from "../settings.ts"

/** The second location of a stage's archives, in a region of its own. */
export class BackupCopyStack extends Stack {
  constructor(scope: Construct, settings: StageSettings, region: string) {
    super(scope, `Hotswap-${settings.stage}-backup-copy`, {
      description: `Hotswap, ${settings.stage}: archives, a second time`,
      env: { region },
      terminationProtection: settings.removalPolicy === RemovalPolicy.RETAIN,
    })
    keepOnceMade(this)
    new BackupBucket(this, "Backups", { settings, names: copyNames(settings.stage) })
  }
}
