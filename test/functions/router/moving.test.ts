import { afterAll, beforeAll, describe, expect, test } from "vitest"
import type { TenantId } from "../../../core/ids.ts"
import { tenancyOf } from "../../../core/provisioning/names.ts"
import { createProvisioner } from "../../../functions/router/provisioner.ts"
import {
  hasVictoriaMetrics,
  type RunningVictoriaMetrics,
  startVictoriaMetrics,
} from "../../support/victoria-metrics.ts"
import { must } from "../manage/world.ts"
import { createProvisioningWorld, type ProvisioningWorld } from "./provisioning-world.ts"

const MINUTE_MS = 60_000
const DAY_MS = 1_440 * MINUTE_MS

describe.skipIf(!hasVictoriaMetrics())(
  "a tenant's metrics are brought from a backend that tenants share to one of its own",
  () => {
    let world: ProvisioningWorld
    let machines: RunningVictoriaMetrics[]
    beforeAll(async () => {
      ;[world, ...machines] = await Promise.all([
        createProvisioningWorld(),
        startVictoriaMetrics(),
        startVictoriaMetrics(),
      ])
    }, 60_000)
    afterAll(async () => {
      await world.close()
      await Promise.all(machines.map((machine) => machine.kill()))
    })

    /** What was written until now is there to be read. */
    const flush = () => Promise.all(machines.map(({ url }) => fetch(`${url}/internal/force_flush`)))

    const samplesOf = async ({ url }: RunningVictoriaMetrics, name: string): Promise<string[]> => {
      await flush()
      const query = new URLSearchParams({
        "match[]": `{__name__=~"${name}"}`,
        start: "1",
        reduce_mem_usage: "1",
      })
      const text = await (await fetch(`${url}/api/v1/export?${query}`)).text()
      const lines = text.split("\n").filter((line) => line !== "")
      const samples = lines.flatMap((line) => {
        const { metric, values, timestamps } = JSON.parse(line.replaceAll("+Inf", '"Inf"'))
        return timestamps.map((ms: number, nth: number) => `${JSON.stringify(metric)} ${ms} ${values[nth]}`)
      })
      return [...new Set<string>(samples)].sort()
    }

    let tenants = 0
    /** One that has room at the shared backend, as its tier has it, and samples of days there. */
    const tenantWithSamples = async () => {
      const tenantId = `moved-${++tenants}` as TenantId
      const name = `series_of_${tenants}`
      const tenant = await world.tenant(tenantId, "Free")
      const [shared, own] = machines as [RunningVictoriaMetrics, RunningVictoriaMetrics]
      const { accountId, projectId } = tenancyOf(tenantId)
      for (const use of ["select", "insert"])
        world.front.routes.set(`/shared/${use}/${accountId}:${projectId}/prometheus`, shared.url)
      world.front.routes.set("/shared", shared.url)
      world.front.routes.set(`/t-${tenantId}-metrics`, own.url)
      await must(world.post(tenantId, "apply", { backends: ["metrics"] }), 200)
      await world.until(tenantId, "active", flush)
      const nowMs = Date.now()
      const lines = Array.from({ length: 600 }, (_, nth) => {
        const value = nth % 50 === 0 ? "Inf" : nth * 1.1
        return `${name}{shard="${nth % 7}"} ${value} ${nowMs - nth * 9 * MINUTE_MS}`
      })
      const reader = await tenant.issue("shop", ["reader"], "Production")
      const write = async (text: string) => {
        const path = "/metrics/api/v1/import/prometheus"
        expect((await world.route(reader, path, { method: "POST", body: text })).status).toBe(204)
      }
      await write(`${lines.join("\n")}\n`)
      await must(world.call("PATCH", `/api/v1/tenants/${tenantId}`, { body: { tier: "Pro" } }), 200)
      const apply = () => must(world.post(tenantId, "apply", { backends: ["metrics"], move: true }), 200)
      const urlOf = async () => {
        const answer = await must(
          world.call<{ deployments: { metrics: { targets: { url: string }[] } } }>(
            "GET",
            `/api/v1/tenants/${tenantId}/deployments`,
          ),
          200,
        )
        return answer.body.deployments.metrics.targets[0]!.url
      }
      return { ...tenant, name, shared, own, nowMs, write, apply, urlOf, reader }
    }

    test("every sample comes over, what is written meanwhile too, and the former backend keeps all it had", async () => {
      const { tenantId, name, shared, own, write, apply, urlOf, nowMs } = await tenantWithSamples()
      expect((await world.shown(tenantId)).outdated).toBe(true)
      expect((await apply()).body.state).toBe("applying")
      await world.provisioner.sweep()
      expect(await samplesOf(own, name)).toEqual([])
      await must(world.post(tenantId, "confirm"), 200)
      // Late in the middle of what is brought over already.
      let written = 0
      world.front.judge = async (path) => {
        if (path.includes("import/native") && written++ === 0)
          await write(`${name}{shard="late"} 7 ${nowMs - 3 * DAY_MS}\n`)
        return true
      }
      await world.until(tenantId, "settling", flush)
      expect(await urlOf()).toBe(`${world.front.url}/t-${tenantId}-metrics`)
      // Through once since the switch; then one arrives that was let through before.
      await world.provisioner.sweep()
      expect((await world.shown(tenantId)).state).toBe("settling")
      await fetch(`${shared.url}/api/v1/import/prometheus`, {
        method: "POST",
        body: `${name}{shard="straggler"} 8 ${nowMs}\n`,
      })
      await write(`${name}{shard="new"} 9 ${nowMs}\n`)
      const done = await world.until(tenantId, "active", flush)
      world.front.judge = () => true
      expect(done).toMatchObject({ outdated: false, failure: null, remains: [] })
      const [before, after] = [await samplesOf(shared, name), await samplesOf(own, name)]
      expect(before).toHaveLength(602)
      expect(after.filter((sample) => !sample.includes("new"))).toEqual(before)
      expect(after).toHaveLength(603)
    })

    test("nothing of another tenant at the same backend comes along", async () => {
      await tenantWithSamples()
      const paths: string[] = []
      const moved = await tenantWithSamples()
      world.front.judge = (path) => {
        paths.push(path)
        return true
      }
      await moved.apply()
      await must(world.post(moved.tenantId, "confirm"), 200)
      await world.until(moved.tenantId, "active", flush)
      world.front.judge = () => true
      const { accountId, projectId } = tenancyOf(moved.tenantId as TenantId)
      const asked = paths.filter((path) => path.startsWith("/shared"))
      expect(asked.length).toBeGreaterThan(3)
      for (const path of asked) expect(path).toContain(`/select/${accountId}:${projectId}/prometheus/`)
    })

    test("one that is taken for dead in the middle is gone on with, and alters nothing when it wakes", async () => {
      const { tenantId, name, shared, own, apply, urlOf } = await tenantWithSamples()
      await apply()
      await must(world.post(tenantId, "confirm"), 200)
      const held = Promise.withResolvers<void>()
      const stuck = Promise.withResolvers<void>()
      let natives = 0
      world.front.judge = async (path) => {
        if (path.includes("import/native") && natives++ === 0) {
          stuck.resolve()
          await held.promise
        }
        return true
      }
      const dying = createProvisioner(world.routerPlatform)
      const died = (async () => {
        for (let turn = 0; turn < 4; turn++) {
          await flush()
          await dying.sweep()
          world.moveClock(3_000)
        }
      })()
      await stuck.promise
      world.moveClock(6 * MINUTE_MS)
      const done = await world.until(tenantId, "active", flush)
      held.resolve()
      await died
      world.front.judge = () => true
      expect(await world.shown(tenantId)).toEqual(done)
      expect(await urlOf()).toContain(tenantId)
      expect(await samplesOf(own, name)).toEqual(await samplesOf(shared, name))
    })

    test("where samples do not come over nothing is switched, and it can be tried again", async () => {
      const { tenantId, name, shared, own, apply, urlOf } = await tenantWithSamples()
      await apply()
      await must(world.post(tenantId, "confirm"), 200)
      const before = await urlOf()
      world.front.judge = (path, response) => {
        if (!path.includes("import/native")) return true
        response.writeHead(204).end()
        return false
      }
      const failed = await world.until(tenantId, "failed", flush)
      expect(failed).toMatchObject({ failure: { state: "moving", reason: "unequal" } })
      expect(failed.words).toContain("600 samples")
      expect(await urlOf()).toBe(before)
      world.front.judge = () => true
      await must(world.post(tenantId, "retry"), 200)
      await world.until(tenantId, "active", flush)
      expect(await samplesOf(own, name)).toEqual(await samplesOf(shared, name))
    })
  },
)
