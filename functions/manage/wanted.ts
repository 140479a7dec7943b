import type { z } from "@hono/zod-openapi"
import type { EditInput, Submit } from "../../core/change/command.ts"
import { Refusal } from "../../core/errors.ts"
import type { ScopeId } from "../../core/ids.ts"
import type { Json } from "../../core/json.ts"
import type { ManageDeps } from "./deps.ts"
import { changeNamed, environmentNamed, keyNamed } from "./parse.ts"
import { promotionFrom } from "./promotion.ts"
import type { ChangeBody } from "./shapes.ts"
import type { Target } from "./show.ts"

type Wanted = Omit<Submit, "type" | "changeId" | "author">
type EditBody = NonNullable<z.output<typeof ChangeBody>["edits"]>[number]

const deletes = (edit: EditBody): boolean =>
  edit.delete === true &&
  Object.keys(edit).some((name) => !["key", "delete", "ifMatch", "restores"].includes(name))

const editNamed = (edit: EditBody, index: number): EditInput => {
  if (deletes(edit))
    throw new Refusal("BODY_INVALID", "An edit either deletes or sets.", {
      errors: [{ path: `/edits/${index}`, message: "`delete` stands alone." }],
    })
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

/** What the body of a `POST /api/v1/changes` asks for, a promotion's edits read from where they are stable. */
export const wantedOf = async (
  deps: ManageDeps,
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
  const promotion = await promotionFrom(
    deps,
    { scope: target.scope, environment: from },
    promote.keys?.map(keyNamed),
  )
  return { ...promotion, ...settled }
}
