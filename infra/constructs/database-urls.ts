import { Fn } from "aws-cdk-lib"
import { Secret } from "aws-cdk-lib/aws-secretsmanager"
import { Construct } from "constructs"
import type { StageSettings } from "../settings.ts"
import { DATABASE_PORT, exportsOf } from "./network.ts"
import type { StageSecrets } from "./secrets.ts"

export const DATABASE_NAME = "hotswap"
export const OWNER = "hotswap_owner"
export const ROLES = { appUrl: "hotswap_app", readUrl: "hotswap_read", systemUrl: "hotswap_system" } as const

const VARIABLES = {
  ownerUrl: "DATABASE_OWNER_URL",
  appUrl: "DATABASE_URL",
  readUrl: "DATABASE_READ_URL",
  systemUrl: "DATABASE_SYSTEM_URL",
} as const

export type DatabaseUrl = keyof typeof VARIABLES

/** Where the password of a role is kept. */
export const passwordSecret = (stage: string, role: string): string => `hotswap/${stage}/${role}`

/** Amazon's own authorities, beside those that Node knows: databases' certificates are signed by no other. */
const AUTHORITIES = { NODE_EXTRA_CA_CERTS: "/var/runtime/ca-cert.pem" }

/** How the stage's database is reached: by the data stack's address and passwords, or as somebody has put it into the secret `database`. */
export class DatabaseUrls extends Construct {
  readonly #settings: StageSettings
  readonly #secrets: StageSecrets

  constructor(scope: Construct, id: string, props: { settings: StageSettings; secrets: StageSecrets }) {
    super(scope, id)
    this.#settings = props.settings
    this.#secrets = props.secrets
  }

  /** The variables of a function that connects as those. */
  variables(...urls: DatabaseUrl[]): Record<string, string> {
    return {
      ...Object.fromEntries(urls.map((url) => [VARIABLES[url], this.#url(url)])),
      ...(this.#settings.database.kind === "aurora" ? AUTHORITIES : {}),
    }
  }

  #url(url: DatabaseUrl): string {
    const { database, stage } = this.#settings
    if (database.kind === "connection") return this.#secrets.reference("database", url)
    const role = url === "ownerUrl" ? OWNER : ROLES[url]
    const host = Fn.importValue(exportsOf(stage).databaseHost)
    const password = this.#password(passwordSecret(stage, role))
    return `postgres://${role}:${password}@${host}:${DATABASE_PORT}/${DATABASE_NAME}?sslmode=verify-full`
  }

  #password(name: string): string {
    const known = this.node.tryFindChild(name.replaceAll("/", "-"))
    const secret =
      (known as Secret | undefined) ?? Secret.fromSecretNameV2(this, name.replaceAll("/", "-"), name)
    return secret.secretValueFromJson("password").unsafeUnwrap()
  }
}
