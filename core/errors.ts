/** Every refusal there is; `error-help.ts` says of each what to do. `docs/errors.md` is held to both by a test. */
export const PROBLEMS = {
  // the request itself
  BODY_NOT_JSON: {
    status: 400,
    title: "The body is not JSON",
  },
  BODY_TOO_LARGE: {
    status: 413,
    title: "The body is too large",
  },
  CONTEXT_TOO_LARGE: {
    status: 400,
    title: "The context is too large",
  },
  ENCODING_UNSUPPORTED: {
    status: 415,
    title: "The body is compressed",
  },
  BODY_INVALID: {
    status: 400,
    title: "The body does not have the expected shape",
  },
  QUERY_INVALID: {
    status: 400,
    title: "A query parameter is not valid",
  },
  JSON_NUL: {
    status: 400,
    title: "A string holds a NUL character",
  },
  JSON_LONE_SURROGATE: {
    status: 400,
    title: "A string holds half a surrogate pair",
  },
  JSON_NUMBER_INEXACT: {
    status: 400,
    title: "A number cannot be held exactly",
  },
  JSON_TOO_DEEP: { status: 400, title: "The JSON is nested too deeply" },
  JSON_TOO_MANY: {
    status: 400,
    title: "The JSON has too many members",
  },
  JSON_DUPLICATE_KEY: {
    status: 400,
    title: "An object names a member twice",
  },
  ROUTE_UNKNOWN: {
    status: 404,
    title: "There is no such route",
  },
  METHOD_NOT_ALLOWED: {
    status: 405,
    title: "The route does not take this method",
  },
  CURSOR_INVALID: {
    status: 400,
    title: "The cursor is not one this list gave out",
  },
  IDEMPOTENCY_KEY_INVALID: {
    status: 400,
    title: "The Idempotency-Key is not valid",
  },
  IDEMPOTENCY_KEY_REUSED: {
    status: 422,
    title: "The Idempotency-Key was used for another request",
  },
  IF_MATCH_INVALID: {
    status: 400,
    title: "If-Match is not an entity tag",
  },
  // who
  UNAUTHENTICATED: {
    status: 401,
    title: "No valid token was sent",
  },
  AUTHENTICATION_LIMITED: {
    status: 429,
    title: "Too many tokens that are not valid",
  },
  ISSUER_UNAVAILABLE: {
    status: 503,
    title: "The keys of the token's issuer could not be had",
  },
  FORBIDDEN: {
    status: 403,
    title: "The token may not do this",
  },
  TENANT_MISMATCH: {
    status: 400,
    title: "X-Tenant-ID contradicts the request",
  },
  TENANT_UNNAMED: {
    status: 400,
    title: "The request does not say which tenant it is about",
  },
  TENANT_SUSPENDED: {
    status: 403,
    title: "The tenant is suspended",
  },
  // what was named
  TENANT_NOT_FOUND: {
    status: 404,
    title: "There is no such tenant",
  },
  CONFIG_NOT_FOUND: {
    status: 404,
    title: "There is no such config",
  },
  FLAG_NOT_FOUND: {
    status: 404,
    title: "There is no such flag",
  },
  VERSION_NOT_FOUND: {
    status: 404,
    title: "The config has no such version",
  },
  CHANGE_NOT_FOUND: {
    status: 404,
    title: "There is no such change",
  },
  TOKEN_NOT_FOUND: {
    status: 404,
    title: "There is no such token",
  },
  VIEW_NOT_FOUND: {
    status: 404,
    title: "There is no such view",
  },
  TENANT_ID_INVALID: {
    status: 400,
    title: "The tenantId is not a slug",
  },
  PERSON_ENGAGED: {
    status: 409,
    title: "The person is still needed",
  },
  ERASURE_UNCONFIRMED: {
    status: 400,
    title: "What cannot be undone has to be named twice",
  },
  ERASURE_NOT_FOUND: {
    status: 404,
    title: "The tenant was not deleted",
  },
  TENANT_EXISTS: {
    status: 409,
    title: "The tenantId is taken",
  },
  EXTERNAL_ID_TAKEN: {
    status: 409,
    title: "The external id belongs to another tenant",
  },
  TIER_UNKNOWN: { status: 400, title: "There is no such tier" },
  ENVIRONMENT_UNKNOWN: {
    status: 400,
    title: "There is no such environment",
  },
  KEY_INVALID: {
    status: 400,
    title: "The key is not valid",
  },
  CONFIG_EXISTS: {
    status: 409,
    title: "The key exists already",
  },
  // what may be stored
  VALUE_TOO_LARGE: {
    status: 422,
    title: "The value is too large",
  },
  RELEASE_TOO_LARGE: {
    status: 422,
    title: "The configuration would be too large",
  },
  FLAG_INVALID: {
    status: 422,
    title: "The flag's definition is not valid",
  },
  SCHEMA_INVALID: {
    status: 422,
    title: "The JSON Schema is not valid",
  },
  SCHEMA_VIOLATION: {
    status: 422,
    title: "A value does not satisfy its JSON Schema",
  },
  SECRET_UNSUPPORTED: {
    status: 422,
    title: "There is no key to seal secrets with",
  },
  SECRET_MARKER: {
    status: 422,
    title: "Only a secret reads as one",
  },
  SECRET_VALUE_NEEDED: {
    status: 422,
    title: "This takes the value of the secret again",
  },
  SECRET_NONE: {
    status: 404,
    title: "The value is not secret",
  },
  SECRET_SHREDDED: {
    status: 410,
    title: "The keys of this tenant's secrets were destroyed",
  },
  SECRET_KEYS_UNAVAILABLE: {
    status: 503,
    title: "The keys of secrets could not be had",
  },
  // change
  VERSION_STALE: {
    status: 412,
    title: "The config has changed since you read it",
  },
  CHANGE_EMPTY: {
    status: 422,
    title: "The change alters nothing",
  },
  CHANGE_CONFLICT: {
    status: 409,
    title: "Something else changed at the same moment",
  },
  CHANGES_TOO_MANY: {
    status: 409,
    title: "Too much is waiting already",
  },
  COMMENTS_TOO_MANY: {
    status: 409,
    title: "There are too many comments",
  },
  CHANGE_STATE: {
    status: 409,
    title: "The change's state does not allow that",
  },
  CHANGE_STEP: {
    status: 409,
    title: "The rollout is at another step",
  },
  CHANGE_BASE_MOVED: {
    status: 409,
    title: "An edited key has changed since",
  },
  CONTENT_HASH_STALE: {
    status: 409,
    title: "The change is not the one you read",
  },
  APPROVAL_OWN: {
    status: 403,
    title: "Nobody approves their own change",
  },
  APPROVAL_RELATED: {
    status: 403,
    title: "The token descends from the author or from another approver",
  },
  APPROVAL_TWICE: {
    status: 409,
    title: "You have approved this change already",
  },
  APPROVAL_ROLE: {
    status: 403,
    title: "The stage that is due asks for another role",
  },
  PROMOTION_BACKWARDS: {
    status: 422,
    title: "Configuration is promoted only to the next environment",
  },
  PROMOTION_EMPTY: {
    status: 422,
    title: "The source environment does not have these keys",
  },
  STRATEGY_INVALID: {
    status: 422,
    title: "The strategy is not valid",
  },
  STRATEGY_UNSUITABLE: {
    status: 422,
    title: "The strategy does not suit this scope",
  },
  SCHEDULE_INVALID: {
    status: 422,
    title: "The start is not valid",
  },
  ROLLBACK_BURIED: {
    status: 409,
    title: "Later changes stand on this one",
  },
  ROLLBACK_WINDOW: {
    status: 409,
    title: "The time to roll this back without approval is over",
  },
  REVIEW_NOT_DUE: {
    status: 409,
    title: "The change awaits no review",
  },
  REVIEW_OVERDUE: {
    status: 409,
    title: "A review is overdue",
  },
  POLICY_INVALID: {
    status: 422,
    title: "The policy is not valid",
  },
  RULE_INVALID: {
    status: 422,
    title: "The rules are not valid",
  },
  RULE_BROKEN: {
    status: 422,
    title: "The configuration would break a rule",
  },
  STRATEGY_FORBIDDEN: {
    status: 422,
    title: "The policy does not allow this strategy",
  },
  CHANGE_FROZEN: {
    status: 409,
    title: "Changes are frozen now",
  },
  BREAK_GLASS_FORBIDDEN: {
    status: 403,
    title: "The policy does not let you break glass",
  },
  APPROVAL_NONE: {
    status: 409,
    title: "There is no approval of yours to withdraw",
  },
  RELEASE_NOT_FOUND: {
    status: 404,
    title: "There is no such release in the history",
  },
  ROLLBACK_NOTHING: {
    status: 409,
    title: "There is nothing to roll back",
  },
  ROLLBACK_POLICY: {
    status: 409,
    title: "A policy is not rolled back without approval",
  },
  SIGNAL_INVALID: {
    status: 400,
    title: "The signal is in none of the forms that are understood",
  },
  SIGNATURE_INVALID: {
    status: 403,
    title: "The signature does not fit the message",
  },
  TOPIC_UNKNOWN: {
    status: 403,
    title: "The policy names no such topic",
  },
  CHANNEL_NOT_FOUND: {
    status: 404,
    title: "There is no such notification channel",
  },
  CHANNEL_INVALID: {
    status: 422,
    title: "The notification channel is not valid",
  },
  CHANNELS_TOO_MANY: {
    status: 409,
    title: "There are too many notification channels",
  },
  CHANNEL_TESTS_TOO_MANY: {
    status: 429,
    title: "There were too many test messages within a minute",
  },
  DELIVERY_NOT_FOUND: {
    status: 404,
    title: "There is no such delivery",
  },
  DELIVERY_NOT_DEAD: {
    status: 409,
    title: "The delivery is not in the dead-letter list",
  },
  ADDRESS_FORBIDDEN: {
    status: 422,
    title: "The address is not one on the public internet",
  },
  CHECKPOINT_NOT_FOUND: {
    status: 404,
    title: "There is no such checkpoint",
  },
  REVISION_UNKNOWN: {
    status: 422,
    title: "The revision was never given out",
  },
  LIMIT_INVALID: {
    status: 422,
    title: "The config is not a limit",
  },
  FEATURE_INVALID: {
    status: 422,
    title: "The config does not switch a tier's feature",
  },
  ENTITLEMENT_MIXED: {
    status: 422,
    title: "What a tenant is granted is changed by itself",
  },
  LIMIT_UNKNOWN: {
    status: 404,
    title: "The action has no limit",
  },
  RATE_LIMITED: {
    status: 429,
    title: "The limit is reached",
  },
  LIMITS_UNAVAILABLE: {
    status: 503,
    title: "Nothing can be counted at the moment",
  },
  AS_OF_INVALID: {
    status: 400,
    title: "asOf is not a time in the past",
  },
  BACKUPS_UNSUPPORTED: {
    status: 422,
    title: "Archives are kept nowhere here",
  },
  HAND_OVER_UNSUPPORTED: {
    status: 422,
    title: "This deployment has no keys to hand tenants over with",
  },
  HAND_OVER_INVALID: {
    status: 422,
    title: "The hand-over is not what was signed",
  },
  HAND_OVER_UNTRUSTED: {
    status: 403,
    title: "The hand-over is not from a deployment that is trusted",
  },
  HAND_OVER_MISADDRESSED: {
    status: 422,
    title: "The hand-over is for another deployment",
  },
  HAND_OVER_STALE: {
    status: 422,
    title: "The hand-over is too old, or from a time to come",
  },
  IMPORT_NOT_FOUND: {
    status: 404,
    title: "There is no such import",
  },
  IMPORT_CONFLICT: {
    status: 409,
    title: "Something else is there under this id",
  },
  IMPORT_INCOMPLETE: {
    status: 409,
    title: "Parts of the archive have not been sent",
  },
  IMPORT_PART_UNKNOWN: {
    status: 404,
    title: "The archive has no such part",
  },
  JOB_NOT_FOUND: {
    status: 404,
    title: "There is no such job",
  },
  JOB_ENDED: {
    status: 409,
    title: "The job has ended already",
  },
  JOBS_TOO_MANY: {
    status: 429,
    title: "Too many jobs are waiting already",
  },
  JOB_GAVE_UP: {
    status: 500,
    title: "The job was given up after several attempts",
  },
  JOB_UNSUPPORTED: {
    status: 501,
    title: "Jobs of this kind are not done here",
  },
  DRILL_FAILED: {
    status: 422,
    title: "An archive that was restored for trial is not what it should be",
  },
  BACKUP_NOT_FOUND: {
    status: 404,
    title: "There is no such backup",
  },
  BACKUP_UNFINISHED: {
    status: 409,
    title: "The backup is still being written",
  },
  BACKUP_HELD: {
    status: 409,
    title: "The backup is held",
  },
  BACKUP_LAST: {
    status: 409,
    title: "It is the last good backup",
  },
  ARCHIVE_NOT_FOUND: {
    status: 404,
    title: "There is no such archive",
  },
  ARCHIVE_DAMAGED: {
    status: 422,
    title: "The archive is not whole",
  },
  ARCHIVE_NEWER: {
    status: 422,
    title: "The archive is of a later format",
  },
  ARCHIVE_TOO_LARGE: {
    status: 422,
    title: "The archive is beyond a limit",
  },
  ARCHIVE_KEY_UNKNOWN: {
    status: 422,
    title: "The archive's key is not one that is here",
  },
  ARCHIVE_INVALID: {
    status: 422,
    title: "The archive holds what no tenant can be made of",
  },
  RESTORE_UNSUITABLE: {
    status: 422,
    title: "The archive cannot be restored like that",
  },
  ARCHIVE_EXISTS: {
    status: 409,
    title: "Another archive has this id",
  },
  DEPLOYMENT_INVALID: {
    status: 422,
    title: "The tenant's deployment is not valid",
  },
  BACKEND_NOT_FOUND: {
    status: 404,
    title: "The tenant has no such backend",
  },
  BACKEND_PATH_FORBIDDEN: {
    status: 403,
    title: "The path is not one that is passed on",
  },
  BACKEND_UNREACHABLE: {
    status: 503,
    title: "No target of the backend could be reached",
  },
  BACKEND_FAILED: {
    status: 502,
    title: "The backend did not answer as it should",
  },
  BACKEND_TIMEOUT: {
    status: 504,
    title: "The backend did not answer in time",
  },
  PROVISIONING_NOT_FOUND: {
    status: 404,
    title: "Nothing was provisioned for the tenant",
  },
  PROVISIONING_STATE: {
    status: 409,
    title: "The provisioning is not at a point where that can be done",
  },
  PLAN_ALTERED: {
    status: 409,
    title: "The plan is not the one that was looked at",
  },
  MOVE_IMPOSSIBLE: {
    status: 422,
    title: "There is nothing that could be brought over",
  },
  TEMPLATE_INVALID: {
    status: 422,
    title: "The template for provisioning is not valid",
  },
  TEMPLATE_INCOMPLETE: {
    status: 409,
    title: "The template for provisioning lacks what the tier asks for",
  },
  // us
  DATABASE_UNAVAILABLE: {
    status: 503,
    title: "The database did not answer in time",
  },
  DEADLINE_EXCEEDED: {
    status: 503,
    title: "The request was not done in time",
  },
  ORIGIN_UNAVAILABLE: {
    status: 503,
    title: "The origin did not answer and nothing is cached",
  },
  PUSH_UNAVAILABLE: {
    status: 503,
    title: "Redis did not take what was to be told",
  },
  STREAMS_TOO_MANY: {
    status: 503,
    title: "No more streams are held open here",
  },
  BLOB_STORE_FULL: {
    status: 507,
    title: "There is no room where archives are kept",
  },
  BLOB_STORE_FORBIDDEN: {
    status: 503,
    title: "Where archives are kept does not let this service in",
  },
  INTERNAL: {
    status: 500,
    title: "Something went wrong on our side",
  },
} as const satisfies Record<string, { status: number; title: string }>

export type ProblemCode = keyof typeof PROBLEMS

export interface FieldError {
  /** A JSON pointer, a parameter name, or a config key. */
  path: string
  message: string
  /** Of a broken rule: its id, whose it is, and all the configs that it is about. */
  rule?: string
  scope?: string
  keys?: readonly string[]
}

/** A refusal: one code, what exactly is wrong, and where. Made into problem+json in one place. */
export class Refusal extends Error {
  readonly code: ProblemCode
  readonly errors: readonly FieldError[]
  /** Members added to the problem document, such as a drafted change. */
  readonly extra: Readonly<Record<string, unknown>>
  /** Fields that the answer goes out with besides those of its code. */
  readonly headers: Readonly<Record<string, string>>

  constructor(
    code: ProblemCode,
    detail: string,
    options: {
      errors?: readonly FieldError[]
      extra?: Readonly<Record<string, unknown>>
      headers?: Readonly<Record<string, string>>
      cause?: unknown
    } = {},
  ) {
    super(detail, { cause: options.cause })
    this.name = "Refusal"
    this.code = code
    this.errors = options.errors ?? []
    this.extra = options.extra ?? {}
    this.headers = options.headers ?? {}
  }
}
