import type { z } from "@hono/zod-openapi"
import type { Principal } from "../../core/access.ts"
import type { EditInput, Submit } from "../../core/change/command.ts"
import { Refusal } from "../../core/errors.ts"
import type { ConfigKey, ScopeId } from "../../core/ids.ts"
import type { Json } from "../../core/json.ts"
import { permit } from "../http/route.ts"
import { misshapen } from "../http/validate.ts"
import type { ManageDeps } from "./deps.ts"
import { changeNamed, environmentNamed, keyNamed } from "./parse.ts"
import { promotionFrom } from "./promotion.ts"
import type { ChangeBody } from "./shapes.ts"
import type { Target } from "./show.ts"

const KEYS_TOLD_MAX = 5

type Wanted = Omit<Submit, "type" | "changeId" | "author">
type EditBody = NonNullable<z.output<typeof ChangeBody>["edits"]>[number]

const deletes = (edit: EditBody): boolean =>
  edit.delete === true &&
  Object.keys(edit).some((name) => !["key", "delete", "ifMatch", "restores"].includes(name))

const editNamed = (edit: EditBody, index: number): EditInput => {
  if (deletes(edit))
    throw misshapen("body", [
      { path: `/edits/${index}`, message: "An edit either deletes or sets: `delete` stands alone." },
    ])
  const { key, value, schema, ...rest } = edit
  return {
    ...rest,
    key: keyNamed(key),
    ...("value" in edit ? { value: value as Json } : {}),
    ...("schema" in edit ? { schema: schema as Json } : {}),
  }
}

const replacesNamed = (text: string | undefined, scope: ScopeId): Pick<Wanted, "replaces"> => {
  if (text === undefined) return {}
  const { changeId, scope: owner } = changeNamed(text)
  if (owner !== scope) throw new Refusal("CHANGE_NOT_FOUND", `There is no change "${text}" of ${scope}.`)
  return { replaces: changeId }
}

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
    strategy,
    approvalRequired,
    comment,
    startAt: startAt === undefined ? undefined : new Date(startAt).toISOString(),
    ...replacesNamed(replaces, target.scope),
  }
  if (!promote) return { edits: edits.map(editNamed), ...settled }
  const from = environmentNamed(promote.from, deps.settings.environments)
  const source = { scope: target.scope, environment: from }
  permit(principal, "config.read", source)
  const promotion = await promotionFrom(deps, source, promote.keys?.map(keyNamed))
  checkAllThere(promotion, promote.keys?.map(keyNamed) ?? [])
  return { ...promotion, ...settled }
}
