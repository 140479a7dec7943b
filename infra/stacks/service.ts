import { Duration, RemovalPolicy, Stack } from "aws-cdk-lib"
import { Rule, RuleTargetInput, Schedule } from "aws-cdk-lib/aws-events"
import { LambdaFunction } from "aws-cdk-lib/aws-events-targets"
import { PolicyStatement } from "aws-cdk-lib/aws-iam"
import type { Key } from "aws-cdk-lib/aws-kms"
import { InvokeMode } from "aws-cdk-lib/aws-lambda"
import type { Construct } from "constructs"
import {
  BackupBucket,
  type BackupUse,
  copyNames,
  mayUseBackups,
  mayUseCopies,
} from "../constructs/backup-bucket.ts"
import { BackupQueue } from "../constructs/backup-queue.ts"
import { CheckpointBucket, mayKeepCheckpoints } from "../constructs/checkpoint-bucket.ts"
import { DatabaseUrls } from "../constructs/database-urls.ts"
import { Door } from "../constructs/door.ts"
import { EdgeIdentity } from "../constructs/edge-identity.ts"
import { Handler } from "../constructs/handler.ts"
import { keepOnceMade } from "../constructs/kept.ts"
import { logKey } from "../constructs/log-key.ts"
import { Migrated } from "../constructs/migrated.ts"
import { putIntoNetwork } from "../constructs/network.ts"
import { Observability } from "../constructs/observability.ts"
import { Rollout, rolloutArn } from "../constructs/rollout.ts"
import { StageSecrets } from "../constructs/secrets.ts"
import { keyAlias, mayUseTenantKeys } from "../constructs/tenant-keys.ts"
import type { HandlerName, StageSettings } from "../settings.ts"

/** They ask Redis nothing, so they are not told how. */
const CACHELESS: readonly HandlerName[] = ["migrate", "notify"]

/** What `functions/backup` does by the clock, and how often. */
const BACKUP_CLOCKS: Readonly<Record<string, Duration>> = {
  // What a message that was lost should have woken it for.
  work: Duration.minutes(1),
  plan: Duration.minutes(1),
  imports: Duration.minutes(10),
  retain: Duration.hours(1),
  drill: Duration.days(1),
}

/** The functions of one stage, their doors and their clocks. */
export class ServiceStack extends Stack {
  readonly #settings: StageSettings
  readonly #secrets: StageSecrets
  readonly #urls: DatabaseUrls
  readonly #key: Key
  readonly #backups: BackupBucket
  readonly #checkpoints: CheckpointBucket
  readonly #queue: BackupQueue

  constructor(scope: Construct, settings: StageSettings) {
    super(scope, `Hotswap-${settings.stage}`, {
      description: `Hotswap, ${settings.stage}`,
      terminationProtection: settings.removalPolicy === RemovalPolicy.RETAIN,
    })
    keepOnceMade(this)
    this.#settings = settings
    this.#secrets = new StageSecrets(this, "Secrets", settings.stage)
    this.#urls = new DatabaseUrls(this, "Database", { settings, secrets: this.#secrets })
    this.#key = logKey(this, "Key", {
      description: `Hotswap ${settings.stage}: settings and logs`,
      removalPolicy: settings.removalPolicy,
    })
    this.#backups = new BackupBucket(this, "Backups", { settings })
    const buckets = settings.checkpoints.buckets.map(
      (nth) => new CheckpointBucket(this, `Checkpoints${nth}`, settings),
    )
    this.#checkpoints = buckets.at(-1)!
    this.#queue = new BackupQueue(this, "BackupQueue", { settings })

    const read = this.#handler("Read", "read", {
      ...this.#urls.variables("readUrl"),
      ...this.#verifying(),
      ...this.#startUpToken(),
      ...this.#people(),
    })
    const manage = this.#handler("Manage", "manage", {
      ...this.#urls.variables("appUrl", "systemUrl"),
      ...this.#signing(),
      HOTSWAP_AUDIT_PUBLIC_KEY: this.#secrets.reference("audit-key", "public"),
      ...this.#startUpToken(),
      ...this.#people(),
      ...this.#edge(),
      ...this.#pacing(),
      ...this.#messages(),
      ...this.#sealing(),
      ...this.#managing(),
      ...this.#counting(),
      ...this.#archives(),
      ...this.#waking(),
      ...this.#handingOver(),
    })
    const outcomes = this.#handler("Outcomes", "outcomes", {
      ...this.#urls.variables("appUrl", "systemUrl"),
      ...this.#verifying(),
      ...this.#startUpToken(),
      ...this.#issuers(),
      ...this.#pacing(),
      ...this.#counting(),
    })
    const advance = this.#handler("Advance", "advance", {
      ...this.#urls.variables("appUrl", "systemUrl"),
      ...this.#pacing(),
    })
    const relay = this.#handler("Relay", "relay", {
      ...this.#urls.variables("appUrl", "readUrl", "systemUrl"),
      HOTSWAP_AUDIT_KEY: this.#secrets.reference("audit-key", "private"),
      HOTSWAP_BLOB_BUCKET: this.#checkpoints.bucket.bucketName,
      ...this.#counting(),
      ...this.#sealing(),
      ...this.#archives(),
    })
    const notify = this.#handler("Notify", "notify", {
      ...this.#urls.variables("appUrl", "systemUrl"),
      ...this.#messages(),
      ...this.#sealing(),
    })
    const backup = this.#handler("Backup", "backup", {
      ...this.#urls.variables("appUrl", "systemUrl"),
      HOTSWAP_AUDIT_KEY: this.#secrets.reference("audit-key", "private"),
      ...this.#pacing(),
      ...this.#sealing(),
      ...this.#archives(),
      ...this.#waking(),
      ...this.#handingOver(),
    })

    const router = this.#handler("Router", "router", {
      ...this.#urls.variables("appUrl", "systemUrl"),
      ...this.#verifying(),
      // What speaks to whatever tenants name does not hold what opens every door.
      ...this.#people(),
      ...this.#outbound(),
      ...this.#sealing(),
    })

    // By the role that owns the tables, which no other function has; each has those that it needs.
    const urls = this.#urls.variables("ownerUrl", "appUrl", "readUrl", "systemUrl")
    const migrate = this.#handler("Migrate", "migrate", urls)
    const before = [read, manage, outcomes, advance, relay, notify, backup, router]
    new Migrated(this, "Migrated", { settings, migrate, before })

    const edge = new EdgeIdentity(this, "Edge", { settings, key: this.#key })
    // A view of three full layers, or a change with what was there before, is beyond the 6 MB that Lambda buffers.
    const streamed = InvokeMode.RESPONSE_STREAM
    new Door(this, "ReadDoor", { fn: read.fn, invokeMode: streamed, onlyFor: edge })
    new Door(this, "ManageDoor", { fn: manage.fn, invokeMode: streamed })
    new Door(this, "OutcomesDoor", { fn: outcomes.fn, invokeMode: InvokeMode.BUFFERED, onlyFor: edge })
    // What is asked of a backend takes what its answer takes, and may be of any size.
    new Door(this, "RouterDoor", { fn: router.fn, invokeMode: streamed, onlyFor: edge })
    const rollout = new Rollout(this, "Rollout", { settings, key: this.#key, advance: advance.fn })
    for (const submitter of [manage, backup])
      this.#mayPace(submitter, "states:StartExecution", "states:SendTaskSuccess")
    for (const sealer of [manage, relay, backup]) mayUseTenantKeys(this, settings.stage, sealer, "make")
    for (const opener of [notify, router]) mayUseTenantKeys(this, settings.stage, opener)
    for (const mover of [outcomes, advance]) this.#mayPace(mover, "states:SendTaskSuccess")
    this.#mayArchive(manage, "keep")
    this.#mayArchive(backup, "keep", "remove")
    this.#mayArchive(relay, "remove")
    mayKeepCheckpoints(relay, this.#checkpoints)
    for (const teller of [manage, backup]) this.#queue.mayBeToldBy(teller)
    this.#queue.wakes(backup)
    this.#everyMinute("AdvanceClock", advance)
    this.#everyMinute("RelayClock", relay)
    this.#everyMinute("NotifyClock", notify)
    this.#everyMinute("RouterClock", router, { task: "watch" })
    this.#backupClocks(backup)

    const doors = { read, manage, outcomes }
    // The router's own failures are its runs' that fail: what it answers with is, mostly, what tenants' backends answered.
    const workers = { advance, relay, notify, backup, router }
    const observed = { doors, workers, rollout, queue: this.#queue }
    new Observability(this, "Observability", { settings, key: this.#key, ...observed })
  }

  #handler(id: string, name: HandlerName, environment: Record<string, string>): Handler {
    const settings = this.#settings
    const handler = new Handler(this, id, {
      name,
      settings,
      key: this.#key,
      environment: {
        ...this.#common(),
        ...(CACHELESS.includes(name) ? {} : this.#cache()),
        ...(name === "migrate" ? {} : this.#traces()),
        ...environment,
      },
    })
    if (settings.database.kind === "aurora") putIntoNetwork(handler, settings.stage)
    return handler
  }

  #common(): Record<string, string> {
    return {
      // Names the metrics that the functions tell of themselves.
      HOTSWAP_STAGE: this.#settings.stage,
      HOTSWAP_ENVIRONMENTS: this.#settings.environments.join(","),
      HOTSWAP_CACHE_TTL_SECONDS: String(this.#settings.cacheTtlSeconds),
      // Read by nobody: CloudFormation looks secrets up again only for a function that is otherwise altered.
      HOTSWAP_CREDENTIALS_REVISION: String(this.#settings.credentialsRevision),
    }
  }

  #cache(): Record<string, string> {
    return {
      UPSTASH_REDIS_REST_URL: this.#secrets.reference("redis", "url"),
      UPSTASH_REDIS_REST_TOKEN: this.#secrets.reference("redis", "token"),
    }
  }

  /** Whom spans are told. */
  #traces(): Record<string, string> {
    const { traces } = this.#settings
    if (traces === null) return {}
    return {
      OTEL_EXPORTER_OTLP_ENDPOINT: traces.endpoint,
      OTEL_TRACES_SAMPLER: "parentbased_traceidratio",
      OTEL_TRACES_SAMPLER_ARG: String(traces.ratio),
      ...(traces.hasHeaders
        ? { OTEL_EXPORTER_OTLP_HEADERS: this.#secrets.reference("otlp", "headers") }
        : {}),
    }
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
    const { corsOrigins } = this.#settings
    return {
      ...this.#issuers(),
      ...(corsOrigins.length === 0 ? {} : { HOTSWAP_CORS_ORIGINS: corsOrigins.join(",") }),
    }
  }

  #issuers(): Record<string, string> {
    const { jwtIssuers } = this.#settings
    return jwtIssuers.length === 0 ? {} : { HOTSWAP_JWT_ISSUERS: JSON.stringify(jwtIssuers) }
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

  /** Where this network's own addresses may be named by others. */
  #outbound(): Record<string, string> {
    const { outboundAllow } = this.#settings
    return outboundAllow.length === 0 ? {} : { HOTSWAP_OUTBOUND_ALLOW: outboundAllow.join(",") }
  }

  /** `manage` sends a channel's test message, and refuses mail where there is no server. */
  #messages(): Record<string, string> {
    const { mailFrom, consoleUrl } = this.#settings
    return {
      ...this.#outbound(),
      ...(mailFrom === null ? {} : { SMTP_URL: this.#secrets.reference("smtp", "url"), SMTP_FROM: mailFrom }),
      ...(consoleUrl === null ? {} : { HOTSWAP_CONSOLE_URL: consoleUrl }),
    }
  }

  /** `manage` seals, `notify` opens what messages are sent with, `relay` seals anew and destroys keys. */
  #sealing(): Record<string, string> {
    return { HOTSWAP_KMS_ALIAS: keyAlias(this.#settings.stage) }
  }

  #managing(): Record<string, string> {
    const { eraseAfterDays, managementLimits, trustedDeployments } = this.#settings
    return {
      HOTSWAP_ERASE_AFTER_DAYS: String(eraseAfterDays),
      HOTSWAP_MANAGEMENT_LIMITS: managementLimits ? "on" : "off",
      ...(trustedDeployments.length === 0
        ? {}
        : { HOTSWAP_TRUSTED_DEPLOYMENTS: trustedDeployments.join(",") }),
    }
  }

  /** How long what happens at tenants is kept, and of how many it is told by name. */
  #counting(): Record<string, string> {
    const { eventDays, metricTenants } = this.#settings
    return { HOTSWAP_EVENT_DAYS: String(eventDays), HOTSWAP_METRIC_TENANTS: String(metricTenants) }
  }

  /** What wakes whoever does jobs. */
  #waking(): Record<string, string> {
    return { HOTSWAP_BACKUP_QUEUE_URL: this.#queue.queue.queueUrl }
  }

  /** Where archives are. */
  #archives(): Record<string, string> {
    const { stage, backups } = this.#settings
    return {
      HOTSWAP_BACKUP_BUCKET: this.#backups.bucket.bucketName,
      ...(backups.copyRegion === null
        ? {}
        : {
            HOTSWAP_BACKUP_COPY_BUCKET: copyNames(stage).bucketName,
            HOTSWAP_BACKUP_COPY_REGION: backups.copyRegion,
          }),
    }
  }

  /** What other deployments' archives are opened with, and what they are told this one is called. */
  #handingOver(): Record<string, string> {
    return {
      HOTSWAP_HAND_OVER_KEY: this.#secrets.reference("hand-over", "private"),
      HOTSWAP_DEPLOYMENT_NAME: `hotswap-${this.#settings.stage}`,
    }
  }

  #mayArchive(handler: Handler, ...uses: BackupUse[]): void {
    const { stage, backups } = this.#settings
    mayUseBackups(handler, this.#backups, ...uses)
    if (backups.copyRegion !== null) mayUseCopies(handler, { stage, copyRegion: backups.copyRegion }, ...uses)
  }

  #pacing(): Record<string, string> {
    return { HOTSWAP_STATE_MACHINE_ARN: rolloutArn(this, this.#settings) }
  }

  /** Changes are submitted to `manage` alone; each that moves one tells who waits for that. */
  #mayPace({ fn }: Handler, ...actions: string[]): void {
    fn.addToRolePolicy(new PolicyStatement({ actions, resources: [rolloutArn(this, this.#settings)] }))
  }

  #everyMinute(id: string, handler: Handler, event?: object): void {
    // No retries, neither of the delivery nor of the run: the next minute does the same work and knows more.
    const once = { retryAttempts: 0, maxEventAge: Duration.minutes(1) }
    handler.fn.configureAsyncInvoke(once)
    new Rule(this, id, {
      schedule: Schedule.rate(Duration.minutes(1)),
      targets: [
        new LambdaFunction(handler.fn, {
          ...once,
          ...(event === undefined ? {} : { event: RuleTargetInput.fromObject(event) }),
        }),
      ],
    })
  }

  /** Each says which task it is for. Nothing is repeated at once: the next time knows more. */
  #backupClocks({ fn }: Handler): void {
    const once = { retryAttempts: 0, maxEventAge: Duration.hours(1) }
    fn.configureAsyncInvoke(once)
    for (const [task, every] of Object.entries(BACKUP_CLOCKS))
      new Rule(this, `Backup-${task}`, {
        schedule: Schedule.rate(every),
        targets: [new LambdaFunction(fn, { ...once, event: RuleTargetInput.fromObject({ task }) })],
      })
  }
}
