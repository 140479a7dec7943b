import { afterAll, beforeAll, expect, test } from "vitest"
import { isUsageBatch, type UsageBatch } from "../../../core/usage/batch.ts"
import { createReaderKeys, PATIENTLY, type RunningEdge, startEdge } from "../../support/edge.ts"
import { type ScriptedOrigin, startOrigin } from "../../support/scripted-origin.ts"

let origin: ScriptedOrigin
let edge: RunningEdge
let token: string

beforeAll(async () => {
  origin = await startOrigin()
  const keys = await createReaderKeys()
  token = await keys.issue()
  edge = await startEdge({ origin: origin.url, jwks: keys.jwks })
})
afterAll(async () => {
  await edge?.dispose()
  await origin?.close()
})

test("what the edge answers by itself it tells the functions, behind the answer, as itself", async () => {
  origin.says({ tenantId: "acme" })
  expect((await edge.get("/api/v1/configs/tenant/acme?environment=Production", token)).status).toBe(200)
  const told = () => origin.calls.filter(({ path }) => path === "/internal/usage")
  await expect.poll(() => told().length, PATIENTLY).toBe(1)
  const [{ method, headers, body }] = told() as [(typeof origin.calls)[number]]
  expect(method).toBe("POST")
  expect(headers["hotswap-edge"]).toBeDefined()
  const batch: unknown = JSON.parse(body)
  expect(isUsageBatch(batch), body).toBe(true)
  const { seq, tenants } = batch as UsageBatch
  expect(seq).toBe(1)
  expect(tenants).toMatchObject({
    acme: {
      requests: [
        ["/api/v1/configs/tenant/{tenantId}", "GET", 200, expect.any(String), 1, expect.any(Number)],
      ],
      reads: { hits: 0, misses: 1 },
      refused: 0,
    },
  })
})
