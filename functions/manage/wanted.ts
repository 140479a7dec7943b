import type { z } from "@hono/zod-openapi"
import type { Principal } from "../../core/access.ts"
import type { Strategy } from "../../core/change/change.ts"
import type { EditInput, Submit } from "../../core/change/command.ts"
import type { ScopeState } from "../../core/change/scope-state.ts"
import { Refusal } from "../../core/errors.ts"
import type { ConfigKey, ScopeId } from "../../core/ids.ts"
import { canonical, type Json } from "../../core/json.ts"
import { isMarker } from "../../core/secret/marker.ts"
import { Secret } from "../../core/secret/secret.ts"
import { findVersions } from "../../db/queries/versions.ts"
import { permit } from "../http/route.ts"
import { misshapen } from "../http/validate.ts"
import { promotionFrom } from "../platform/promotion.ts"
import type { ChangeBody } from "./change-shapes.ts"
import type { ManageDeps } from "./deps.ts"
import { changeNamed, environmentNamed, keyNamed, scopeNamed } from "./parse.ts"
import type { Target } from "./show.ts"

const KEYS_TOLD_MAX = 5

type Wanted = Omit<Submit, "type" | "changeId" | "author">
type EditBody = NonNullable<z.output<typeof ChangeBody>["edits"]>[number]

/** What somebody sends is handled as a secret until it is known to be none. */
export const valueNamed = (body: {
  value?: unknown
  secret?: boolean | undefined
}): Pick<EditInput, "value" | "secret"> => ({
  ...("value" in body ? { value: new Secret(body.value as Json) } : {}),
  ...(body.secret === undefined ? {} : { secret: body.secret }),
})

const deletes = (edit: EditBody): boolean =>
  edit.delete === true &&
  Object.keys(edit).some((name) => !["key", "delete", "ifMatch", "restores"].includes(name))

const editNamed = (edit: EditBody, index: number): EditInput => {
  if (deletes(edit))
    throw misshapen("body", [
      { path: `/edits/${index}`, message: "An edit either deletes or sets: `delete` stands alone." },
    ])
  const { key, value: _value, secret: _secret, schema, ...rest } = edit
  return {
    ...rest,
    key: keyNamed(key),
    ...valueNamed(edit),
    ...("schema" in edit ? { schema: schema as Json } : {}),
  }
}

const replacesNamed = (text: string | undefined, scope: ScopeId): Pick<Wanted, "replaces"> => {
  if (text === undefined) return {}
  const { changeId, scope: owner } = changeNamed(text)
  if (owner !== scope) throw new Refusal("CHANGE_NOT_FOUND", `There is no change "${text}" of ${scope}.`)
  return { replaces: changeId }
}

/** The scope × environment that the body of a change names. */
export const targetOfBody =
  (deps: ManageDeps) =>
  async ({ body }: { body: { tenantId: string; environment: string } }, principal: Principal) => ({
    scope: await scopeNamed(body.tenantId, principal, deps.findExternal),
    environment: environmentNamed(body.environment, deps.settings.environments),
  })

/** Throws CHANGE_NOT_FOUND or CHANGE_STATE for a change that cannot be replaced: it was never there, or it started. */
export const checkReplaced =
  ({ replaces }: Pick<Wanted, "replaces">) =>
  ({ changes }: ScopeState): void => {
    if (replaces === undefined) return
    const replaced = changes.get(replaces)
    if (!replaced) throw new Refusal("CHANGE_NOT_FOUND", `There is no change "${replaces}" here.`)
    const { state } = replaced.status
    if (state !== "awaiting_approval" && state !== "scheduled")
      throw new Refusal(
        "CHANGE_STATE",
        `${replaces} is ${state.replaceAll("_", " ")}; only a change that has not started is replaced.`,
      )
  }

const RESTORABLE = ["value", "schema", "description", "owner"] as const

/**
 * An edit that says it restores a version has to be that version as far as it says anything: the history would tell a
 * lie. A secret comes back with its schema. Throws BODY_INVALID.
 */
const checkRestored = async (
  { db }: ManageDeps,
  { scope, environment }: Target,
  edits: readonly EditInput[],
): Promise<readonly EditInput[]> => {
  const wanted = edits.flatMap(({ key, restores }) =>
    restores === undefined ? [] : [{ key, version: restores }],
  )
  if (wanted.length === 0) return edits
  const found = await findVersions(db, scope, environment, wanted)
  const versions = new Map(found.map((version) => [version.key, version.edit]))
  const errors = edits.flatMap((edit, index) => {
    if (edit.restores === undefined) return []
    const version = versions.get(edit.key)
    const isSame =
      version !== undefined &&
      (edit.value === undefined) === (version.value === undefined) &&
      (edit.locked ?? version.locked ?? false) === (version.locked ?? false) &&
      RESTORABLE.every((name) => edit[name] === undefined || same(bare(edit[name]), version[name]))
    const message = `It is not what version ${edit.restores} of ${edit.key} was.`
    return isSame ? [] : [{ path: `/edits/${index}/restores`, message }]
  })
  if (errors.length > 0) throw misshapen("body", errors)
  // What is sealed is judged by no schema but the one it came with.
  return edits.map((edit) => {
    const version = edit.restores === undefined ? undefined : versions.get(edit.key)
    return isMarker(version?.value) ? { ...edit, schema: version?.schema ?? null } : edit
  })
}

const bare = (said: unknown): unknown => (said instanceof Secret ? said.reveal() : said)

/** `null` is how an edit says that there is none. */
const same = (said: unknown, was: unknown): boolean =>
  canonical(said as Json) === canonical((was ?? null) as Json)

/** Whoever names keys means all of them: promoting some is not what was asked for. Throws PROMOTION_EMPTY. */
const checkAllThere = (
  { edits, promotedFrom }: Awaited<ReturnType<typeof promotionFrom>>,
  named: readonly ConfigKey[],
): void => {
  const there = new Set(edits.map(({ key }) => key))
  const missing = named.filter((key) => !there.has(key))
  if (missing.length > 0)
    throw new Refusal(
      "PROMOTION_EMPTY",
      `${promotedFrom?.environment} does not have ${missing.slice(0, KEYS_TOLD_MAX).join(", ")}${missing.length > KEYS_TOLD_MAX ? ", …" : ""}.`,
      { errors: missing.map((key) => ({ path: key, message: "is not stable there" })) },
    )
}

/**
 * What the body of a `POST /api/v1/changes` asks for, a promotion's edits read from where they are stable. Throws
 * FORBIDDEN for who may not read there.
 */
export const wantedOf = async (
  deps: ManageDeps,
  principal: Principal,
  target: Target,
  body: z.output<typeof ChangeBody>,
): Promise<Wanted> => {
  const { edits = [], promote, strategy, approvalRequired, comment, startAt, replaces } = body
  const settled = {
    // Its tiers and tenants are judged with the plan they make.
    strategy: strategy as Strategy | undefined,
    approvalRequired,
    comment,
    startAt: startAt === undefined ? undefined : new Date(startAt).toISOString(),
    ...replacesNamed(replaces, target.scope),
  }
  if (!promote) {
    return { edits: await checkRestored(deps, target, edits.map(editNamed)), ...settled }
  }
  const from = environmentNamed(promote.from, deps.settings.environments)
  const source = { scope: target.scope, environment: from }
  permit(principal, "config.read", source)
  const promotion = await promotionFrom(deps, source, promote.keys?.map(keyNamed))
  checkAllThere(promotion, promote.keys?.map(keyNamed) ?? [])
  return { ...promotion, ...settled }
}
