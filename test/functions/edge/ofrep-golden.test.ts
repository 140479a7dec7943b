import { afterAll, beforeAll, expect, test } from "vitest"
import type { JsonObject } from "../../../core/json.ts"
import { GOLDEN_VIEWS } from "../../golden/golden.ts"
import { expectGolden } from "../../golden/over-ofrep.ts"
import { createReaderKeys, type RunningEdge, startEdge } from "../../support/edge.ts"
import { type ScriptedOrigin, startOrigin } from "../../support/scripted-origin.ts"

let origin: ScriptedOrigin
let edge: RunningEdge
let token: string

beforeAll(async () => {
  origin = await startOrigin()
  const keys = await createReaderKeys()
  edge = await startEdge({ origin: origin.url, jwks: keys.jwks })
  token = await keys.issue()
})
afterAll(async () => {
  await edge?.dispose()
  await origin?.close()
})

const views = GOLDEN_VIEWS.map((view, index) => ({ ...view, tenantId: `golden-${index}` }))

test.each(views)("the Worker answers as the rules do: $of", async ({ tenantId, configs, cases }) => {
  origin.says({ tenantId, configs })
  const path = "/ofrep/v1/evaluate/flags"
  // Its clock is the world's.
  const asked = cases.filter((one) => !one.isTimed)
  await expectGolden(async (key, context) => {
    const answer = await edge.get(key === null ? path : `${path}/${encodeURIComponent(key)}`, token, {
      method: "POST",
      headers: { "x-tenant-id": tenantId },
      body: JSON.stringify({ context }),
    })
    return { status: answer.status, body: (await answer.json()) as JsonObject }
  }, asked)
  expect(asked.length).toBeGreaterThan(0)
})
