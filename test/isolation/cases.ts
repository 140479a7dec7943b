import { backupOf, changeOf, configOf, cursorOf, jobOf, type Names, spelled, tokenOf } from "./names.ts"

/** What a place is filled with: by the names of another tenant (or of nothing), and by the asker's own. */
export type Fill = (others: Names, own: Names) => string
/** First the one that readers are bound to. */
const ENVIRONMENTS = ["Production", "Development", "QA", "Staging"]

const quoted = (text: string) => `"${text}"`

/** The asker's own tenant, and every way to name another one. */
export const TENANTS: readonly Fill[] = [
  (_, own) => own.slug,
  ({ slug }) => slug,
  ({ external }) => external,
  ({ slug }) => slug.toUpperCase(),
  ({ slug }) => ` ${slug}`,
  () => "~platform",
]
/** A path may spell a name in another way, or lead to it by a detour. */
const PATHS: readonly Fill[] = [
  ({ slug }) => spelled(slug),
  ({ slug }, own) => `${own.slug}/../${slug}`,
  ({ slug }, own) => `${own.slug}/%2e%2e/${slug}`,
  ({ slug }, own) => `${own.slug}%2f..%2f${slug}`,
  ({ slug }, own) => `${own.slug};tenantId=${slug}`,
]

const CHANGES: readonly Fill[] = [
  ({ changes }, own) => `${own.slug}:chg_${"0".repeat(changes[0]!.length)}`,
  // Live, rolling out, waiting for approval, rejected.
  ...[0, 5, 6, 7].flatMap((index): Fill[] => [
    (others) => changeOf(others, index),
    (others, own) => changeOf({ ...others, slug: own.slug }, index),
  ]),
]
const TOKENS: readonly Fill[] = [
  (others) => tokenOf(others, 0),
  (others) => tokenOf(others, 7),
  (others, own) => tokenOf({ ...others, slug: own.slug }, 4),
]
const BACKUPS: readonly Fill[] = [
  backupOf,
  (others, own) => backupOf({ ...others, slug: own.slug }),
  ({ backup }) => `~platform:bkp_${backup}`,
]
const JOBS: readonly Fill[] = [
  jobOf,
  (others, own) => jobOf({ ...others, slug: own.slug }),
  ({ job }) => `~platform:job_${job}`,
]
const CONFIGS: readonly Fill[] = [
  (_, own) => configOf(own, "Staging", "is.not"),
  (others, own) => configOf(own, "Development", others.key),
  ...ENVIRONMENTS.flatMap((environment): Fill[] => [
    (others) => configOf(others, environment, "limit"),
    (others) => configOf(others, environment, others.key),
  ]),
  (others) => configOf(others, "production", "limit"),
  (others) => configOf(others, "Development", "pin"),
]

/** Every parameter a path may have; one that is not here has no case, and that is a failure. */
export const PATH_PARAMETERS: Readonly<Record<string, readonly (Fill | { raw: Fill })[]>> = {
  tenantId: [...TENANTS, ...PATHS.map((raw) => ({ raw }))],
  configId: CONFIGS,
  changeId: CHANGES,
  tokenId: TOKENS,
  backupId: BACKUPS,
  importId: BACKUPS,
  jobId: JOBS,
  partId: [({ part }) => part, (_, own) => own.part],
  channelId: [({ channel }) => channel, ({ channel }) => channel.toUpperCase()],
  deliveryId: [({ delivery }) => delivery],
  // No tenant here has one, so that nothing is sent anywhere: whose it would be shows before that.
  backend: [() => "metrics"],
  path: [() => "x", { raw: () => "api/v1/query" }, { raw: () => "api/v1/import" }],
  environment: ENVIRONMENTS.map((environment) => () => environment),
  name: [({ slug }) => slug, () => "reference.js"],
  key: [({ key }) => key, (_, own) => own.key, () => "switch"],
  action: [() => "sync_request", ({ slug }) => slug],
}

/** Which list's cursors an operation takes. */
const LISTS: Readonly<Record<string, string>> = {
  listTenants: "tenants",
  listTokens: "tokens",
  listConfigs: "configs",
  listFlags: "flags",
  listVersions: "versions",
  listChanges: "changes",
  listApprovals: "changes",
  listReleases: "releases",
  listAudit: "audit",
  listAuditCheckpoints: "checkpoints",
  listDeliveries: "deliveries",
  listBackups: "backups",
  listJobs: "jobs",
  listAllBackups: "all_backups",
}

/** Every parameter a query may have. Those without a fill name nothing of anybody's. */
export const QUERY_PARAMETERS: Readonly<Record<string, readonly Fill[]>> = {
  tenantId: TENANTS,
  environment: ENVIRONMENTS.map((environment) => () => environment),
  key: [({ key }) => key, () => "limit"],
  prefix: [({ key }) => key],
  preview: [(others) => changeOf(others, 5), (others, own) => changeOf({ ...others, slug: own.slug }, 5)],
  // It decides the arm, whoever's name it is: another name would be another answer.
  targetingKey: [() => "somebody"],
  actor: [({ subject }) => subject],
  target: [(others) => changeOf(others, 1), ({ slug }) => slug, (others) => tokenOf(others, 1)],
  action: [() => "change.submit"],
  arms: [() => "both"],
  asOf: [() => "2999-01-01T00:00:00Z"],
  detail: [() => "full"],
  from: [],
  to: [],
  limit: [() => "1"],
  page: [() => "1"],
  pages: [() => "1"],
  seq: [],
  size: [() => "1"],
  format: [() => "csv"],
  cascade: [() => "true"],
  erase: [() => "now"],
  confirm: [({ slug }) => slug],
  version: [() => "1"],
  state: [],
  origin: [() => "requested"],
  kind: [() => "backup.create"],
  status: [],
  tier: [],
  cursor: [],
  flagConfigEtag: [() => "0.0.0.1"],
  flagConfigLastModified: [() => "1"],
  eventStreams: [() => "none"],
  with: [() => "changes"],
  // Made by nobody, for another's tenant.
  ticket: [({ slug }) => `1.${btoa(JSON.stringify([slug, "Production"]))}.${"0".repeat(64)}`],
}

const REQUIRED_QUERY: Readonly<Record<string, Fill>> = {
  from: () => "1",
  to: () => "1",
  seq: () => "1",
}

/** Fills for one parameter of one operation. */
export const queryFills = (operation: string, name: string, isRequired: boolean): readonly Fill[] => {
  if (name === "cursor") return [(others) => cursorOf(LISTS[operation] ?? operation, others)]
  const fills = QUERY_PARAMETERS[name] ?? []
  const required = isRequired ? REQUIRED_QUERY[name] : undefined
  return required && fills.length === 0 ? [required] : fills
}

/** Headers beside the token and the tenant's. */
export const HEADERS: Readonly<Record<string, readonly Fill[]>> = {
  "idempotency-key": [({ idempotencyKey }) => idempotencyKey],
  "if-match": [() => quoted("1"), () => "*"],
  "if-none-match": [({ view }) => `W/${quoted(view)}`, () => "*"],
  "last-event-id": [() => "0.0.0.1"],
  "hotswap-at-least": [() => "0.0.0.1"],
}

/** Where no name is looked for: what is believed there would be believed of anybody. */
export const UNASKED_HEADERS: Readonly<Record<string, Fill>> = {
  cookie: ({ slug }) => `tenant=${slug}; tenantId=${slug}`,
  "x-tenant": ({ slug }) => slug,
  "hotswap-tenant": ({ slug }) => slug,
  "x-original-url": ({ slug }) => `/api/v1/tenants/${slug}`,
  "x-rewrite-url": ({ slug }) => `/api/v1/tenants/${slug}`,
  "x-forwarded-host": ({ slug }) => `${slug}.example`,
  "x-forwarded-prefix": ({ slug }) => `/api/v1/tenants/${slug}`,
  "hotswap-edge": ({ slug }) => slug,
  baggage: ({ slug }) => `tenant=${slug}`,
}

/** What `X-Tenant-ID` says: nothing, any tenant in any spelling, or two of them. */
export const TENANT_HEADERS: readonly (Fill | null)[] = [
  null,
  ...TENANTS,
  ({ slug }, own) => `${own.slug}, ${slug}`,
]
