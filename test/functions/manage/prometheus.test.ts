import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { type FunctionHost, startFunctionHost } from "../../../local/functions.ts"
import { checkMetrics, isPrometheusMissing, startPrometheus } from "../../support/prometheus.ts"
import { createUsageWorld, type UsageWorld } from "../outcomes/usage-world.ts"

const ADMIN = "the-start-up-token-of-a-test"

describe.skipIf(isPrometheusMissing)("a real Prometheus", () => {
  let world: UsageWorld
  let host: FunctionHost
  beforeAll(async () => {
    world = await createUsageWorld()
    const { handler } = world.manage
    const hosted = { handler, timeoutMs: 10_000, streams: true as const }
    host = await startFunctionHost({ route: () => hosted, port: 0, log: world.platform.log })
    const { issue } = await world.tenant("acme", "Pro")
    const token = await issue("shop", ["reader"], "Production")
    await world.tell(
      token,
      { tenantId: "acme", type: "order_created", data: { orderId: "1", amountCents: 1_250 } },
      { tenantId: "acme", type: "payment_processed", data: { method: 'a"b\\c', amountCents: 1_250 } },
      {
        tenantId: "acme",
        type: "metrics",
        data: {
          commands: [
            {
              command: "ban",
              status: "ok",
              count: 100,
              latency: [
                [10, 90],
                [250, 10],
              ],
            },
          ],
          eligibilityChecks: [{ type: "vip", result: "yes", count: 2 }],
        },
      },
    )
    await world.call("POST", "/api/v1/tenants/acme/limits/command/consume", { body: { amount: 10 } })
    await world.count()
    await world.relay.measureTenants()
  })
  afterAll(async () => {
    await host.stop()
    await world.close()
  })

  test("finds nothing to complain of in what is told", async () => {
    const text = (await world.call("GET", "/metrics")).text
    const kinds = new Set([...text.matchAll(/^# TYPE (hotswap_tenant_\S+)/gm)].map(([, name]) => name))
    expect(kinds.size).toBeGreaterThan(10)
    expect(await checkMetrics(text)).toEqual({ code: 0, output: "" })
  })

  test("scrapes it, labels, quantiles and all", async () => {
    const prometheus = await startPrometheus(host.url, ADMIN)
    try {
      const labels = '{tenant="acme",tier="Pro"}'
      await expect
        .poll(() => prometheus.value(`hotswap_tenant_order_amount_cents_total${labels}`), {
          ...{ timeout: 20_000, interval: 100 },
        })
        .toBe(1_250)
      expect(await prometheus.value('up{job="hotswap"}')).toBe(1)
      expect(
        await prometheus.value("histogram_quantile(0.5, hotswap_tenant_command_duration_seconds_bucket)"),
      ).toBeLessThanOrEqual(0.01)
      expect(
        await prometheus.value("histogram_quantile(0.95, hotswap_tenant_command_duration_seconds_bucket)"),
      ).toBeGreaterThan(0.1)
      expect(await prometheus.value('hotswap_tenant_payments_total{method="a\\"b\\\\c"}')).toBe(1)
      expect(await prometheus.value('hotswap_tenant_rate_limit_usage_ratio{action="command"}')).toBe(0.1)
      expect(await prometheus.value('hotswap_tenant_storage_bytes{kind="database"}')).toBeGreaterThan(1_000)
    } finally {
      await prometheus.stop()
    }
  })
})
