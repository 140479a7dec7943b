import { createHash } from "node:crypto"
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { CustomResource, Duration } from "aws-cdk-lib"
import { Construct } from "constructs"
import type { StageSettings } from "../settings.ts"
import { MIGRATIONS } from "./bundling.ts"
import type { Handler } from "./handler.ts"

/** Past the function's own limit by this much, so that it is the function who says what went wrong. */
const SPARE_SECONDS = 60

/** Changes with each migration, whatever order a disk lists them in. */
const digestOf = (folder: string): string => {
  const digest = createHash("sha256")
  for (const name of readdirSync(folder, { recursive: true, encoding: "utf8" }).toSorted())
    if (/\.(sql|json)$/.test(name))
      digest
        .update(name)
        .update("\0")
        .update(readFileSync(join(folder, name)))
  return digest.digest("hex")
}

interface MigratedProps {
  settings: StageSettings
  migrate: Handler
  /** Their code, and all that leads to it, is altered after the database was. */
  before: readonly Handler[]
}

/**
 * The database, as the stack sees it: brought up to date by a function before any other function gets its new code. Where that
 * fails, the deployment ends there and the functions go on as they were.
 */
export class Migrated extends Construct {
  constructor(scope: Construct, id: string, { settings, migrate, before }: MigratedProps) {
    super(scope, id)
    // Lambda would run what failed a second time, which a deployment that goes back already would have to wait for.
    migrate.fn.configureAsyncInvoke({ retryAttempts: 0 })
    const resource = new CustomResource(this, "Resource", {
      serviceToken: migrate.fn.functionArn,
      resourceType: "Custom::Migrated",
      serviceTimeout: Duration.seconds(settings.functions.migrate.timeoutSeconds + SPARE_SECONDS),
      // Whatever else a deployment alters, the database is asked only when one of these is another.
      properties: { Migrations: digestOf(MIGRATIONS), Credentials: settings.credentialsRevision },
    })
    resource.node.addDependency(migrate.fn)
    for (const { fn } of before) fn.node.addDependency(resource)
  }
}
