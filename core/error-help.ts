import type { ProblemCode } from "./errors.ts"

/** What whoever is refused can do about it. Apart from the table, so that no function has to carry what only pages show. */
export const PROBLEM_HELP: Readonly<Record<ProblemCode, string>> = {
  BODY_NOT_JSON: "Send one JSON object; the detail says where reading stopped.",
  BODY_TOO_LARGE: "Send at most 6 MiB; split the change into several.",
  CONTEXT_TOO_LARGE: "Send at most 256 KiB: what no rule reads need not be sent.",
  ENCODING_UNSUPPORTED: "Send it as it is, without Content-Encoding: nothing is unpacked here.",
  BODY_INVALID: "Each entry of `errors` names a field and what it should be.",
  QUERY_INVALID: "Each entry of `errors` names a parameter and what it should be.",
  JSON_NUL: "Remove U+0000; no database text can hold it.",
  JSON_LONE_SURROGATE: "Send well-formed Unicode: surrogates only in pairs.",
  JSON_NUMBER_INEXACT:
    "Send it as a string, or as a number that survives a round trip through a 64-bit float.",
  JSON_TOO_DEEP: "Nest at most 64 levels.",
  JSON_TOO_MANY:
    "Send at most 50,000 members in an object, and 100,000 in all of them together; split the change into several.",
  JSON_DUPLICATE_KEY: "Keep one; which was meant cannot be told.",
  ROUTE_UNKNOWN: "See /docs for the routes there are.",
  METHOD_NOT_ALLOWED: "The Allow header lists the methods it takes.",
  CURSOR_INVALID: "Start again without a cursor.",
  IDEMPOTENCY_KEY_INVALID: "Use 1 to 128 printable ASCII characters.",
  IDEMPOTENCY_KEY_REUSED: "Use a new key for a new request.",
  IF_MATCH_INVALID: 'Send the ETag you were given, for example `If-Match: "3"`.',
  UNAUTHENTICATED:
    "Send `Authorization: Bearer <token>` with a token that has neither expired nor been revoked.",
  AUTHENTICATION_LIMITED: "Send a valid token, or wait for as long as Retry-After says.",
  ISSUER_UNAVAILABLE: "Try again shortly; the token itself has not been judged.",
  FORBIDDEN: "Use a token with one of the roles the detail names.",
  TENANT_MISMATCH: "Name the same tenant in the header as in the path or body, or leave the header out.",
  TENANT_UNNAMED: "The token is for several tenants: name one of them in X-Tenant-ID.",
  TENANT_SUSPENDED: "A platform admin can resume it.",
  TENANT_NOT_FOUND: "Check the tenantId, and that the token is for it.",
  CONFIG_NOT_FOUND: "Check the configId; list the tenant's configs to see what there is.",
  FLAG_NOT_FOUND: "List the flags; a config that is no flag is at /api/v1/configs.",
  VERSION_NOT_FOUND: "List its versions to see which there are.",
  CHANGE_NOT_FOUND: "Check the changeId; list the tenant's changes to see what there is.",
  TOKEN_NOT_FOUND: "List the tenant's tokens to see which there are.",
  VIEW_NOT_FOUND: "Read the pointer document again; it names the views there are.",
  TENANT_ID_INVALID: "Use 1 to 63 of a-z, 0-9 and dashes, not beginning or ending with a dash.",
  PERSON_ENGAGED: "End or finish the changes that name them first; nobody erases themselves.",
  ERASURE_UNCONFIRMED: "Repeat the tenant's id in `confirm`.",
  ERASURE_NOT_FOUND: "Only a tenant that was deleted is erased.",
  TENANT_EXISTS: "Choose another; ids of deleted tenants are not given out again.",
  EXTERNAL_ID_TAKEN: "An external id names one tenant; remove it there first.",
  TIER_UNKNOWN: "Use Free, Pro or Enterprise.",
  ENVIRONMENT_UNKNOWN: "The detail lists the environments there are.",
  KEY_INVALID:
    "Use 1 to 200 letters, digits, dots, dashes and underscores, beginning with a letter or digit.",
  CONFIG_EXISTS: "Change it with PUT /api/v1/configs/{configId}; a flag takes a key that holds nothing else.",
  VALUE_TOO_LARGE: "A value holds at most 256 KiB of JSON.",
  RELEASE_TOO_LARGE: "A scope holds at most 10,000 keys and 4 MiB per environment.",
  FLAG_INVALID:
    "Each entry of `errors` names a part of it and what it should be; docs/flags.md has the format.",
  SCHEMA_INVALID: "Send JSON Schema 2020-12 without remote references; the detail says what is wrong.",
  SCHEMA_VIOLATION: "Each entry of `errors` names a key, where in its value, and what is wrong.",
  SECRET_UNSUPPORTED:
    "The operator sets HOTSWAP_KEY_DIRECTORY or HOTSWAP_KMS_ALIAS; until then keep the secret where it is.",
  SECRET_MARKER:
    "Send the secret itself with `secret: true`, or a value without a member `$secret`; to bring an earlier secret back, roll back to its version.",
  SECRET_VALUE_NEEDED:
    "Send `value` along: what is sealed is not shown, nor judged by another schema, and what was in plain text is known.",
  SECRET_NONE: "Read the config itself.",
  SECRET_SHREDDED: "Nobody can open them any more; set the values anew under another tenant.",
  SECRET_KEYS_UNAVAILABLE: "Try again shortly; nothing was altered.",
  VERSION_STALE: "Read it again, look at what changed, and repeat your edit with the new ETag.",
  CHANGE_EMPTY: "Every key already is as the change would make it.",
  CHANGE_CONFLICT: "Read again and repeat the request.",
  CHANGES_TOO_MANY:
    "At most 200 changes, and 8 MiB of edits, are open in a scope and environment: approve, reject or cancel some.",
  COMMENTS_TOO_MANY: "A change takes 200; discuss the rest elsewhere, or submit it anew.",
  CHANGE_STATE: "The detail names its state; read the change to see what can be done with it.",
  CHANGE_STEP: "Read the change again and name the step it is at.",
  CHANGE_BASE_MOVED: "`errors` names each key; submit the change again on what is there now.",
  CONTENT_HASH_STALE: "Read it again and approve the contentHash it has now.",
  APPROVAL_OWN: "Ask someone else who holds the role.",
  APPROVAL_RELATED: "Approve with a token that somebody else issued.",
  APPROVAL_TWICE: "Each person counts once; another has to give the next approval.",
  APPROVAL_ROLE: "The detail names the role whose approval is due.",
  PROMOTION_BACKWARDS: "The detail names the environment that comes next.",
  PROMOTION_EMPTY: "Promote keys that are stable in the source environment.",
  STRATEGY_INVALID:
    "Shares rise, waves each add somebody, the last wave is everyone; holds are at most a day; at most 20 steps.",
  STRATEGY_UNSUITABLE:
    "Canary and blue-green divide a tenant's subjects; waves divide the tenants of the platform and tiers.",
  SCHEDULE_INVALID: "Start between now and the change's expiry.",
  ROLLBACK_BURIED: "Submit the drafted change in `draft`, which puts the edited keys back.",
  ROLLBACK_WINDOW: "Submit the drafted change in `draft`, which puts the edited keys back.",
  REVIEW_NOT_DUE: "Only a change that broke glass is reviewed, once, by somebody else.",
  REVIEW_OVERDUE: "Have the change that the detail names reviewed before breaking glass again.",
  POLICY_INVALID: "Each entry of `errors` names a member and what it should be.",
  RULE_INVALID: "Each entry of `errors` names a part of a rule and what it should be.",
  RULE_BROKEN:
    "Each entry of `errors` names a rule, whose it is, and the configs it is about: change those together so that it holds, or have the rule changed.",
  STRATEGY_FORBIDDEN: "Use one of those the detail names, or have the policy changed.",
  CHANGE_FROZEN: "Wait until the time the detail names; breaking glass and rolling back are never frozen.",
  BREAK_GLASS_FORBIDDEN: "Ask somebody who holds one of the roles the detail names.",
  APPROVAL_NONE: "Only an approval that was given is taken back, by who gave it.",
  RELEASE_NOT_FOUND: "Name a release that was stable in this environment.",
  ROLLBACK_NOTHING: "Readers have that release already.",
  ROLLBACK_POLICY: "Put the policy that you want as a change of its own.",
  SIGNAL_INVALID: "Send {source, status, summary}, an Alertmanager webhook, or a notification of SNS.",
  SIGNATURE_INVALID: "Only messages that Amazon SNS has signed are taken without a token.",
  TOPIC_UNKNOWN: "Add the ARN of the topic to `snsTopics` of the environment policy.",
  CHANNEL_NOT_FOUND: "List them, and check the id.",
  CHANNEL_INVALID: "Each entry of `errors` names a member and what it should be.",
  CHANNELS_TOO_MANY: "Delete one that is not needed any more.",
  CHANNEL_TESTS_TOO_MANY: "Try again after Retry-After.",
  DELIVERY_NOT_FOUND: "List them, and check the id.",
  DELIVERY_NOT_DEAD: "Only what has been given up is tried again; what is pending is tried by itself.",
  ADDRESS_FORBIDDEN: "Use a URL whose host resolves to public addresses only.",
  CHECKPOINT_NOT_FOUND:
    "A chain is signed within a minute of growing; ask for sizes up to the latest checkpoint's.",
  REVISION_UNKNOWN: "Report the revision that came with the configuration, in Hotswap-Revision, as it came.",
  LIMIT_INVALID: "Each entry of `errors` names a member of `{max, windowMs}` and what it should be.",
  FEATURE_INVALID: "Set it to `true` or `false`; features of your own have other names.",
  ENTITLEMENT_MIXED: "Submit limits and tier features of a tenant as a change of their own.",
  LIMIT_UNKNOWN: "List the limits, or have the config `limit.<action>` written.",
  RATE_LIMITED: "Come again after Retry-After; `remaining` says how many would fit in now.",
  LIMITS_UNAVAILABLE: "Nothing was decided: let it pass or not, as suits you, and try again shortly.",
  AS_OF_INVALID: "Send an ISO 8601 time that is not in the future.",
  BACKUPS_UNSUPPORTED: "The operator sets HOTSWAP_BACKUP_BUCKET or HOTSWAP_BACKUP_DIRECTORY.",
  HAND_OVER_UNSUPPORTED:
    "The operator sets HOTSWAP_HAND_OVER_KEY, and HOTSWAP_AUDIT_KEY to sign with; see docs/hand-over.md.",
  HAND_OVER_INVALID: "Download it again from the deployment that made it, and send it as it is.",
  HAND_OVER_UNTRUSTED:
    "Compare the key with GET /api/v1/deployment there, and name it as `trustedSigningKey` or in HOTSWAP_TRUSTED_DEPLOYMENTS.",
  HAND_OVER_MISADDRESSED:
    "Hand the tenant over once more, for the receivingKey that GET /api/v1/deployment gives here.",
  HAND_OVER_STALE: "Hand the tenant over once more; if it is from a time to come, set the clocks right.",
  IMPORT_NOT_FOUND:
    "Begin again with POST /api/v1/backups/imports: what is not completed is removed after a day.",
  IMPORT_CONFLICT:
    "An archive keeps its id for ever, and one that was removed is not taken in again: make another.",
  IMPORT_INCOMPLETE: "Send the parts that `missing` names, then complete it again.",
  IMPORT_PART_UNKNOWN: "Name only parts that the manifest names, by their ids.",
  DRILL_FAILED:
    "Have the archives that it names validated, make new backups of those tenants, and find out why before the old ones go: see docs/runbooks/drill-failed.md.",
  BACKUP_NOT_FOUND:
    "List the tenant's backups, and check the id; one that was asked for is there once its job has begun.",
  BACKUP_UNFINISHED: "Wait for its job to end, or cancel that.",
  BACKUP_HELD: "Take the hold off first: PATCH it with `held: false`.",
  BACKUP_LAST: "Make another backup, and have it validated, before this one is deleted.",
  JOB_NOT_FOUND:
    "List the jobs of the tenant, and check the id; what ended more than 90 days ago is forgotten.",
  JOB_ENDED: "Look at its state: there is nothing left to cancel.",
  JOBS_TOO_MANY: "Wait until some have ended, or cancel some.",
  JOB_GAVE_UP:
    "Ask for it again; where it is given up again, the log has each attempt's reason under the job's id.",
  JOB_UNSUPPORTED: "This version does not know the work: update it, and ask for it again.",
  ARCHIVE_NOT_FOUND: "List the backups to see which there are.",
  ARCHIVE_DAMAGED:
    "The detail says what and where. Use another archive, or another copy of this one; a new backup without reuse stores everything again.",
  ARCHIVE_NEWER: "A later Hotswap made it: take it in with that one.",
  ARCHIVE_TOO_LARGE: "The detail names the limit; docs/archive-format.md lists them all.",
  ARCHIVE_KEY_UNKNOWN:
    "Put back the keys of the deployment that made it; an archive for this deployment is made with `migrate {target}`.",
  ARCHIVE_INVALID:
    "It is sealed well and was made wrongly, or altered before: `errors` names the row. Take an earlier archive; under another id the audit is not looked at.",
  RESTORE_UNSUITABLE: "The detail says which way leads there. What an archive becomes: docs/clone.md.",
  ARCHIVE_EXISTS: "Archives are never replaced: it was taken in before, or its id is another's.",
  DEPLOYMENT_INVALID:
    "Each entry of `errors` names a part of it and what it should be; docs/deployments.md has the format.",
  BACKEND_NOT_FOUND: "PUT /api/v1/tenants/{tenantId}/deployments sets the tenant's backends.",
  BACKEND_PATH_FORBIDDEN:
    "See docs/deployments.md for what is passed on; what administers a backend is done at the backend itself.",
  BACKEND_UNREACHABLE:
    "Nothing was sent: repeat it. GET /api/v1/tenants/{tenantId}/health says how the targets are.",
  BACKEND_FAILED: "A query may be repeated; whether a write has taken effect is not known.",
  BACKEND_TIMEOUT:
    "Ask for less, or raise the backend's `timeoutMs`; whether a write has taken effect is not known.",
  PROVISIONING_NOT_FOUND: "POST /api/v1/tenants/{tenantId}/provisioning/apply begins one.",
  PROVISIONING_STATE:
    "GET /api/v1/tenants/{tenantId}/provisioning says how far it is; docs/provisioning.md what may be done then.",
  PLAN_ALTERED: "Look at the plan as it is now, and apply it with its `digest`.",
  MOVE_IMPOSSIBLE: "Apply the plan without `move`: the tenant has no metrics at another backend of its own.",
  TEMPLATE_INVALID:
    "Each entry of `errors` names a part of it and what it should be; docs/provisioning.md has the format.",
  TEMPLATE_INCOMPLETE: "PUT /api/v1/provisioning-template with the platform's own backends under `shared`.",
  DATABASE_UNAVAILABLE:
    "It may or may not have happened; repeated with the same Idempotency-Key, the answer says which.",
  DEADLINE_EXCEEDED:
    "It may or may not have happened; repeated with the same Idempotency-Key, the answer says which.",
  ORIGIN_UNAVAILABLE: "Try again shortly.",
  PUSH_UNAVAILABLE:
    "Send it again shortly. Until then readers look for themselves: with a stream within 15 seconds, without within 25.",
  STREAMS_TOO_MANY: "Poll meanwhile, and connect again after Retry-After.",
  BLOB_STORE_FULL: "The operator makes room, where the log says; then ask for it again.",
  BLOB_STORE_FORBIDDEN:
    "The operator gives the service the right to write, read, list and remove there; the log says where.",
  INTERNAL: "Quote the instance when you report it.",
}
