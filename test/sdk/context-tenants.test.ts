import { afterEach, describe, expect, test, vi } from "vitest"
import { TenantContext } from "../../sdk/src/context.ts"
import { Tenants, type TenantsOptions, TenantUnknownError } from "../../sdk/src/tenants.ts"
import { TestTenants } from "../../sdk/src/testing.ts"
import { type Script, type ScriptedService, startService } from "./scripted-service.ts"

describe("the tenants of a process", () => {
  const services: ScriptedService[] = []
  const started: Tenants[] = []
  afterEach(async () => {
    vi.useRealTimers()
    await Promise.all(started.splice(0).map((tenants) => tenants.close()))
    await Promise.all(services.splice(0).map((service) => service.close()))
  })

  const world = async (options: Partial<TenantsOptions> = {}, script: Script = {}) => {
    const service = await startService(script)
    services.push(service)
    const tenants = new Tenants({ url: service.url, token: "t", report: false, ...options })
    started.push(tenants)
    return { service, tenants }
  }
  const names = (count: number) => Array.from({ length: count }, (_, index) => `tenant-${index}`)
  const reads = ({ asked }: ScriptedService) => asked.filter((each) => each.startsWith("GET"))

  test("have one client each, however many ask for it at once", async () => {
    const { service, tenants } = await world({ stream: false })
    const clients = await Promise.all(
      names(20)
        .flatMap((name) => [name, name, name])
        .map((name) => tenants.ready(name)),
    )
    expect(new Set(clients).size).toBe(20)
    expect(clients.map((client) => client.get("owner"))).toEqual(
      names(20).flatMap((name) => [name, name, name]),
    )
    expect(reads(service).sort()).toEqual(
      names(20)
        .map((name) => `GET ${name}`)
        .sort(),
    )
    expect(tenants.of("tenant-3")).toBe(await tenants.ready("tenant-3"))
  })

  test("are let go when there are too many, those used longest ago first", async () => {
    const { service, tenants } = await world({ stream: false, clientsMax: 3 })
    const first = await tenants.ready("tenant-0")
    const closed = vi.spyOn(first, "close")
    for (const name of ["tenant-1", "tenant-2", "tenant-0", "tenant-3"]) await tenants.ready(name)
    expect(tenants.size).toBe(3)
    expect(closed).not.toHaveBeenCalled()
    await tenants.ready("tenant-1")
    await tenants.ready("tenant-4")
    expect(closed).toHaveBeenCalledTimes(1)
    expect(first.get("owner")).toBe("tenant-0")
    expect(reads(service).filter((each) => each === "GET tenant-1")).toHaveLength(2)
  })

  test("are not driven out by names that there are no tenants of", async () => {
    const { service, tenants } = await world(
      { stream: false, clientsMax: 3 },
      { knows: (name) => name.startsWith("tenant-") },
    )
    const known = await Promise.all(names(2).map((name) => tenants.ready(name)))
    const closed = known.map((client) => vi.spyOn(client, "close"))
    for (let index = 0; index < 20; index++)
      await expect(tenants.ready(`made-up-${index}`)).rejects.toThrow(TenantUnknownError)
    for (const close of closed) expect(close).not.toHaveBeenCalled()
    expect(tenants.size).toBe(2)
    // Remembered: no name is asked for twice.
    await expect(tenants.ready("made-up-19")).rejects.toThrow(TenantUnknownError)
    expect(reads(service).filter((each) => each.endsWith("made-up-19"))).toHaveLength(1)
  })

  test("are not driven out by those that never had anything to serve", async () => {
    const script = { status: (name: string) => (name.startsWith("tenant-") ? 200 : 503) }
    const { tenants } = await world({ stream: false, clientsMax: 3 }, script)
    const known = await Promise.all(names(2).map((name) => tenants.ready(name)))
    const closed = known.map((client) => vi.spyOn(client, "close"))
    for (let index = 0; index < 5; index++)
      await expect(tenants.ready(`failing-${index}`, 1)).rejects.toThrow("nothing to serve")
    for (const close of closed) expect(close).not.toHaveBeenCalled()
    expect(tenants.size).toBe(3)
  })

  test("that somebody waits for are not driven out either", async () => {
    const made = new TestTenants({ tenants: { acme: {}, bolt: {} } })
    let [isReady, begin] = [false, () => {}]
    const begun = new Promise<void>((resolve) => {
      begin = resolve
    })
    const acme = Object.create(made.of("acme"), {
      isReady: { get: () => isReady },
      ready: { value: () => begun },
      on: { value: () => () => {} },
      close: { value: () => Promise.reject(new Error("closed while waited for")) },
    })
    const create = ({ tenantId }: { tenantId: string }) => (tenantId === "acme" ? acme : made.of("bolt"))
    const { tenants } = await world({ clientsMax: 1, create })
    const waiting = tenants.ready("acme")
    expect(() => tenants.of("bolt")).toThrow("Too many tenants are being waited for")
    isReady = true
    begin()
    expect(await waiting).toBe(acme)
    expect(tenants.of("bolt")).toBe(made.of("bolt"))
  })

  test("that were refused are asked for again after a while", async () => {
    let status = 403
    const { tenants } = await world({ stream: false, refusedForMs: 1_000 }, { status: () => status })
    await expect(tenants.ready("tenant-1")).rejects.toMatchObject({ status: 403 })
    status = 200
    await expect(tenants.ready("tenant-1")).rejects.toMatchObject({ status: 403 })
    const now = performance.now()
    vi.spyOn(performance, "now").mockImplementation(() => now + 1_001)
    expect((await tenants.ready("tenant-1")).get("owner")).toBe("tenant-1")
    vi.restoreAllMocks()
  })

  test("hold no more streams than was said; the rest ask at intervals", async () => {
    const { service, tenants } = await world({ streamsMax: 2 })
    for (const name of names(5)) await tenants.ready(name)
    await vi.waitFor(() => expect(service.openStreams()).toEqual(["tenant-0", "tenant-1"]))
    expect(service.asked.filter((each) => each.startsWith("stream"))).toHaveLength(2)
  })

  test("hand a stream on when one that had it is let go", async () => {
    const { service, tenants } = await world({ streamsMax: 1, clientsMax: 1 })
    await tenants.ready("tenant-0")
    await vi.waitFor(() => expect(service.openStreams()).toEqual(["tenant-0"]))
    await tenants.ready("tenant-1")
    await vi.waitFor(() => expect(service.openStreams()).toEqual(["tenant-1"]))
  })

  test("are let go when nobody asks for them", async () => {
    vi.useFakeTimers()
    const made = new TestTenants({ tenants: { acme: {}, bolt: {} } })
    const tenants = new Tenants({
      url: "http://nowhere",
      token: "t",
      idleMs: 60_000,
      create: ({ tenantId }) => made.of(tenantId),
    })
    started.push(tenants)
    const closed = vi.spyOn(tenants.of("acme"), "close")
    tenants.of("bolt")
    await vi.advanceTimersByTimeAsync(45_000)
    tenants.of("bolt")
    await vi.advanceTimersByTimeAsync(45_000)
    expect(closed).toHaveBeenCalledTimes(1)
    expect(tenants.size).toBe(1)
    await vi.advanceTimersByTimeAsync(90_000)
    expect(tenants.size).toBe(0)
  })

  test("are all closed with it, and none is made afterwards", async () => {
    const { service, tenants } = await world()
    for (const name of names(3)) await tenants.ready(name)
    await vi.waitFor(() => expect(service.openStreams()).toHaveLength(3))
    await tenants.close()
    await vi.waitFor(() => expect(service.openStreams()).toEqual([]))
    expect(() => tenants.of("tenant-1")).toThrow("closed")
    await expect(tenants.ready("tenant-1")).rejects.toThrow("closed")
  })

  test("belong to no request, not even to the one that needs them first", async () => {
    const seen: (TenantContext | null)[] = []
    const asking: typeof fetch = (...request) => {
      seen.push(TenantContext.find())
      return fetch(...request)
    }
    const { tenants } = await world({ stream: false, fetch: asking })
    const others = new TestTenants({ tenants: { acme: {} } })
    const client = await others.run("acme", () => tenants.ready("tenant-1"))
    // What a client calls back runs where it was made, whatever request comes by.
    const heard = new Promise<TenantContext | null>((resolve) => {
      client.on("error", () => resolve(TenantContext.find()))
    })
    for (const service of services) await service.close()
    services.length = 0
    await client.reload().catch(() => {})
    expect(await heard).toBeNull()
    expect(seen.length).toBeGreaterThan(1)
    expect(new Set(seen)).toEqual(new Set([null]))
  })

  test("are named by slugs only", async () => {
    const { tenants } = await world()
    expect(() => tenants.of("Not A Slug")).toThrow(RangeError)
    await expect(tenants.ready("../admin")).rejects.toThrow(RangeError)
    expect(tenants.size).toBe(0)
  })
})
