import type { Page } from "playwright-core"
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest"
import {
  isBrowserMissing,
  type OpenBrowser,
  openBrowser,
  type Site,
  startSite,
} from "../../support/browser.ts"
import { startFaultyWire } from "../../support/faults.ts"
import { type RunningHotswap, removeHome, startHotswap } from "../../support/hotswap.ts"

/** A page as an application has it; what the test asks of it goes through `window`. */
const PAGE = `
import { OpenFeature, ProviderEvents } from "@openfeature/web-sdk"
import { HotswapWebProvider } from "./sdk/src/providers/web.ts"
const heard = []
Object.assign(window, {
  heard,
  streams: [],
  start: async (options, context) => {
    const { EventSource } = globalThis
    globalThis.EventSource = class extends EventSource {
      constructor(url) { super(url); window.streams.push(this) }
    }
    for (const event of Object.values(ProviderEvents))
      OpenFeature.addHandler(event, (details) => heard.push([event, details?.flagsChanged ?? null]))
    heard.length = 0
    await OpenFeature.setContext(context)
    await OpenFeature.setProviderAndWait(new HotswapWebProvider(options))
  },
  become: (context) => OpenFeature.setContext(context),
  details: (flag) => OpenFeature.getClient().getStringDetails(flag, "default"),
})
`

interface World {
  heard: [string, string[] | null][]
  streams: EventSource[]
  start(options: object, context: object): Promise<void>
  become(context: object): Promise<void>
  details(flag: string): { value: string; reason: string }
}
declare const window: World

const PATIENTLY = { timeout: 20_000, interval: 20 }
const TENANT = "acme-corp"
const NEVER_MS = 3_600_000
const LONG_MS = 300_000
declare const document: { dispatchEvent(event: Event): void }

describe.skipIf(isBrowserMissing)("a page in a browser", () => {
  let site: Site
  let browser: OpenBrowser
  let hotswap: RunningHotswap
  let token: string
  const pages: Page[] = []

  beforeAll(async () => {
    ;[site, browser] = await Promise.all([startSite(PAGE), openBrowser()])
    hotswap = await startHotswap({ env: { HOTSWAP_CORS_ORIGINS: site.origin } })
    await must("POST", "/api/v1/tenants", { tenantId: TENANT, name: TENANT })
    const made = { subject: "page", roles: ["reader"], environment: "Development" }
    ;({ token } = await must<{ token: string }>("POST", `/api/v1/tenants/${TENANT}/tokens`, made))
  }, 120_000)
  afterEach(async () => {
    for (const page of pages.splice(0)) await page.context().close()
  })
  afterAll(async () => {
    await Promise.all([browser?.close(), site?.close(), hotswap?.stop()])
    if (hotswap) await removeHome(hotswap.home)
  })

  const must = async <Body = Record<string, unknown>>(method: string, path: string, body: unknown) => {
    const answer = await hotswap.call<Body>(method, path, { body })
    expect(answer.status, `${path}: ${JSON.stringify(answer.body)}`).toBeLessThan(300)
    return answer.body
  }

  let keys = 0
  /** A flag of its own, "old" for all but the vip. */
  const flag = async (value = "old", key = `flag-${keys++}`) => {
    const definition = {
      state: "ENABLED",
      variants: { is: value, vip: "vip" },
      defaultVariant: "is",
      targeting: { if: [{ "==": [{ var: "targetingKey" }, "vip"] }, "vip", null] },
    }
    await must("PUT", `/api/v1/tenants/${TENANT}/flags/${key}?environment=Development`, definition)
    return key
  }

  const open = async () => {
    const page = await browser.open(site.origin)
    pages.push(page)
    return page
  }
  const start = (page: Page, options: object = {}, context: object = { targetingKey: "user-1" }) =>
    page.evaluate(([given, about]) => window.start(given!, about!), [
      { url: hotswap.url, token, ...options },
      context,
    ] as const)
  const valueIn = (page: Page, key: string) => page.evaluate((of) => window.details(of).value, key)
  const isListening = (page: Page) =>
    page.evaluate(() => window.streams.some(({ readyState }) => readyState === 1))

  test("sees a change at once, as it is told of it", async () => {
    const [key, page] = [await flag(), await open()]
    await start(page, { pollMs: NEVER_MS })
    expect(await valueIn(page, key)).toBe("old")
    await expect.poll(() => isListening(page), PATIENTLY).toBe(true)
    await flag("new", key)
    await expect.poll(() => valueIn(page, key), PATIENTLY).toBe("new")
    expect(await page.evaluate(() => window.heard)).toContainEqual(["PROVIDER_CONFIGURATION_CHANGED", [key]])
  })

  test("goes on hearing when the stream has broken and its ticket is of no more use", async () => {
    const [key, page] = [await flag(), await open()]
    const way = await startFaultyWire({ port: Number(new URL(hotswap.url).port) })
    await start(page, { url: `http://127.0.0.1:${way.port}`, pollMs: NEVER_MS })
    await expect.poll(() => isListening(page), PATIENTLY).toBe(true)
    let refused = 0
    await page.route("**/ofrep/v1/stream**", (route) =>
      refused++ === 0 ? route.fulfill({ status: 401 }) : route.continue(),
    )
    await way.set("refused")
    await way.set("none")
    await flag("new", key)
    await expect.poll(() => valueIn(page, key), PATIENTLY).toBe("new")
    await expect.poll(() => isListening(page), PATIENTLY).toBe(true)
    expect(refused).toBeGreaterThan(1)
    await flag("newest", key)
    await expect.poll(() => valueIn(page, key), PATIENTLY).toBe("newest")
    await way.close()
  })

  test("sees a change all the same where no stream gets through", async () => {
    const [key, page] = [await flag(), await open()]
    await page.route("**/ofrep/v1/stream**", (route) => route.abort())
    await start(page, { pollMs: 100 })
    await flag("new", key)
    await expect.poll(() => valueIn(page, key), PATIENTLY).toBe("new")
    expect(await isListening(page)).toBe(false)
  })

  test("and where streams are not wanted", async () => {
    const [key, page] = [await flag(), await open()]
    await start(page, { pollMs: 100, stream: false })
    await flag("new", key)
    await expect.poll(() => valueIn(page, key), PATIENTLY).toBe("new")
    expect(await page.evaluate(() => window.streams.length)).toBe(0)
  })

  test("asks and hears nothing while nobody looks, and catches up when somebody does", async () => {
    const [key, page] = [await flag(), await open()]
    await page.clock.install()
    await page.reload()
    await start(page)
    await expect.poll(() => isListening(page), PATIENTLY).toBe(true)
    const turn = (state: string) =>
      page.evaluate((is) => {
        Object.defineProperty(document, "visibilityState", { value: is, configurable: true })
        document.dispatchEvent(new Event("visibilitychange"))
      }, state)
    await turn("hidden")
    await page.clock.runFor(LONG_MS)
    expect(await isListening(page)).toBe(false)
    let asked = 0
    await page.route("**/ofrep/**", (route) => {
      asked++
      return route.continue()
    })
    await page.clock.runFor(LONG_MS)
    await flag("new", key)
    expect(asked).toBe(0)
    await turn("visible")
    await expect.poll(() => valueIn(page, key), PATIENTLY).toBe("new")
    await expect.poll(() => isListening(page), PATIENTLY).toBe(true)
  })

  test("is evaluated anew for whoever signs in", async () => {
    const [key, page] = [await flag(), await open()]
    await start(page)
    await page.evaluate(() => window.become({ targetingKey: "vip" }))
    await expect
      .poll(() => page.evaluate((of) => window.details(of), key), PATIENTLY)
      .toMatchObject({ value: "vip", reason: "TARGETING_MATCH" })
  })

  test("starts from its last visit when the service cannot be reached, and catches up", async () => {
    const [key, page] = [await flag(), await open()]
    await start(page)
    await page.reload()
    await page.route("**/ofrep/**", (route) => route.abort())
    await start(page, { pollMs: 100 })
    expect(await page.evaluate((of) => window.details(of), key)).toMatchObject({
      ...{ value: "old", reason: "CACHED" },
    })
    await flag("new", key)
    await page.unroute("**/ofrep/**")
    await expect.poll(() => valueIn(page, key), PATIENTLY).toBe("new")
    await expect.poll(() => isListening(page), PATIENTLY).toBe(true)
  })
})
