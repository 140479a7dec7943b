import type { Submit } from "../../core/change/command.ts"
import type { ScopeState } from "../../core/change/scope-state.ts"
import { type ConfigKey, changeIdOf, configIdOf, type ScopeId } from "../../core/ids.ts"
import type { JsonObject } from "../../core/json.ts"
import { type Call, json, type RouteReply } from "../http/route.ts"
import { neededChecker } from "../platform/flag-needs.ts"
import { type Decided, type MutatePlatform, mutate, type StampedReply } from "../platform/mutate.ts"
import { policyAfter } from "../platform/policies.ts"
import { actorOf, isPlatformAdmin } from "./parse.ts"
import {
  configOfVersion,
  diffOf,
  etagOf,
  showAffected,
  showChange,
  stableEntries,
  type Target,
} from "./show.ts"

/** Who asks, and under which key and instance: what every mutation takes from its call. */
export type Asker = Pick<Call<unknown, unknown, unknown>, "principal" | "idempotency" | "instance">

export const askedBy = ({ principal, idempotency, instance }: Asker) => ({
  idempotency,
  requestId: instance,
  evenSuspended: isPlatformAdmin(principal),
})

type Wanted = Omit<Submit, "type" | "changeId" | "author" | "mayGrant">
export type SubmitDeps = MutatePlatform & { ids: { uuid(): string } }

export const submission = (deps: SubmitDeps, asker: Asker, scope: ScopeId, wanted: Wanted): Submit => ({
  type: "submit",
  changeId: changeIdOf(scope, deps.ids.uuid()),
  author: actorOf(asker.principal),
  mayGrant: isPlatformAdmin(asker.principal),
  ...wanted,
})

/** The change that a decision is about, with its diff, and what else moved with it. */
export const shownChange = (deps: MutatePlatform, decided: Decided): JsonObject => {
  const change = decided.change
  if (!change) throw new Error("a submission is about a change")
  const keys = change.content.edits.map(({ key }) => key)
  return {
    ...showChange(change, policyAfter(deps, decided)),
    diff: diffOf(change, stableEntries(decided.state, keys)),
    affected: showAffected(decided.result),
  }
}

/** 202 with the change. */
export const accepted = (deps: MutatePlatform, decided: Decided, more: JsonObject = {}): StampedReply => {
  const body = { ...shownChange(deps, decided), ...more }
  return {
    status: 202,
    headers: { location: `/api/v1/changes/${String(body.changeId)}` },
    body,
    stamps: [],
  }
}

/** The config as the change left it where it is live already; else 202 with the change. */
export const editReply =
  (deps: MutatePlatform, target: Target, key: ConfigKey, status: 200 | 201) =>
  (decided: Decided): StampedReply => {
    const row = decided.commit.versions.find((version) => version.key === key)
    if (decided.change?.status.state !== "live" || !row) return accepted(deps, decided)
    const changeId = decided.change.content.changeId
    const configId = configIdOf(target.scope, target.environment, key)
    if (row.edit.value === undefined) return deletedReply(target, key, row.version, changeId)
    return {
      status,
      headers: {
        etag: etagOf(row.version),
        ...(status === 201 ? { location: `/api/v1/configs/${configId}` } : {}),
      },
      body: {
        ...configOfVersion(target, row),
        changeId,
        affected: showAffected(decided.result),
      },
      stamps: ["updatedAt"],
    }
  }

const deletedReply = (target: Target, key: ConfigKey, version: number, changeId: string): StampedReply => ({
  status: 200,
  headers: {},
  body: {
    configId: configIdOf(target.scope, target.environment, key),
    tenantId: target.scope,
    environment: target.environment,
    key,
    version,
    deleted: true,
    changeId,
  },
  stamps: ["updatedAt"],
})

/** Runs a submission through the one path and answers it. */
export const submit = async (
  deps: SubmitDeps,
  asker: Asker,
  target: Target,
  wanted: Wanted,
  reply: (decided: Decided) => StampedReply,
  check?: (state: ScopeState) => void,
): Promise<RouteReply> => {
  const checkNeeded = neededChecker(deps, target, wanted.edits)
  const outcome = await mutate(deps, {
    ...target,
    ...askedBy(asker),
    command: submission(deps, asker, target.scope, wanted),
    keys: wanted.edits.map(({ key }) => key),
    ...(wanted.replaces ? { changeId: wanted.replaces } : {}),
    check: (state) => {
      check?.(state)
      return checkNeeded(state)
    },
    reply,
  })
  if (outcome.kind === "nothing") throw new Error("a submission is never a messenger's")
  return json(outcome.reply.status, outcome.reply.body, { ...outcome.reply.headers })
}
