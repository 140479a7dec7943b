/** Every refusal there is. `docs/errors.md` is held to this table by a test. */
export const PROBLEMS = {
  // the request itself
  BODY_NOT_JSON: {
    status: 400,
    title: "The body is not JSON",
    help: "Send one JSON object; the detail says where reading stopped.",
  },
  BODY_TOO_LARGE: {
    status: 413,
    title: "The body is too large",
    help: "Send at most 6 MiB; split the change into several.",
  },
  BODY_INVALID: {
    status: 400,
    title: "The body does not have the expected shape",
    help: "Each entry of `errors` names a field and what it should be.",
  },
  QUERY_INVALID: {
    status: 400,
    title: "A query parameter is not valid",
    help: "Each entry of `errors` names a parameter and what it should be.",
  },
  JSON_NUL: {
    status: 400,
    title: "A string holds a NUL character",
    help: "Remove U+0000; no database text can hold it.",
  },
  JSON_LONE_SURROGATE: {
    status: 400,
    title: "A string holds half a surrogate pair",
    help: "Send well-formed Unicode: surrogates only in pairs.",
  },
  JSON_NUMBER_INEXACT: {
    status: 400,
    title: "A number cannot be held exactly",
    help: "Send it as a string, or as a number that survives a round trip through a 64-bit float.",
  },
  JSON_TOO_DEEP: { status: 400, title: "The JSON is nested too deeply", help: "Nest at most 64 levels." },
  JSON_DUPLICATE_KEY: {
    status: 400,
    title: "An object names a member twice",
    help: "Keep one; which was meant cannot be told.",
  },
  ROUTE_UNKNOWN: {
    status: 404,
    title: "There is no such route",
    help: "See /docs for the routes there are.",
  },
  METHOD_NOT_ALLOWED: {
    status: 405,
    title: "The route does not take this method",
    help: "The Allow header lists the methods it takes.",
  },
  CURSOR_INVALID: {
    status: 400,
    title: "The cursor is not one this list gave out",
    help: "Start again without a cursor.",
  },
  IDEMPOTENCY_KEY_INVALID: {
    status: 400,
    title: "The Idempotency-Key is not valid",
    help: "Use 1 to 128 printable ASCII characters.",
  },
  IDEMPOTENCY_KEY_REUSED: {
    status: 422,
    title: "The Idempotency-Key was used for another request",
    help: "Use a new key for a new request.",
  },
  IF_MATCH_INVALID: {
    status: 400,
    title: "If-Match is not an entity tag",
    help: 'Send the ETag you were given, for example `If-Match: "3"`.',
  },
  // who
  UNAUTHENTICATED: {
    status: 401,
    title: "No valid token was sent",
    help: "Send `Authorization: Bearer <token>` with a token that has neither expired nor been revoked.",
  },
  FORBIDDEN: {
    status: 403,
    title: "The token may not do this",
    help: "Use a token with one of the roles the detail names.",
  },
  TENANT_MISMATCH: {
    status: 400,
    title: "X-Tenant-ID contradicts the request",
    help: "Name the same tenant in the header as in the path or body, or leave the header out.",
  },
  TENANT_UNNAMED: {
    status: 400,
    title: "The request does not say which tenant it is about",
    help: "The token is for several tenants: name one of them in X-Tenant-ID.",
  },
  TENANT_SUSPENDED: {
    status: 403,
    title: "The tenant is suspended",
    help: "A platform admin can resume it.",
  },
  // what was named
  TENANT_NOT_FOUND: {
    status: 404,
    title: "There is no such tenant",
    help: "Check the tenantId, and that the token is for it.",
  },
  CONFIG_NOT_FOUND: {
    status: 404,
    title: "There is no such config",
    help: "Check the configId; list the tenant's configs to see what there is.",
  },
  VERSION_NOT_FOUND: {
    status: 404,
    title: "The config has no such version",
    help: "List its versions to see which there are.",
  },
  CHANGE_NOT_FOUND: {
    status: 404,
    title: "There is no such change",
    help: "Check the changeId; list the tenant's changes to see what there is.",
  },
  TOKEN_NOT_FOUND: {
    status: 404,
    title: "There is no such token",
    help: "List the tenant's tokens to see which there are.",
  },
  VIEW_NOT_FOUND: {
    status: 404,
    title: "There is no such view",
    help: "Read the pointer document again; it names the views there are.",
  },
  TENANT_ID_INVALID: {
    status: 400,
    title: "The tenantId is not a slug",
    help: "Use 1 to 63 of a-z, 0-9 and dashes, not beginning or ending with a dash.",
  },
  TENANT_EXISTS: {
    status: 409,
    title: "The tenantId is taken",
    help: "Choose another; ids of deleted tenants are not given out again.",
  },
  EXTERNAL_ID_TAKEN: {
    status: 409,
    title: "The external id belongs to another tenant",
    help: "An external id names one tenant; remove it there first.",
  },
  TIER_UNKNOWN: { status: 400, title: "There is no such tier", help: "Use Free, Pro or Enterprise." },
  ENVIRONMENT_UNKNOWN: {
    status: 400,
    title: "There is no such environment",
    help: "The detail lists the environments there are.",
  },
  KEY_INVALID: {
    status: 400,
    title: "The key is not valid",
    help: "Use 1 to 200 letters, digits, dots, dashes and underscores, beginning with a letter or digit.",
  },
  CONFIG_EXISTS: {
    status: 409,
    title: "The key exists already",
    help: "Change it with PUT /api/v1/configs/{configId}.",
  },
  // what may be stored
  VALUE_TOO_LARGE: {
    status: 422,
    title: "The value is too large",
    help: "A value holds at most 256 KiB of JSON.",
  },
  RELEASE_TOO_LARGE: {
    status: 422,
    title: "The configuration would be too large",
    help: "A scope holds at most 10,000 keys and 4 MiB per environment.",
  },
  SCHEMA_INVALID: {
    status: 422,
    title: "The JSON Schema is not valid",
    help: "Send JSON Schema 2020-12 without remote references; the detail says what is wrong.",
  },
  SCHEMA_VIOLATION: {
    status: 422,
    title: "A value does not satisfy its JSON Schema",
    help: "Each entry of `errors` names a key, where in its value, and what is wrong.",
  },
  SECRET_UNSUPPORTED: {
    status: 422,
    title: "Secret values cannot be stored yet",
    help: "Keep the secret where it is and store a reference to it.",
  },
  // change
  VERSION_STALE: {
    status: 412,
    title: "The config has changed since you read it",
    help: "Read it again, look at what changed, and repeat your edit with the new ETag.",
  },
  CHANGE_EMPTY: {
    status: 422,
    title: "The change alters nothing",
    help: "Every key already is as the change would make it.",
  },
  CHANGE_CONFLICT: {
    status: 409,
    title: "Something else changed at the same moment",
    help: "Read again and repeat the request.",
  },
  CHANGES_TOO_MANY: {
    status: 409,
    title: "Too much is waiting already",
    help: "At most 200 changes, and 8 MiB of edits, are open in a scope and environment: approve, reject or cancel some.",
  },
  COMMENTS_TOO_MANY: {
    status: 409,
    title: "There are too many comments",
    help: "A change takes 200; discuss the rest elsewhere, or submit it anew.",
  },
  CHANGE_STATE: {
    status: 409,
    title: "The change is past that",
    help: "The detail names its state; read the change to see what can be done with it.",
  },
  CHANGE_STEP: {
    status: 409,
    title: "The rollout is at another step",
    help: "Read the change again and name the step it is at.",
  },
  CHANGE_BASE_MOVED: {
    status: 409,
    title: "An edited key has changed since",
    help: "`errors` names each key; submit the change again on what is there now.",
  },
  CONTENT_HASH_STALE: {
    status: 409,
    title: "The change is not the one you read",
    help: "Read it again and approve the contentHash it has now.",
  },
  APPROVAL_OWN: {
    status: 403,
    title: "Nobody approves their own change",
    help: "Ask someone else who holds the role.",
  },
  APPROVAL_RELATED: {
    status: 403,
    title: "The token descends from the author or from another approver",
    help: "Approve with a token that somebody else issued.",
  },
  APPROVAL_TWICE: {
    status: 409,
    title: "You have approved this change already",
    help: "Each person counts once; another has to give the next approval.",
  },
  APPROVAL_ROLE: {
    status: 403,
    title: "The stage that is due asks for another role",
    help: "The detail names the role whose approval is due.",
  },
  PROMOTION_BACKWARDS: {
    status: 422,
    title: "Configuration is promoted only to the next environment",
    help: "The detail names the environment that comes next.",
  },
  PROMOTION_EMPTY: {
    status: 422,
    title: "The source environment does not have these keys",
    help: "Promote keys that are stable in the source environment.",
  },
  STRATEGY_INVALID: {
    status: 422,
    title: "The strategy is not valid",
    help: "Shares rise, waves each add somebody, the last wave is everyone; holds are at most a day; at most 20 steps.",
  },
  STRATEGY_UNSUITABLE: {
    status: 422,
    title: "The strategy does not suit this scope",
    help: "Canary and blue-green divide a tenant's subjects; waves divide the tenants of the platform and tiers.",
  },
  SCHEDULE_INVALID: {
    status: 422,
    title: "The start is not valid",
    help: "Start between now and the change's expiry.",
  },
  ROLLBACK_BURIED: {
    status: 409,
    title: "Later changes stand on this one",
    help: "Submit the drafted change in `draft`, which puts the edited keys back.",
  },
  ROLLBACK_WINDOW: {
    status: 409,
    title: "The time to roll this back without approval is over",
    help: "Submit the drafted change in `draft`, which puts the edited keys back.",
  },
  REVIEW_NOT_DUE: {
    status: 409,
    title: "The change awaits no review",
    help: "Only a change that broke glass is reviewed, once, by somebody else.",
  },
  REVIEW_OVERDUE: {
    status: 409,
    title: "A review is overdue",
    help: "Have the change that the detail names reviewed before breaking glass again.",
  },
  POLICY_INVALID: {
    status: 422,
    title: "The policy is not valid",
    help: "Each entry of `errors` names a member and what it should be.",
  },
  STRATEGY_FORBIDDEN: {
    status: 422,
    title: "The policy does not allow this strategy",
    help: "Use one of those the detail names, or have the policy changed.",
  },
  CHANGE_FROZEN: {
    status: 409,
    title: "Changes are frozen now",
    help: "Wait until the time the detail names; breaking glass and rolling back are never frozen.",
  },
  BREAK_GLASS_FORBIDDEN: {
    status: 403,
    title: "The policy does not let you break glass",
    help: "Ask somebody who holds one of the roles the detail names.",
  },
  APPROVAL_NONE: {
    status: 409,
    title: "There is no approval of yours to withdraw",
    help: "Only an approval that was given is taken back, by who gave it.",
  },
  RELEASE_NOT_FOUND: {
    status: 404,
    title: "There is no such release in the history",
    help: "Name a release that was stable in this environment.",
  },
  ROLLBACK_NOTHING: {
    status: 409,
    title: "There is nothing to roll back",
    help: "Readers have that release already.",
  },
  ROLLBACK_POLICY: {
    status: 409,
    title: "A policy is not rolled back without approval",
    help: "Put the policy that you want as a change of its own.",
  },
  SIGNAL_INVALID: {
    status: 400,
    title: "The signal is in none of the forms that are understood",
    help: "Send {source, status, summary}, an Alertmanager webhook, or a notification of SNS.",
  },
  SIGNATURE_INVALID: {
    status: 403,
    title: "The signature does not fit the message",
    help: "Only messages that Amazon SNS has signed are taken without a token.",
  },
  TOPIC_UNKNOWN: {
    status: 403,
    title: "The policy names no such topic",
    help: "Add the ARN of the topic to `snsTopics` of the environment policy.",
  },
  CHANNEL_NOT_FOUND: {
    status: 404,
    title: "There is no such notification channel",
    help: "List them, and check the id.",
  },
  CHANNEL_INVALID: {
    status: 422,
    title: "The notification channel is not valid",
    help: "Each entry of `errors` names a member and what it should be.",
  },
  CHANNELS_TOO_MANY: {
    status: 409,
    title: "There are too many notification channels",
    help: "Delete one that is not needed any more.",
  },
  DELIVERY_NOT_FOUND: {
    status: 404,
    title: "There is no such delivery",
    help: "List them, and check the id.",
  },
  DELIVERY_NOT_DEAD: {
    status: 409,
    title: "The delivery is not in the dead-letter list",
    help: "Only what has been given up is tried again; what is pending is tried by itself.",
  },
  ADDRESS_FORBIDDEN: {
    status: 422,
    title: "The address is not one on the public internet",
    help: "Use a URL whose host resolves to public addresses only.",
  },
  REVISION_UNKNOWN: {
    status: 422,
    title: "The revision was never given out",
    help: "Report the revision that came with the configuration, in Hotswap-Revision, as it came.",
  },
  AS_OF_INVALID: {
    status: 400,
    title: "asOf is not a time in the past",
    help: "Send an ISO 8601 time that is not in the future.",
  },
  // us
  DATABASE_UNAVAILABLE: {
    status: 503,
    title: "The database did not answer in time",
    help: "Nothing is known to have changed; repeat with the same Idempotency-Key.",
  },
  ORIGIN_UNAVAILABLE: {
    status: 503,
    title: "The origin did not answer and nothing is cached",
    help: "Try again shortly.",
  },
  STREAMS_TOO_MANY: {
    status: 503,
    title: "No more streams are held open here",
    help: "Poll meanwhile, and connect again after Retry-After.",
  },
  INTERNAL: {
    status: 500,
    title: "Something went wrong on our side",
    help: "Quote the instance when you report it.",
  },
} as const satisfies Record<string, { status: number; title: string; help: string }>

export type ProblemCode = keyof typeof PROBLEMS

export interface FieldError {
  /** A JSON pointer, a parameter name, or a config key. */
  path: string
  message: string
}

/** A refusal: one code, what exactly is wrong, and where. Made into problem+json in one place. */
export class Refusal extends Error {
  readonly code: ProblemCode
  readonly errors: readonly FieldError[]
  /** Members added to the problem document, such as a drafted change. */
  readonly extra: Readonly<Record<string, unknown>>

  constructor(
    code: ProblemCode,
    detail: string,
    options: {
      errors?: readonly FieldError[]
      extra?: Readonly<Record<string, unknown>>
      cause?: unknown
    } = {},
  ) {
    super(detail, { cause: options.cause })
    this.name = "Refusal"
    this.code = code
    this.errors = options.errors ?? []
    this.extra = options.extra ?? {}
  }
}
