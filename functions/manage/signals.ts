import { createHash } from "node:crypto"
import type { Actor, Change } from "../../core/change/change.ts"
import { parseEnvironment } from "../../core/environment.ts"
import { Refusal } from "../../core/errors.ts"
import { parseChangeId, parseScopeId, type TenantId, type TokenId } from "../../core/ids.ts"
import type { JsonObject } from "../../core/json.ts"
import { findChange, listChanges } from "../../db/queries/changes.ts"
import { findTenant } from "../../db/queries/tenants.ts"
import {
  json,
  type Knock,
  permit,
  type Route,
  type RouteReply,
  route,
  tenantNotFound,
} from "../http/route.ts"
import { type Mutation, mutate } from "../platform/mutate.ts"
import type { ManageDeps } from "./deps.ts"
import { actorOf, changeNamed, targetOfPath } from "./parse.ts"
import { changeOf, policyFor } from "./read-changes.ts"
import { ChangePath, EnvironmentPath } from "./shapes.ts"
import type { Target } from "./show.ts"
import { type Raised, raisedBy, raisedByAlarm, SignalBody, SignalShown } from "./signal-forms.ts"
import { looksLikeSns, type SnsMessage, subscribeUrl, verifiedMessage } from "./sns.ts"
import { askedBy } from "./submit.ts"

type Bringer = Pick<Mutation, "idempotency" | "evenSuspended"> & { requestId: string; actor: Actor }

const nothing = (words: string, verdict: Raised["verdict"] | null): RouteReply =>
  json(202, { applied: null, verdict, state: null, words })

const wordsOf = (change: Change | null): string => {
  switch (change?.status.state) {
    case "rolled_back":
      return "The rollout was rolled back: everyone is back on stable."
    case "rolling_out":
      return change.status.paused
        ? "The rollout was paused; it waits for a person to resume it."
        : "It was noted; the rollout goes on."
    default:
      return "It was noted."
  }
}

const shown = (change: Change | null, { verdict }: Raised): JsonObject => ({
  applied: change?.content.changeId ?? null,
  verdict,
  state: change?.status.state ?? null,
  words: wordsOf(change),
})

/** Why an alarm alters nothing although something rolls out. */
const IN_VAIN = {
  healthy: "All is well by that: nothing was altered.",
  hold: "The rollout is held back by that already; nothing was altered.",
  unhealthy: "The rollout is over; nothing was altered.",
} as const satisfies Record<Raised["verdict"], string>

/** Puts an alarm to the change. What does not roll out, or no more, is beyond any alarm: that is no mistake of who brought it. */
const raise = async (
  deps: ManageDeps,
  { content, status }: Change,
  raised: Raised,
  { actor, ...bringer }: Bringer,
): Promise<RouteReply> => {
  const { scope, environment, changeId } = content
  const over = `${changeId} does not roll out; nothing was altered.`
  if (status.state !== "rolling_out") return nothing(over, raised.verdict)
  try {
    const outcome = await mutate(deps, {
      scope,
      environment,
      ...bringer,
      command: { type: "signal", changeId, actor, ...raised },
      keys: [],
      changeId,
      reply: ({ change }) => ({ status: 200, headers: {}, body: shown(change, raised), stamps: [] }),
    })
    if (outcome.kind === "nothing") return nothing(IN_VAIN[raised.verdict], raised.verdict)
    return json(outcome.reply.status, outcome.reply.body)
  } catch (error) {
    if (error instanceof Refusal && error.code === "CHANGE_STATE") return nothing(over, raised.verdict)
    throw error
  }
}

/** The rollout that is running there. */
const runningIn = async (deps: ManageDeps, { scope, environment }: Target): Promise<Change | null> => {
  const [running] = await listChanges(deps.db, scope, { environment, states: ["rolling_out"], limit: 1 })
  return running ?? null
}

const NOTHING_RUNS = "Nothing rolls out there; nothing was altered."

const taken = {
  200: { description: "It was applied to a rollout", schema: SignalShown },
  202: { description: "It was taken, and nothing was altered", schema: SignalShown },
}

const changeRoute = (deps: ManageDeps): Route =>
  route({
    method: "post",
    path: "/api/v1/changes/{changeId}/signals",
    operationId: "signalChange",
    tag: "Signals",
    summary: "An alarm about a change: rolls it back or holds it while it rolls out",
    action: "change.signal",
    params: ChangePath,
    body: SignalBody,
    replies: taken,
    where: ({ params }) => ({ scope: changeNamed(params.changeId).scope, environment: null }),
    run: async ({ params, body, ...asker }) => {
      const change = await changeOf(deps, changeNamed(params.changeId).changeId)
      permit(asker.principal, "change.signal", change.content)
      const raised = raisedBy(body)
      return await raise(deps, change, raised, { ...askedBy(asker), actor: actorOf(asker.principal) })
    },
  })

const environmentRoute = (deps: ManageDeps): Route =>
  route({
    method: "post",
    path: "/api/v1/tenants/{tenantId}/environments/{environment}/signals",
    operationId: "signalEnvironment",
    tag: "Signals",
    summary: "An alarm that knows no change: it is put to whatever rolls out there",
    action: "change.signal",
    params: EnvironmentPath,
    body: SignalBody,
    replies: taken,
    where: targetOfPath(deps),
    run: async ({ body, scope, environment, ...asker }) => {
      const raised = raisedBy(body)
      if (!(await findTenant(deps.db, scope as TenantId))) throw tenantNotFound(scope!)
      const change = await runningIn(deps, { scope: scope!, environment: environment! })
      if (!change) return nothing(NOTHING_RUNS, raised.verdict)
      return await raise(deps, change, raised, { ...askedBy(asker), actor: actorOf(asker.principal) })
    },
  })

/** Where a signed message is for: a change, or whatever rolls out somewhere. `null`: there is no such place. */
interface Addressed extends Target {
  change: Change | null
}
type Address = (deps: ManageDeps, params: Knock["params"]) => Promise<Addressed | null>

const toChange: Address = async (deps, { changeId: text = "" }) => {
  const named = parseChangeId(text)
  const change = named && (await findChange(deps.db, named.scope, named.changeId))
  if (!change) return null
  const { scope, environment } = change.content
  return { scope, environment, change }
}

const toEnvironment: Address = async (deps, { tenantId = "", environment: name = "" }) => {
  const scope = tenantId.includes(":") ? await deps.findExternal(tenantId) : parseScopeId(tenantId)
  const environment = parseEnvironment(name, deps.settings.environments)
  if (!scope || !environment || !(await findTenant(deps.db, scope as TenantId))) return null
  return { scope, environment, change: await runningIn(deps, { scope, environment }) }
}

/** The same for a topic that is not allowed and a place that is not there: a signature alone opens nothing. */
const checkTopic = async (
  deps: ManageDeps,
  { TopicArn }: SnsMessage,
  addressed: Addressed | null,
): Promise<Addressed> => {
  const topics = addressed ? (await policyFor(deps, addressed)).snsTopics : []
  if (!addressed || !topics.includes(TopicArn))
    throw new Refusal("TOPIC_UNKNOWN", `${TopicArn} is not among the policy's topics.`)
  return addressed
}

const sha256 = (...parts: string[]): string => {
  const hash = createHash("sha256")
  for (const part of parts) hash.update(`${Buffer.byteLength(part)}:`).update(part)
  return hash.digest("hex")
}

/** SNS has no token. It delivers a message again when it is in doubt, and others might: each counts once at a place. */
const bringerOf = ({ TopicArn, MessageId }: SnsMessage, knock: Knock): Bringer => ({
  actor: { subject: TopicArn, tokenId: "sns" as TokenId, ancestors: [] },
  requestId: knock.instance,
  idempotency: {
    key: sha256("sns", TopicArn, MessageId, new URL(knock.url).pathname),
    fingerprint: sha256(knock.text),
  },
  evenSuspended: true,
})

const takeSigned = async (
  deps: ManageDeps,
  knock: Knock,
  body: Record<string, unknown>,
  address: Address,
): Promise<RouteReply> => {
  const message = await verifiedMessage(deps.sns, body, deps.clock.nowMs())
  const { change } = await checkTopic(deps, message, await address(deps, knock.params))
  switch (message.Type) {
    case "SubscriptionConfirmation":
      await deps.sns.confirm(subscribeUrl(message))
      return nothing(`The subscription to ${message.TopicArn} is confirmed.`, null)
    case "UnsubscribeConfirmation":
      return nothing(`The subscription to ${message.TopicArn} has ended.`, null)
    case "Notification": {
      const raised = raisedByAlarm(message.Message)
      if (!change) return nothing(NOTHING_RUNS, raised.verdict)
      return await raise(deps, change, raised, bringerOf(message, knock))
    }
  }
}

/** Whoever shows a token is asked for that; SNS, which cannot, for its signature. */
const signedToo = (deps: ManageDeps, bearer: Route, address: Address): Route => ({
  ...bearer,
  handle: async (knock) => {
    const message = knock.header("authorization") === undefined ? looksLikeSns(knock.text) : null
    return message ? await takeSigned(deps, knock, message, address) : await bearer.handle(knock)
  },
})

export const signalRoutes = (deps: ManageDeps): Route[] => [
  signedToo(deps, changeRoute(deps), toChange),
  signedToo(deps, environmentRoute(deps), toEnvironment),
]
