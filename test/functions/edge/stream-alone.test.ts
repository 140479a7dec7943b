import { expect, test } from "vitest"
import type { Environment } from "../../../core/environment.ts"
import { DEFAULT_ENVIRONMENTS } from "../../../core/environment.ts"
import { Refusal } from "../../../core/errors.ts"
import type { TenantId, TokenId } from "../../../core/ids.ts"
import { parseRevision } from "../../../core/release/revision.ts"
import type { HeldPointer } from "../../../functions/edge/pointer.ts"
import type { Pointers } from "../../../functions/edge/pointers.ts"
import type { Push } from "../../../functions/edge/push.ts"
import { scopeOf } from "../../../functions/edge/scope.ts"
import { createStreams } from "../../../functions/edge/stream.ts"
import { openRoom } from "../../../functions/edge/stream-room.ts"
import { NO_HOP } from "../../../functions/edge/tracing.ts"

const SCOPE = scopeOf("acme" as TenantId, "Production" as Environment)

const streamsWith = (push: Push) => {
  const document = { revision: "1.0.0.1", status: "active", tier: "Pro", flags: "" }
  const pointer = {
    revision: parseRevision("1.0.0.1"),
    staleness: { freshMs: 2_000, staleMs: 15_000, rereadMs: 10_000, pollMs: 10_000 },
    revoked: new Set<TokenId>(),
    document,
  } as unknown as HeldPointer
  const reading = { pointer, staleMs: null }
  const pointers = { ready: () => reading, obtain: async () => reading } as unknown as Pointers
  const caller = { waitUntil: () => undefined, hop: () => NO_HOP }
  const streams = createStreams({
    pointers,
    push,
    openRoom: (scope) => openRoom({ pointers, scope, caller, stepOf: () => null }),
    environments: DEFAULT_ENVIRONMENTS,
    streamsMax: 1,
  })
  const reader = {
    tokenId: "acme:tok_1" as TokenId,
    subject: "shop",
    tenants: "*" as const,
    environment: SCOPE.environment,
    expiresAtMs: Date.now() + 3_600_000,
  }
  return () => streams.begin({ reader, scope: SCOPE, lastHeard: null, words: "moves" }, caller)
}

test("where no hub can be reached the stream is held by the request itself, and so many at the most", async () => {
  const begin = streamsWith({ open: async () => "away" })
  const { body } = await begin()
  const reader = body!.getReader()
  expect(Buffer.from((await reader.read()).value!).toString()).toMatch(
    /^retry: \d+\n\nevent: tenant_config\nid: 1\.0\.0\.1\n/,
  )
  await expect(begin()).rejects.toThrow(Refusal)
  await reader.cancel()
  await (await begin()).body!.cancel()
})

test("a hub that is full says so", async () => {
  await expect(streamsWith({ open: async () => "full" })()).rejects.toMatchObject({
    code: "STREAMS_TOO_MANY",
  })
})
