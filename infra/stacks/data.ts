import { RemovalPolicy, Stack } from "aws-cdk-lib"
import type { Construct } from "constructs"
import { AuroraDatabase } from "../constructs/aurora.ts"
import { keepOnceMade } from "../constructs/kept.ts"
import { logKey } from "../constructs/log-key.ts"
import { Network } from "../constructs/network.ts"
import type { AuroraSettings, StageSettings } from "../settings.ts"

/** What outlives every deployment of the functions: a stage's network, its database and the passwords of its roles. */
export class DataStack extends Stack {
  constructor(scope: Construct, settings: StageSettings, aurora: AuroraSettings) {
    super(scope, `Hotswap-${settings.stage}-data`, {
      description: `Hotswap, ${settings.stage}: network and database`,
      terminationProtection: settings.removalPolicy === RemovalPolicy.RETAIN,
    })
    keepOnceMade(this)
    const key = logKey(this, "Key", {
      description: `Hotswap ${settings.stage}: the database, its backups and passwords`,
      removalPolicy: settings.removalPolicy,
    })
    const network = new Network(this, "Network", { settings, aurora, key })
    new AuroraDatabase(this, "Database", { settings, aurora, network, key })
  }
}
