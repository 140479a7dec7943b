import { type App, Validations } from "aws-cdk-lib"
import { AwsSolutionsChecks } from "cdk-nag"
import { SETTINGS, STAGES } from "./settings.ts"
import { BackupCopyStack } from "./stacks/backup-copy.ts"
import { DataStack } from "./stacks/data.ts"
import { ServiceStack } from "./stacks/service.ts"

/** Every stack of every stage, held to the AWS Solutions rules. */
export const addStages = (app: App): void => {
  for (const stage of STAGES) {
    const settings = SETTINGS[stage]
    const service = new ServiceStack(app, settings)
    const { database } = settings
    if (database.kind === "aurora") service.addStackDependency(new DataStack(app, settings, database))
    const { copyRegion } = settings.backups
    if (copyRegion !== null) service.addStackDependency(new BackupCopyStack(app, settings, copyRegion))
  }
  Validations.of(app).addPlugins(new AwsSolutionsChecks(app))
}
