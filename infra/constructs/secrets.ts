import { type ISecret, Secret } from "aws-cdk-lib/aws-secretsmanager"
import { Construct } from "constructs"
import type { Stage } from "../settings.ts"

/** Each secret with the fields of its JSON. They are put there once, by hand; this stack only refers to them. */
const SECRETS = {
  /** Only of a stage whose database is made elsewhere. */
  database: ["ownerUrl", "appUrl", "readUrl", "systemUrl"],
  redis: ["url", "token"],
  "reader-keys": ["private", "public"],
  "audit-key": ["private", "public"],
  "hand-over": ["private"],
  edge: ["secret"],
  admin: ["token"],
  smtp: ["url"],
  /** Only of a stage that is traced, where whoever collects spans wants to know who tells them. */
  otlp: ["headers"],
} as const

type SecretName = keyof typeof SECRETS

/** The secrets of a stage, named `hotswap/{stage}/{name}`. */
export class StageSecrets extends Construct {
  readonly #stage: Stage
  readonly #byName = new Map<SecretName, ISecret>()

  constructor(scope: Construct, id: string, stage: Stage) {
    super(scope, id)
    this.#stage = stage
  }

  /**
   * A reference that CloudFormation resolves while deploying, so that no template, repository or build log holds
   * the value and no function needs permission to read secrets. What was altered takes effect with the next deployment
   * that raises `credentialsRevision`.
   */
  reference<Name extends SecretName>(name: Name, field: (typeof SECRETS)[Name][number]): string {
    return this.#secret(name).secretValueFromJson(field).unsafeUnwrap()
  }

  #secret(name: SecretName): ISecret {
    const known = this.#byName.get(name)
    if (known) return known
    const secret = Secret.fromSecretNameV2(this, name, `hotswap/${this.#stage}/${name}`)
    this.#byName.set(name, secret)
    return secret
  }
}
