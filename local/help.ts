import { parseArgs } from "node:util"
import { StartError } from "./settings.ts"

/** What `npm start -- --help` says. */
export const HELP = `
  npm start            runs all of Hotswap on this machine; Ctrl-C stops it, what is stored is kept
  npm start -- --help  says this

  It is set up by environment variables, of which none is needed:

  PORT, HOST                   where the edge listens (8787, 127.0.0.1)
  ORIGIN_PORT                  where the functions listen, without the edge (the next one)
  HOTSWAP_HOME                 where data, keys and tokens are kept (.hotswap)
  HOTSWAP_ADMIN_TOKEN          the start-up token, a platform admin (made once, kept)
  HOTSWAP_ENVIRONMENTS         in the order of promotion (Development,QA,Staging,Production)
  HOTSWAP_CACHE_TTL_SECONDS    how long Redis keeps what nobody renews (300)
  HOTSWAP_VIEW_MEMORY_MIB      how much the read function remembers of views (192)
  HOTSWAP_ERASE_AFTER_DAYS     from a tenant's deletion until all of it is destroyed (7)
  HOTSWAP_MANAGEMENT_LIMITS    off: a tenant may manage as often as it likes (on, by its tier)
  HOTSWAP_EVENT_DAYS           how many days events and statistics of tenants are kept (90)
  HOTSWAP_METRIC_TENANTS       how many tenants have metrics under their own name (1000)
  HOTSWAP_PROCESSING           what the operator says in records of processing (nothing)
  HOTSWAP_EDGE_SECRET          what the Worker shows the functions (made once, kept)
  HOTSWAP_READER_KEYS          JWK set with the Ed25519 key that signs reader tokens (made once, kept)
  HOTSWAP_READER_PUBLIC_KEYS   its public half (taken from the above)
  HOTSWAP_AUDIT_KEY            JWK set with the Ed25519 key that signs the audit's checkpoints (made once, kept)
  HOTSWAP_AUDIT_PUBLIC_KEY     its public half (taken from the above)
  HOTSWAP_HAND_OVER_KEY        JWK set with the X25519 keys that open what others hand over (made once, kept)
  HOTSWAP_TRUSTED_DEPLOYMENTS  signing keys of deployments whose tenants are taken in (whoever takes one in says)
  HOTSWAP_DEPLOYMENT_NAME      what other deployments are told this one is called (hotswap)
  HOTSWAP_BLOB_DIRECTORY       a folder for what is written once (blobs, in the home)
  HOTSWAP_BLOB_BUCKET          a bucket for it, in the place of the folder (none)
  HOTSWAP_BLOB_ENDPOINT        what speaks S3 in the place of AWS, such as https://minio.example:9000 (AWS);
                               region and credentials are in the variables that AWS's own tools read
  HOTSWAP_BACKUP_DIRECTORY     a folder for archives of tenants (backups, in the home)
  HOTSWAP_BACKUP_BUCKET, HOTSWAP_BACKUP_REGION
                               a bucket for them, in the place of the folder (none)
  HOTSWAP_BACKUP_COPY_DIRECTORY, HOTSWAP_BACKUP_COPY_BUCKET, HOTSWAP_BACKUP_COPY_REGION
                               where each archive is kept a second time: best another disk, another region (nowhere)
  HOTSWAP_BACKUP_QUEUE_URL     what wakes the function of backups on AWS (the process's own clock)
  HOTSWAP_KEY_DIRECTORY        a folder with the master key of secrets (keys, in the home)
  HOTSWAP_KMS_ALIAS            what the aliases of KMS keys begin with, in its place (none)
  HOTSWAP_JWT_ISSUERS          a list of those whose tokens people may sign in with (none)
  HOTSWAP_CORS_ORIGINS         web pages that may call from a browser, by their exact origins (none)
  HOTSWAP_STAGE                anything: it is deployed, and weak secrets are refused (it is local)
  HOTSWAP_REGION               where this runs: the nearest of tenants' backends is asked first (not known)
  HOTSWAP_OUTBOUND_ALLOW       blocks of addresses that webhooks and backends may be at although they are not public,
                               such as 127.0.0.0/8 for this machine (none)
  HOTSWAP_CONSOLE_URL          where links in messages lead: this service's address, and /# (they have none)
  SMTP_URL, SMTP_FROM          a mail server and who mail is from (no mail is sent)
  OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_EXPORTER_OTLP_HEADERS
                               whom spans are told, such as http://127.0.0.1:4318 (nothing is traced)
  OTEL_TRACES_SAMPLER, OTEL_TRACES_SAMPLER_ARG
                               which traces are recorded, as OpenTelemetry has it (all of them)
  HOTSWAP_STATE_MACHINE_ARN    what paces rollouts on AWS (the process's own clock)
  DATABASE_URL                 a PostgreSQL to migrate and use, as its owner (one of its own)
  DATABASE_OWNER_URL           the owner's, for the function that migrates on AWS (not read here)
  DATABASE_READ_URL, DATABASE_SYSTEM_URL
                               with both, each function has its own role and nothing is migrated
  REDIS_URL                    a Redis server for the local Upstash front to use (the embedded one)
  UPSTASH_REDIS_REST_URL, UPSTASH_REDIS_REST_TOKEN
                               an Upstash database in its place

  More is in the README.
`

/** Whether the arguments ask for help. There are no others: throws StartError. */
export const wantsHelp = (args: string[]): boolean => {
  try {
    return parseArgs({ args, options: { help: { type: "boolean", short: "h" } } }).values.help === true
  } catch (error) {
    throw new StartError(
      `"${args.join(" ")}" is not understood: it is set up by environment variables, see npm start -- --help`,
      { cause: error },
    )
  }
}
