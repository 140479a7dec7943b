import { Duration, Stack } from "aws-cdk-lib"
import { Rule, Schedule } from "aws-cdk-lib/aws-events"
import { LambdaFunction } from "aws-cdk-lib/aws-events-targets"
import { PolicyStatement, ServicePrincipal } from "aws-cdk-lib/aws-iam"
import { Key } from "aws-cdk-lib/aws-kms"
import { InvokeMode } from "aws-cdk-lib/aws-lambda"
import type { Construct } from "constructs"
import { Door } from "../constructs/door.ts"
import { Handler } from "../constructs/handler.ts"
import { Rollout, rolloutArn } from "../constructs/rollout.ts"
import { StageSecrets } from "../constructs/secrets.ts"
import { keyAlias, mayUseTenantKeys } from "../constructs/tenant-keys.ts"
import type { HandlerName, StageSettings } from "../settings.ts"

const DATABASE_VARIABLES = {
  appUrl: "DATABASE_URL",
  readUrl: "DATABASE_READ_URL",
  systemUrl: "DATABASE_SYSTEM_URL",
} as const

/** The functions of one stage, their doors and their clocks. */
export class ServiceStack extends Stack {
  readonly #settings: StageSettings
  readonly #secrets: StageSecrets
  readonly #key: Key

  constructor(scope: Construct, settings: StageSettings) {
    super(scope, `Hotswap-${settings.stage}`, { description: `Hotswap, ${settings.stage}` })
    this.#settings = settings
    this.#secrets = new StageSecrets(this, "Secrets", settings.stage)
    this.#key = this.#encryptionKey()

    const read = this.#handler("Read", "read", {
      ...this.#database("readUrl"),
      ...this.#verifying(),
      ...this.#startUpToken(),
      ...this.#people(),
    })
    const manage = this.#handler("Manage", "manage", {
      ...this.#database("appUrl", "systemUrl"),
      ...this.#signing(),
      HOTSWAP_AUDIT_PUBLIC_KEY: this.#secrets.reference("audit-key", "public"),
      ...this.#startUpToken(),
      ...this.#people(),
      ...this.#edge(),
      ...this.#pacing(),
      ...this.#messages(),
      ...this.#sealing(),
    })
    const outcomes = this.#handler("Outcomes", "outcomes", {
      ...this.#database("appUrl", "systemUrl"),
      ...this.#readerKeys(),
      ...this.#edge(),
      ...this.#pacing(),
    })
    const advance = this.#handler("Advance", "advance", {
      ...this.#database("appUrl", "systemUrl"),
      ...this.#pacing(),
    })
    const relay = this.#handler("Relay", "relay", {
      ...this.#database("appUrl", "readUrl", "systemUrl"),
      HOTSWAP_AUDIT_KEY: this.#secrets.reference("audit-key", "private"),
      ...this.#sealing(),
    })
    const notify = this.#handler("Notify", "notify", {
      ...this.#database("appUrl", "systemUrl"),
      ...this.#messages(),
      ...this.#sealing(),
    })

    // A view of three full layers, or a change with what was there before, is beyond the 6 MB that Lambda buffers.
    new Door(this, "ReadDoor", read.fn, InvokeMode.RESPONSE_STREAM)
    new Door(this, "ManageDoor", manage.fn, InvokeMode.RESPONSE_STREAM)
    new Door(this, "OutcomesDoor", outcomes.fn, InvokeMode.BUFFERED)
    new Rollout(this, "Rollout", { settings, key: this.#key, advance: advance.fn })
    this.#mayPace(manage, "states:StartExecution", "states:SendTaskSuccess")
    for (const sealer of [manage, relay]) mayUseTenantKeys(this, settings.stage, sealer, "make")
    mayUseTenantKeys(this, settings.stage, notify)
    for (const mover of [outcomes, advance]) this.#mayPace(mover, "states:SendTaskSuccess")
    this.#everyMinute("AdvanceClock", advance)
    this.#everyMinute("RelayClock", relay)
    this.#everyMinute("NotifyClock", notify)
  }

  #handler(id: string, name: HandlerName, environment: Record<string, string>): Handler {
    return new Handler(this, id, {
      name,
      settings: this.#settings,
      key: this.#key,
      environment: { ...this.#common(), ...environment },
    })
  }

  #common(): Record<string, string> {
    return {
      HOTSWAP_ENVIRONMENTS: this.#settings.environments.join(","),
      HOTSWAP_CACHE_TTL_SECONDS: String(this.#settings.cacheTtlSeconds),
      UPSTASH_REDIS_REST_URL: this.#secrets.reference("redis", "url"),
      UPSTASH_REDIS_REST_TOKEN: this.#secrets.reference("redis", "token"),
    }
  }

  /** Each function gets the roles it needs and no other: `read` and `relay` cannot alter configuration. */
  #database(...roles: (keyof typeof DATABASE_VARIABLES)[]): Record<string, string> {
    return Object.fromEntries(
      roles.map((role) => [DATABASE_VARIABLES[role], this.#secrets.reference("database", role)]),
    )
  }

  /** Who reads: the public half of the keys, and what the Worker is known by. */
  #verifying(): Record<string, string> {
    return { ...this.#readerKeys(), ...this.#edge() }
  }

  /** What the Worker is believed by: that it calls, and for whom. */
  #edge(): Record<string, string> {
    return { HOTSWAP_EDGE_SECRET: this.#secrets.reference("edge", "secret") }
  }

  /** Whose word about people is taken, and which pages they may use. */
  #people(): Record<string, string> {
    const { jwtIssuers, corsOrigins } = this.#settings
    return {
      ...(jwtIssuers.length === 0 ? {} : { HOTSWAP_JWT_ISSUERS: JSON.stringify(jwtIssuers) }),
      ...(corsOrigins.length === 0 ? {} : { HOTSWAP_CORS_ORIGINS: corsOrigins.join(",") }),
    }
  }

  #readerKeys(): Record<string, string> {
    return { HOTSWAP_READER_PUBLIC_KEYS: this.#secrets.reference("reader-keys", "public") }
  }

  #signing(): Record<string, string> {
    return { HOTSWAP_READER_KEYS: this.#secrets.reference("reader-keys", "private") }
  }

  #startUpToken(): Record<string, string> {
    return { HOTSWAP_ADMIN_TOKEN: this.#secrets.reference("admin", "token") }
  }

  /** `manage` sends a channel's test message, and refuses mail where there is no server. */
  #messages(): Record<string, string> {
    const { mailFrom, consoleUrl } = this.#settings
    return {
      ...(mailFrom === null ? {} : { SMTP_URL: this.#secrets.reference("smtp", "url"), SMTP_FROM: mailFrom }),
      ...(consoleUrl === null ? {} : { HOTSWAP_CONSOLE_URL: consoleUrl }),
    }
  }

  /** `manage` seals, `notify` opens what messages are sent with, `relay` seals anew and destroys keys. */
  #sealing(): Record<string, string> {
    return { HOTSWAP_KMS_ALIAS: keyAlias(this.#settings.stage) }
  }

  #pacing(): Record<string, string> {
    return { HOTSWAP_STATE_MACHINE_ARN: rolloutArn(this, this.#settings) }
  }

  /** Changes are submitted to `manage` alone; each that moves one tells who waits for that. */
  #mayPace({ fn }: Handler, ...actions: string[]): void {
    fn.addToRolePolicy(new PolicyStatement({ actions, resources: [rolloutArn(this, this.#settings)] }))
  }

  #everyMinute(id: string, handler: Handler): void {
    // No retries, neither of the delivery nor of the run: the next minute does the same work and knows more.
    const once = { retryAttempts: 0, maxEventAge: Duration.minutes(1) }
    handler.fn.configureAsyncInvoke(once)
    new Rule(this, id, {
      schedule: Schedule.rate(Duration.minutes(1)),
      targets: [new LambdaFunction(handler.fn, once)],
    })
  }

  /** Encrypts the functions' settings and logs; the log service may use it for this account's logs only. */
  #encryptionKey(): Key {
    const key = new Key(this, "Key", {
      description: `Hotswap ${this.#settings.stage}: settings and logs`,
      enableKeyRotation: true,
      removalPolicy: this.#settings.removalPolicy,
    })
    const ownLogs = this.formatArn({ service: "logs", resource: "*" })
    key.grantEncryptDecrypt(
      new ServicePrincipal(`logs.${this.region}.amazonaws.com`, {
        conditions: { ArnLike: { "kms:EncryptionContext:aws:logs:arn": ownLogs } },
      }),
    )
    return key
  }
}
