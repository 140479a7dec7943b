import type { ConfigKey } from "../../core/ids.ts"
import { chunkIndex, getsCandidate } from "../../core/release/bucket.ts"
import { STALE_HEADER } from "../../core/release/pointer-document.ts"
import { Bounded } from "./bounded.ts"
import { candidateText } from "./difference.ts"
import type { OriginAnswer } from "./origin.ts"
import type { Arm, HeldPointer } from "./pointer.ts"
import type { Reading } from "./pointers.ts"
import type { ViewRequest } from "./route.ts"
import type { Scope } from "./scope.ts"
import type { Caller, ViewContent, Views } from "./views.ts"

/** The body of an answer, or that the view does not have the key. */
export type Body = Uint8Array | "no such key"

export interface Answers {
  /** From what is in memory; `undefined` if something has to be loaded first. */
  fromMemory(scope: Scope, pointer: HeldPointer, arm: Arm, asked: ViewRequest): Body | undefined
  /** Loads what the answer needs of the view, which is one chunk for one key. */
  load(
    scope: Scope,
    pointer: HeldPointer,
    arm: Arm,
    asked: ViewRequest,
    caller: Caller,
  ): Promise<OriginAnswer<Body>>
}

const BODY_MEMORY_BYTES = 24 * 1_048_576
const encoder = new TextEncoder()

/** Which arm the question is answered from. No subject is named: the candidate only at full weight. */
export const armFor = (
  { document, stable, candidate, both }: HeldPointer,
  asked: Pick<ViewRequest, "targetingKey" | "bothArms">,
): Arm => {
  if (asked.bothArms) return both
  if (!candidate || !document.candidate) return stable
  const { changeId, weightBp } = document.candidate
  return getsCandidate(changeId, asked.targetingKey, weightBp) ? candidate : stable
}

const closed = (arm: Arm, rest: string): Uint8Array => encoder.encode(`${arm.opening}${rest}}`)

const memberText = (content: ViewContent, key: ConfigKey): string => {
  const value = content.members.get(key)
  return value === undefined ? "{}" : `{"${key}":${value}}`
}

export const createAnswers = (views: Views): Answers => {
  const bodies = new Bounded<{ arm: Arm; body: Body }>(BODY_MEMORY_BYTES)

  const content = (scope: Scope, arm: Arm, key: ConfigKey | null): ViewContent | undefined =>
    key === null ? views.remembered(scope, { view: arm.view, index: null }) : views.holding(scope, arm, key)

  const whole = (scope: Scope, arm: Arm, name: string, make: () => Body | undefined): Body | undefined => {
    const place = `${scope.name}/${name}`
    const prepared = bodies.get(place)
    // The arm is made anew with every revision, so it alone tells whether the body is still the one to give.
    if (prepared?.arm === arm) return prepared.body
    const body = make()
    if (body !== undefined) bodies.set(place, { arm, body }, body.length + 500)
    return body
  }

  const single = (scope: Scope, arm: Arm, key: ConfigKey): Body | undefined => {
    const holding = content(scope, arm, key)
    if (holding === undefined) return undefined
    return holding.members.has(key) ? closed(arm, memberText(holding, key)) : "no such key"
  }

  /** The arm is `both`, or `stable` where the candidate cannot be had: then it is told that there is none. */
  const both = (scope: Scope, pointer: HeldPointer, arm: Arm, key: ConfigKey | null): Body | undefined => {
    const stable = content(scope, arm, key)
    const candidate =
      arm === pointer.both ? pointer.candidate && content(scope, pointer.candidate, key) : null
    if (stable === undefined || candidate === undefined) return undefined
    if (key !== null && !stable.members.has(key) && !candidate?.members.has(key)) return "no such key"
    const configs = key === null ? stable.text : memberText(stable, key)
    const difference = candidate === null ? "null" : candidateText(pointer.document, stable, candidate, key)
    return closed(arm, `${configs},"candidate":${difference}`)
  }

  const fromMemory: Answers["fromMemory"] = (scope, pointer, arm, { key, bothArms }) => {
    if (key !== null) return bothArms ? both(scope, pointer, arm, key) : single(scope, arm, key)
    if (bothArms) return whole(scope, arm, "both", () => both(scope, pointer, arm, null))
    return whole(scope, arm, arm.name, () => {
      const holding = content(scope, arm, null)
      return holding && closed(arm, holding.text)
    })
  }

  return {
    fromMemory,
    load: async (scope, pointer, arm, asked, caller) => {
      const arms = arm === pointer.both && pointer.candidate ? [pointer.stable, pointer.candidate] : [arm]
      const loads = arms.map(({ view, bits }) => {
        const index = asked.key !== null && bits > 0 ? chunkIndex(asked.key, bits) : null
        return views.load(scope, { view, index }, caller)
      })
      const failure = (await Promise.all(loads)).find((loaded) => typeof loaded === "string")
      return failure ?? fromMemory(scope, pointer, arm, asked) ?? "unreachable"
    },
  }
}

const names = (header: string, etag: string): boolean => {
  const bare = etag.slice(2)
  return header.split(",").some((tag) => {
    const trimmed = tag.trim()
    return trimmed === "*" || trimmed === etag || trimmed === bare
  })
}

/** Does the client have this answer already? Weak comparison, as RFC 9110 §13.1.2 asks. */
export const isKnown = (ifNoneMatch: string | null, etag: string): boolean =>
  ifNoneMatch !== null && (ifNoneMatch === etag || names(ifNoneMatch, etag))

/** 200 with a body, 304 without. An answer beyond the stated bound says how old it is, in seconds. */
export const viewResponse = (arm: Arm, { staleMs }: Reading, body: Uint8Array | null): Response => {
  let headers = body === null ? arm.notModified : arm.headers
  if (staleMs !== null) {
    headers = new Headers(headers)
    headers.set(STALE_HEADER, String(Math.floor(staleMs / 1_000)))
  }
  return body === null
    ? new Response(null, { status: 304, headers })
    : new Response(body as ConstructorParameters<typeof Response>[0], { headers })
}
