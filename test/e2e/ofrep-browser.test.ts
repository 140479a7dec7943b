import type { Page } from "playwright-core"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { isBrowserMissing, type OpenBrowser, openBrowser, type Site, startSite } from "../support/browser.ts"
import { type RunningHotswap, removeHome, startHotswap } from "../support/hotswap.ts"
import type { OnPage } from "./ofrep-page.ts"
import { createFlagTenant } from "./ofrep-world.ts"

// The official packages for browsers as they are, in a real one, on a page of another origin than the service's.

const PAGE = 'import "./test/e2e/ofrep-page.ts"'

let site: Site
let browser: OpenBrowser
let hotswap: RunningHotswap
let acme: Awaited<ReturnType<typeof createFlagTenant>>

const ask = <Name extends keyof OnPage>(
  page: Page,
  name: Name,
  ...args: Parameters<OnPage[Name]>
): Promise<Awaited<ReturnType<OnPage[Name]>>> =>
  page.evaluate(
    ([name, args]) =>
      (globalThis as never as Record<string, (...args: unknown[]) => unknown>)[name]!(...args),
    [name, args] as const,
  ) as never

const PATIENTLY = { timeout: 20_000, interval: 50 }
const ADA = { targetingKey: "ada", beta: true }

/** A page that has its flags, and what it has asked and was answered: `POST 200`, `GET 401`. */
const openedPage = async (token: string) => {
  const page = await browser.open(site.origin)
  const calls: string[] = []
  page.on("response", (response) => {
    if (response.request().method() !== "OPTIONS" && response.url().startsWith(hotswap.url))
      calls.push(`${response.request().method()} ${response.status()}`)
  })
  await ask(page, "start", hotswap.url, token, ADA)
  return { page, calls }
}

const streaming = async (calls: readonly string[]) =>
  await expect.poll(() => calls.includes("GET 200"), PATIENTLY).toBe(true)

describe.skipIf(isBrowserMissing)("in a browser the official client", () => {
  beforeAll(async () => {
    site = await startSite(PAGE)
    browser = await openBrowser()
    hotswap = await startHotswap({ env: { HOTSWAP_CORS_ORIGINS: site.origin } })
    acme = await createFlagTenant(hotswap, "acme")
  }, 90_000)
  afterAll(async () => {
    await browser?.close()
    await hotswap?.kill("group")
    await site?.close()
    if (hotswap) await removeHome(hotswap.home)
  })

  test("reads flags as their rules decide, and keeps its own default where it must", async () => {
    const { page } = await openedPage(acme.token)
    expect(await ask(page, "newUi")).toMatchObject({ value: true, reason: "TARGETING_MATCH" })
    expect(await ask(page, "greeting")).toMatchObject({ value: "good morning", reason: "STATIC" })
    expect(await ask(page, "wrong")).toMatchObject({ value: 7, errorCode: "TYPE_MISMATCH" })
    expect(await ask(page, "unknown")).toMatchObject({ value: "mine", errorCode: "FLAG_NOT_FOUND" })
    await ask(page, "become", { targetingKey: "ada", beta: false })
    // What it has kept of this person it shows first.
    await expect.poll(async () => (await ask(page, "newUi")).value, PATIENTLY).toBe(false)
  })

  test("hears of a changed flag over the stream, and shows it without asking before", async () => {
    const { page, calls } = await openedPage(acme.token)
    await streaming(calls)
    expect(calls).toEqual(["POST 200", "GET 200"])
    await acme.put("greeting", { state: "ENABLED", variants: { new: "hello" }, defaultVariant: "new" })
    await expect.poll(async () => (await ask(page, "greeting")).value, PATIENTLY).toBe("hello")
    expect(await ask(page, "changed")).toEqual([["greeting"]])
    // Of a config that is no flag it hears nothing: what comes next is about the flag that changes after it.
    await acme.put("plain", { state: "of mind" })
    await acme.put("greeting", { state: "ENABLED", variants: { newer: "hey" }, defaultVariant: "newer" })
    await expect.poll(async () => (await ask(page, "greeting")).value, PATIENTLY).toBe("hey")
    expect(calls).toEqual(["POST 200", "GET 200", "POST 200", "POST 200"])
  })

  test("asks again as often as it likes, and is told 304 while nothing has changed", async () => {
    const { page, calls } = await openedPage(acme.token)
    await ask(page, "refresh")
    await expect
      .poll(() => calls.filter((call) => call.startsWith("POST")), PATIENTLY)
      .toEqual(["POST 200", "POST 304"])
    expect(await ask(page, "newUi")).toMatchObject({ value: true })
  })

  test("is not let in from a page of another origin", async () => {
    const other = await startSite(PAGE)
    try {
      const page = await browser.open(other.origin)
      await expect(ask(page, "start", hotswap.url, acme.token, ADA)).rejects.toThrow()
    } finally {
      await other.close()
    }
  })
})
