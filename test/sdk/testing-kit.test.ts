import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { OpenFeature } from "@openfeature/server-sdk"
import { afterEach, describe, expect, test, vi } from "vitest"
import { TenantConfigService, TenantContext, TenantFeatureFlagService } from "../../sdk/src/context.ts"
import type { EventsClient } from "../../sdk/src/events.ts"
import { HotswapProvider } from "../../sdk/src/providers/server.ts"
import { TenantUnknownError } from "../../sdk/src/tenants.ts"
import { TestEvents, TestLimits, TestTenants } from "../../sdk/src/testing.ts"

const configs = new TenantConfigService()
const flags = new TenantFeatureFlagService()
const DOCUMENT = {
  environment: "Staging",
  shared: { configs: { colour: "grey", timeout: 5 }, flags: { new: { enabled: false } } },
  tenants: {
    acme: {
      configs: { colour: "red" },
      flags: { new: { enabled: true } },
      features: { customBranding: true },
    },
    bolt: {},
  },
}

describe("the test kit", () => {
  afterEach(() => vi.restoreAllMocks())

  test("gives each tenant its own configuration over what all have, without a network", () => {
    const fetched = vi.spyOn(globalThis, "fetch")
    const tenants = new TestTenants(DOCUMENT)
    const seen = (tenantId: string) =>
      tenants.run(tenantId, () => [
        TenantContext.get().environment,
        configs.get("colour"),
        configs.get("timeout"),
        flags.isEnabled("new"),
        configs.features(),
      ])
    expect(seen("acme")).toEqual(["Staging", "red", 5, true, { customBranding: true }])
    expect(seen("bolt")).toEqual(["Staging", "grey", 5, false, {}])
    expect(fetched).not.toHaveBeenCalled()
  })

  test("keeps tenants, and tests, apart", () => {
    const [one, other] = [new TestTenants(DOCUMENT), new TestTenants(DOCUMENT)]
    one.of("acme").setConfig("colour", "green")
    one.of("acme").setFlag("new", false)
    one.of("acme").setFeature("customBranding", false)
    const seen = (tenants: TestTenants, tenantId: string) =>
      tenants.run(tenantId, () => [
        configs.get("colour"),
        flags.isEnabled("new"),
        configs.features().customBranding,
      ])
    expect(seen(one, "acme")).toEqual(["green", false, false])
    expect(seen(other, "acme")).toEqual(["red", true, true])
    expect(seen(one, "bolt")).toEqual(["grey", false, undefined])
  })

  test("reads a JSON file", async () => {
    const directory = await mkdtemp(join(tmpdir(), "hotswap-kit-"))
    const path = join(directory, "tenants.json")
    await writeFile(path, JSON.stringify(DOCUMENT))
    const tenants = TestTenants.fromFile(path)
    expect(tenants.run("acme", () => configs.get("colour"))).toBe("red")
    await writeFile(path, '{"tenants": {"acme": {"flags": {"new": {"enabled": "yes"}}}}}')
    expect(() => TestTenants.fromFile(path)).toThrow(expect.objectContaining({ code: "FLAG_INVALID" }))
    await writeFile(path, '{"tenants": {"acme": 1, "acme": 2}}')
    expect(() => TestTenants.fromFile(path)).toThrow(expect.objectContaining({ code: "JSON_DUPLICATE_KEY" }))
    await rm(directory, { recursive: true })
  })

  test("takes no flag that the service would not take, and then nothing of what came with it", () => {
    const acme = new TestTenants(DOCUMENT).of("acme")
    const invalid = { state: "ENABLED", variants: { on: true }, defaultVariant: "absent" } as const
    expect(() => acme.set({ configs: { colour: "blue" }, flags: { new: invalid } })).toThrow(
      expect.objectContaining({ code: "FLAG_INVALID" }),
    )
    expect(() => acme.setConfig("not a key", 1)).toThrow(RangeError)
    expect(() => new TestTenants({ tenants: { "Not A Slug": {} } })).toThrow(RangeError)
    expect([acme.get("colour"), acme.isEnabled("new")]).toEqual(["red", true])
  })

  test("evaluates as the service does: rules, shares, what is not there", () => {
    const acme = new TestTenants(DOCUMENT).of("acme")
    acme.setFlag("half", { enabled: true, percentage: 50 })
    acme.setFlag("tone", {
      state: "ENABLED",
      variants: { loud: "LOUD", calm: "calm" },
      defaultVariant: "calm",
      targeting: { if: [{ ends_with: [{ var: "email" }, "@acme.com"] }, "loud", null] },
    })
    const on = Array.from({ length: 400 }, (_, index) =>
      acme.isEnabled("half", { targetingKey: `user-${index}` }),
    )
    expect(on.filter(Boolean).length).toBeGreaterThan(150)
    expect(on.filter(Boolean).length).toBeLessThan(250)
    expect(acme.isEnabled("half")).toBe(false)
    expect(acme.evaluate("tone", { email: "erin@acme.com" }).value).toBe("LOUD")
    expect(acme.evaluate("tone").value).toBe("calm")
    expect(acme.evaluate("absent").errorCode).toBe("FLAG_NOT_FOUND")
    acme.delete("tone")
    expect(acme.evaluate("tone").errorCode).toBe("FLAG_NOT_FOUND")
  })

  test("tells listeners what changed, and a view that was taken stays as it was", () => {
    const acme = new TestTenants(DOCUMENT).of("acme")
    const heard: unknown[] = []
    const off = acme.on("changed", (event) => heard.push(event))
    const before = acme.view()
    acme.set({ configs: { colour: "blue", timeout: 5 }, flags: { new: { enabled: false } } })
    acme.setConfig("colour", "blue")
    off()
    acme.setConfig("colour", "green")
    expect(heard).toEqual([
      {
        revision: acme.view().revision.replace(/\d+$/, "3"),
        keys: expect.arrayContaining(["colour", "new"]),
        flags: ["new"],
      },
    ])
    expect([before.get("colour"), before.isEnabled("new")]).toEqual(["red", true])
  })

  test("does not let what was handed in, or out, be altered behind its back", () => {
    const list = { items: [1] }
    const acme = new TestTenants(DOCUMENT).of("acme")
    acme.setConfig("list", list)
    list.items.push(2)
    expect(acme.get("list")).toEqual({ items: [1] })
    expect(() => (acme.get("list") as typeof list).items.push(3)).toThrow(TypeError)
  })

  test("serves OpenFeature", async () => {
    const tenants = new TestTenants(DOCUMENT)
    const acme = tenants.of("acme")
    await OpenFeature.setProviderAndWait("kit", new HotswapProvider(acme))
    const client = OpenFeature.getClient("kit")
    expect(await client.getBooleanValue("new", false)).toBe(true)
    acme.setFlag("new", false)
    expect(await client.getBooleanValue("new", true)).toBe(false)
    await OpenFeature.close()
  })

  test("knows only the tenants that were added", async () => {
    const tenants = new TestTenants(DOCUMENT)
    await expect(tenants.ready("absent")).rejects.toThrow(TenantUnknownError)
    tenants.add("absent", { configs: { colour: "black" } })
    expect((await tenants.ready("absent")).get("colour")).toBe("black")
    expect(() => tenants.add("absent")).toThrow("already")
  })

  test("keeps the events that were tracked, as they were, and fails a test for one that is nobody's", () => {
    const events: Pick<EventsClient, "track" | "flush" | "close"> & TestEvents = new TestEvents()
    const data = { userId: "ann" }
    new TestTenants(DOCUMENT).run("acme", () => events.track("user_login", data, { id: "1" }))
    data.userId = "bob"
    expect(events.tracked).toEqual([
      { tenantId: "acme", type: "user_login", data: { userId: "ann" }, id: "1" },
    ])
    expect(() => events.track("user_login", data)).toThrow("No tenant")
  })

  test("counts limits for each tenant and action, until the test says that the window is over", async () => {
    const limits = new TestLimits({ command: 2 })
    const kinds = async (tenantId: string, action: string) => (await limits.consume(tenantId, action)).kind
    expect([
      await kinds("acme", "command"),
      await kinds("acme", "command"),
      await kinds("acme", "command"),
    ]).toEqual([...["allowed", "allowed", "refused"]])
    expect([await kinds("bolt", "command"), await kinds("acme", "other")]).toEqual(["allowed", "allowed"])
    limits.reset()
    expect(await kinds("acme", "command")).toBe("allowed")
  })
})
