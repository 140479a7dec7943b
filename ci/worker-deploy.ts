import type { Cloudflare, Share } from "./cloudflare.ts"
import { pendingMigrations, type Upload, uploadForm } from "./worker-upload.ts"

/** How the new version is tried: which one has to answer, and with what sent along. */
export interface Trial {
  version: string
  headers?: Readonly<Record<string, string>>
  missesMax?: number
}

export interface DeployOptions {
  cloudflare: Cloudflare
  upload: Omit<Upload, "namespaceId" | "inheritsFrom">
  /** Throws when the service does not do what it should. */
  smoke: (trial: Partial<Trial>) => Promise<void>
  tell: (line: string) => void
  pause: (ms: number) => Promise<void>
  /** Durable Objects' migrations go to everybody at once, and nothing leads back over one: only if somebody says so. */
  appliesMigrations: boolean
  /** Whoever ends the run wants the old version back, too. */
  signal: AbortSignal
}

/** The new version was not kept; the reason is the cause. */
export class RolledBack extends Error {}

/** Basis: readers in a hundred. The first of them only who asks for the version by its name. */
const SHARES = [0, 10, 100] as const
/** As many trials of a share before the next, and from one to the next. */
const TRIALS_AT_SOME = 6
const TRIAL_PAUSE_MS = 20_000

const WHOLE = 100
/** Seconds, and more: so long it may take until a new host name has its certificate. */
const FIRST_MISSES_MAX = 600
/** Picks a version of those that are deployed, whatever their shares. */
const OVERRIDE_HEADER = "cloudflare-workers-version-overrides"

interface Rollout extends DeployOptions {
  script: string
  form: FormData
  /** What served most of the readers before. */
  stable: string
  /** How often the first trial may be answered by anybody else: where the host name is new, until it has its certificate. */
  missesMax?: number
}

/** In this order always: so a Durable Object that has the new version keeps it as the share grows. */
const sharesOf = (fresh: string, stable: string, percentage: number): Share[] =>
  percentage === WHOLE
    ? [{ version_id: fresh, percentage }]
    : [
        { version_id: fresh, percentage },
        { version_id: stable, percentage: WHOLE - percentage },
      ]

const trialOf = (script: string, version: string, percentage: number): Trial =>
  percentage === WHOLE ? { version } : { version, headers: { [OVERRIDE_HEADER]: `${script}="${version}"` } }

/** What is waited for ends with the run. */
const orAborted = async (signal: AbortSignal, work: () => Promise<void>): Promise<void> => {
  signal.throwIfAborted()
  const aborted = Promise.withResolvers<never>()
  const abort = (): void => aborted.reject(signal.reason)
  signal.addEventListener("abort", abort, { once: true })
  try {
    await Promise.race([work(), aborted.promise])
  } finally {
    signal.removeEventListener("abort", abort)
  }
}

/** Some readers have it now: it is tried by name, and as they ask, for as long as a share lasts. */
const watch = async ({ smoke, pause, signal }: Rollout, trial: Trial): Promise<void> => {
  for (let round = 0; round < TRIALS_AT_SOME; round++) {
    await orAborted(signal, () => pause(TRIAL_PAUSE_MS))
    await orAborted(signal, () => smoke(trial))
    await orAborted(signal, () => smoke({}))
  }
}

const giveTo = async (rollout: Rollout, fresh: string, percentage: number): Promise<void> => {
  const { cloudflare, script, stable, smoke, tell, signal, missesMax } = rollout
  signal.throwIfAborted()
  await cloudflare.deploy(script, sharesOf(fresh, stable, percentage), `${percentage} % to ${fresh}`)
  const trial = trialOf(script, fresh, percentage)
  const patience = missesMax !== undefined && percentage === SHARES[0] ? { missesMax } : {}
  await orAborted(signal, () => smoke({ ...trial, ...patience }))
  if (percentage > 0 && percentage < WHOLE) await watch(rollout, trial)
  tell(`${percentage} %: well`)
}

const rollBack = async (rollout: Rollout, fresh: string, reason: unknown): Promise<never> => {
  const { cloudflare, script, stable, smoke, tell } = rollout
  tell(`not well: ${reason instanceof Error ? reason.message : String(reason)}`)
  // A secret that came with the new version must not keep the old one away.
  const shares = [{ version_id: stable, percentage: WHOLE }]
  try {
    await cloudflare.deploy(script, shares, `back from ${fresh}`, "force")
  } catch (error) {
    const told = `${fresh} could not be taken back and may serve readers: deploy ${stable} at 100 % by hand`
    throw new AggregateError([reason, error], `${told} (${(error as Error).message})`)
  }
  tell(`rolled back to ${stable}`)
  const after = await smoke({ version: stable }).then(
    () => "does what it should",
    (error: Error) => `has its own trouble: ${error.message}`,
  )
  throw new RolledBack(`the new version was taken back; the one before ${after}`, { cause: reason })
}

const rollOut = async (rollout: Rollout): Promise<void> => {
  const { cloudflare, script, form, tell } = rollout
  const fresh = await cloudflare.uploadVersion(script, form)
  tell(`uploaded ${fresh}; ${rollout.stable} serves`)
  try {
    for (const percentage of SHARES) await giveTo(rollout, fresh, percentage)
  } catch (error) {
    await rollBack(rollout, fresh, error)
  }
}

/** The Worker's first version, or one with a migration: there is no share of it, and no way back. */
const replace = async ({ cloudflare, upload, smoke, tell }: DeployOptions, form: FormData): Promise<void> => {
  const { name, hostname } = upload.config
  await cloudflare.replaceScript(name, form)
  await cloudflare.hide(name)
  await cloudflare.attachDomain(hostname, name)
  const version = (await cloudflare.deployment(name))?.versions[0]?.version_id
  if (version === undefined) throw new Error("Cloudflare does not say which version it deployed")
  tell(`${version} serves ${hostname}`)
  await smoke({ version, missesMax: FIRST_MISSES_MAX })
}

const missing = ({ upload: { config, secrets } }: DeployOptions): string[] =>
  config.secrets.required.filter((name) => !secrets.has(name))

const largest = (versions: readonly Share[]): string | undefined =>
  versions.toSorted((a, b) => b.percentage - a.percentage)[0]?.version_id

/**
 * Uploads the Worker and gives it to its readers: to those who ask for it by name, to 10 %, to all, each time tried.
 * Whatever goes wrong after the upload, the version that served before serves again, and {@link RolledBack} is thrown.
 */
export const deployWorker = async (options: DeployOptions): Promise<void> => {
  const { cloudflare, upload, tell, appliesMigrations } = options
  const { config } = upload
  const before = await cloudflare.deployment(config.name)
  const stable = largest(before?.versions ?? [])
  const absent = missing(options)
  if (stable === undefined && absent.length > 0)
    throw new Error(`there is no version before to take these from: ${absent.join(", ")}`)
  if (absent.length > 0) tell(`as they were: ${absent.join(", ")}`)
  const applied = stable === undefined ? null : await cloudflare.migrationTag(config.name, stable)
  const pending = pendingMigrations(config.migrations, applied)
  if (stable !== undefined && pending !== null && !appliesMigrations)
    throw new Error(
      `migration ${pending.new_tag} of Durable Objects goes to everybody at once and nothing leads back over it: ` +
        "deploy it by itself, with --apply-migration",
    )
  const namespaceId = await cloudflare.namespace(config.namespaceTitle)
  const form = uploadForm({ ...upload, namespaceId, inheritsFrom: stable ?? null }, pending)
  if (stable === undefined || pending !== null) await replace(options, form)
  else {
    await cloudflare.hide(config.name)
    const isNew = await cloudflare.attachDomain(config.hostname, config.name)
    const patience = isNew ? { missesMax: FIRST_MISSES_MAX } : {}
    await rollOut({ ...options, script: config.name, form, stable, ...patience })
  }
  await cloudflare.observe(config.name, config.observability)
}
