import { AsyncResource } from "node:async_hooks"
import { EventEmitter, once } from "node:events"
import { Readable, Transform } from "node:stream"
import { pipeline } from "node:stream/promises"
import { setImmediate as turn, setTimeout as wait } from "node:timers/promises"
import { Worker } from "node:worker_threads"
import { afterAll, beforeEach, describe, expect, test } from "vitest"
import { TenantConfigService, TenantContext, TenantFeatureFlagService } from "../../sdk/src/context.ts"
import { TestTenants } from "../../sdk/src/testing.ts"

const NAMES = Array.from({ length: 100 }, (_, index) => `tenant-${index}`)
const tenants = new TestTenants({
  tenants: Object.fromEntries(NAMES.map((name) => [name, { configs: { owner: name } }])),
})
const configs = new TenantConfigService()
const flags = new TenantFeatureFlagService()

/** What running code says of whose it is, by every way to ask. */
const who = (): string[] => [TenantContext.get().tenantId, String(configs.get("owner"))]

/** A worker thread that gives back what it is sent, to whoever waits for it, in another order. */
const echo = new Worker(
  `const { parentPort } = require("node:worker_threads")
   const kept = []
   parentPort.on("message", (id) => { kept.push(id); if (kept.length === 10) while (kept.length) parentPort.postMessage(kept.pop()) })`,
  { eval: true },
)
afterAll(() => echo.terminate())

/** A pool of two connections: who waits for one is called back by whoever gives one back. */
class Pool {
  #free = 2
  readonly #waiting: (() => void)[] = []
  take(work: (giveBack: () => void) => void): void {
    if (this.#free === 0) this.#waiting.push(() => this.take(work))
    else {
      this.#free -= 1
      work(() => {
        this.#free += 1
        this.#waiting.shift()?.()
      })
    }
  }
}

const pool = new Pool()
const emitter = new EventEmitter().setMaxListeners(0)
let open = (): void => {}
let gate = Promise.resolve()
beforeEach(() => {
  gate = new Promise((resolve) => {
    open = resolve
  })
})

/** Every way for a request to go on later, some of them by another request's doing. */
const WAYS: Record<string, () => Promise<string[]>> = {
  timer: async () => {
    await wait(Math.random() * 3)
    return who()
  },
  "a promise made outside": async () => {
    await gate
    return who()
  },
  "then, on a promise made outside": () => gate.then(who),
  microtasks: async () => {
    for (let index = 0; index < 20; index++) await null
    return who()
  },
  stream: async () => {
    const seen: string[][] = []
    const through = new Transform({
      objectMode: true,
      transform(chunk, _, done) {
        seen.push(who())
        setTimeout(done, Math.random() * 2, null, chunk)
      },
    })
    await pipeline(Readable.from([1, 2, 3]), through, async (chunks) => {
      for await (const _ of chunks) seen.push(who())
    })
    return [...new Set(seen.flat())]
  },
  generator: async () => {
    async function* steps() {
      for (let index = 0; index < 3; index++) {
        await turn()
        yield who()
      }
    }
    const seen = []
    for await (const step of steps()) seen.push(...step)
    return seen
  },
  "an emitter that another request sets off": () =>
    new Promise((resolve) => {
      emitter.once(
        "go",
        TenantContext.bind(() => resolve(who())),
      )
    }),
  "waiting for an emitter": async () => {
    await once(emitter, "go")
    return who()
  },
  "a pool whose callbacks come from other requests": () =>
    new Promise((resolve, reject) => {
      const take = TenantContext.bind((giveBack: () => void) => {
        turn().then(() => {
          resolve(who())
          giveBack()
        }, reject)
      })
      pool.take(take)
    }),
  "a worker thread": () =>
    new Promise((resolve) => {
      const id = `${TenantContext.get().tenantId}/${Math.random()}`
      const listener = TenantContext.bind((answered: string) => {
        if (answered !== id) return
        echo.off("message", listener)
        resolve(who())
      })
      echo.setMaxListeners(0).on("message", listener)
      echo.postMessage(id)
    }),
  "a resource of its own": async () => {
    const resource = new AsyncResource("query")
    await turn()
    return resource.runInAsyncScope(who)
  },
}

describe("a tenant's context", () => {
  test.each(Object.keys(WAYS))("is the own one of each of 100 tenants at once: %s", async (way) => {
    const requests = NAMES.flatMap((name) => [name, name]).map((name) =>
      tenants.run(name, async () => {
        const before = who()
        const later = await WAYS[way]!()
        return { name, seen: [...before, ...later, ...who()] }
      }),
    )
    await turn()
    open()
    tenants.run("tenant-0", () => emitter.emit("go"))
    for (const { name, seen } of await Promise.all(requests)) expect(new Set(seen)).toEqual(new Set([name]))
  })

  test("is not there outside, and says how that comes", () => {
    expect(() => TenantContext.get()).toThrow(/No tenant's request is running here/)
    expect(() => configs.get("owner")).toThrow(/No tenant's request/)
    expect(() => TenantContext.get({})).toThrow(/middleware has not seen it/)
    expect(TenantContext.find()).toBeNull()
  })

  test("gives way to one within it, and is there again afterwards, also after an error", async () => {
    await tenants.run("tenant-1", async () => {
      expect(tenants.run("tenant-2", who)).toEqual(["tenant-2", "tenant-2"])
      expect(who()).toEqual(["tenant-1", "tenant-1"])
      await expect(
        tenants.run("tenant-3", () => turn().then(() => Promise.reject(new Error("no")))),
      ).rejects.toThrow()
      expect(() =>
        tenants.run("tenant-3", () => {
          throw new Error("no")
        }),
      ).toThrow("no")
      expect(TenantContext.outside(() => TenantContext.find())).toBeNull()
      expect(who()).toEqual(["tenant-1", "tenant-1"])
    })
    expect(TenantContext.find()).toBeNull()
  })

  test("sees what it saw at its beginning, whatever changes meanwhile", async () => {
    const client = new TestTenants({
      tenants: { acme: { configs: { colour: "red" }, flags: { new: { enabled: true } } } },
    })
    await client.run("acme", async () => {
      client.of("acme").set({ configs: { colour: "blue" }, flags: { new: { enabled: false } } })
      await turn()
      expect([configs.get("colour"), flags.isEnabled("new")]).toEqual(["red", true])
    })
    client.run("acme", () => expect([configs.get("colour"), flags.isEnabled("new")]).toEqual(["blue", false]))
  })

  test("cannot be altered from outside, nor by what it was made of", () => {
    const attributes = { plan: { name: "gold" } }
    const view = tenants.of("tenant-1").view()
    const context = TenantContext.of({ view, targetingKey: "user-1", attributes })
    attributes.plan.name = "lead"
    const alter: (() => unknown)[] = [
      () => Object.assign(context, { tenantId: "tenant-2" }),
      () => Object.assign(context.evaluationContext, { targetingKey: "user-2" }),
      () => Object.assign(context.evaluationContext.plan as object, { name: "lead" }),
      () => Object.assign(context.view, { tenantId: "tenant-2" }),
      () => Object.defineProperty(context, "tenantId", { value: "tenant-2" }),
    ]
    for (const attempt of alter) expect(attempt).toThrow(TypeError)
    expect(context).toMatchObject({ tenantId: "tenant-1", targetingKey: "user-1" })
    expect(context.evaluationContext).toEqual({ plan: { name: "gold" }, targetingKey: "user-1" })
    TenantContext.run(context, () => expect(who()).toEqual(["tenant-1", "tenant-1"]))
  })

  test("has a request id of its own where none was given", () => {
    const view = tenants.of("tenant-1").view()
    const ids = [TenantContext.of({ view }), TenantContext.of({ view })].map(({ requestId }) => requestId)
    expect(new Set(ids).size).toBe(2)
    expect(TenantContext.of({ view, requestId: "r-1" }).requestId).toBe("r-1")
  })
})

describe("the services over it", () => {
  const shop = new TestTenants({
    tenants: {
      acme: {
        configs: { timeout: 5, colour: "red", list: [1], nothing: null },
        flags: {
          half: { enabled: true, percentage: 50 },
          plan: {
            state: "ENABLED",
            variants: { gold: "g", other: "o" },
            defaultVariant: "other",
            targeting: { if: [{ "==": [{ var: "plan" }, "gold"] }, "gold", null] },
          },
          "feature.trial": { enabled: true, percentage: 100 },
        },
        features: { customBranding: true, prioritySupport: false, new_dashboard: "true" },
      },
    },
  })
  const inAcme = <Result>(work: () => Result, fields = {}): Result => shop.run("acme", work, fields)

  test("give a default where there is no value, or one of another kind", () => {
    inAcme(() => {
      expect(configs.getOr("timeout", 1)).toBe(5)
      expect(configs.getOr("colour", 1)).toBe(1)
      expect(configs.getOr("list", {})).toEqual({})
      expect(configs.getOr("list", [0])).toEqual([1])
      expect(configs.getOr("nothing", "some")).toBe("some")
      expect(configs.getOr("absent", false)).toBe(false)
      expect(configs.get("absent")).toBeUndefined()
    })
  })

  test("tell configs from flags, and features by name", () => {
    inAcme(
      () => {
        expect(Object.keys(configs.all()).sort()).toEqual([
          ...["colour", "feature.customBranding", "feature.new_dashboard", "feature.prioritySupport"],
          ...["list", "nothing", "timeout"],
        ])
        expect(configs.features()).toEqual({
          customBranding: true,
          prioritySupport: false,
          new_dashboard: true,
          trial: true,
        })
      },
      { targetingKey: "user-1" },
    )
  })

  test("decide flags for whom the request is for, unless another entity is named", () => {
    const on = Array.from({ length: 50 }, (_, index) => `user-${index}`).filter((key) =>
      inAcme(() => flags.isEnabled("half"), { targetingKey: key }),
    )
    expect(on.length).toBeGreaterThan(10)
    expect(on.length).toBeLessThan(40)
    inAcme(
      () => {
        expect(on.every((key) => flags.isEnabled("half", key))).toBe(true)
        expect(flags.isEnabled("half")).toBe(on.includes("user-0"))
        expect(flags.evaluate("plan").value).toBe("g")
        expect(flags.evaluate("plan", "somebody").value).toBe("g")
        expect(flags.evaluate("plan", { plan: "lead" }).value).toBe("o")
        expect(flags.explain("plan", { plan: "lead" })).toMatchObject({
          evaluation: { value: "o" },
          rule: expect.anything(),
        })
        expect(flags.evaluate("absent")).toMatchObject({ errorCode: "FLAG_NOT_FOUND" })
        expect(flags.isEnabled("absent")).toBe(false)
        expect(Object.keys(flags.evaluateAll()).sort()).toEqual(["feature.trial", "half", "plan"])
      },
      { targetingKey: "user-0", attributes: { plan: "gold" } },
    )
    expect(inAcme(() => flags.isEnabled("half"))).toBe(false)
  })

  test("take a context that is handed in, where none is running", () => {
    const context = TenantContext.of({ view: shop.of("acme").view() })
    expect(new TenantConfigService(context).get("timeout")).toBe(5)
    expect(new TenantFeatureFlagService(context).evaluate("plan").value).toBe("o")
  })
})
