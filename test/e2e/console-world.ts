import type { Page } from "playwright-core"
import { expect } from "vitest"
import { type OpenBrowser, openBrowser } from "../support/browser.ts"
import { type RunningHotswap, removeHome, startHotswap } from "../support/hotswap.ts"

const PEOPLE = {
  erin: ["engineer"],
  emil: ["engineer"],
  max: ["manager"],
  carla: ["compliance"],
  tara: ["tenant_admin"],
} as const
export type Person = keyof typeof PEOPLE

export const SENTINEL = "correct-horse-battery"

/** A tenant with people, a flag in each of two environments, and a secret. */
const createTeam = async (hotswap: RunningHotswap, tenantId: string) => {
  const must = async <T = Record<string, unknown>>(
    method: string,
    path: string,
    body?: unknown,
    token?: string,
  ) => {
    const answer = await hotswap.call<T>(method, path, { body, ...(token === undefined ? {} : { token }) })
    expect(answer.status, `${path}: ${JSON.stringify(answer.body)}`).toBeLessThan(300)
    return answer.body
  }
  await must("POST", "/api/v1/tenants", { tenantId, name: tenantId })
  const tokens = {} as Record<Person, string>
  for (const [subject, roles] of Object.entries(PEOPLE)) {
    const path = `/api/v1/tenants/${tenantId}/tokens`
    tokens[subject as Person] = (await must<{ token: string }>("POST", path, { subject, roles })).token
  }
  const flag = (environment: string) =>
    `/api/v1/tenants/${tenantId}/flags/new-form?environment=${environment}`
  for (const environment of ["Development", "Staging"])
    await must("PUT", flag(environment), { enabled: false })
  const secret = { tenantId, environment: "Development", key: "smtp.password", value: SENTINEL, secret: true }
  await must("POST", "/api/v1/configs", secret)
  return { tenantId, tokens, must, flag }
}
type Team = Awaited<ReturnType<typeof createTeam>>

/** All of Hotswap with such a tenant, and a browser before it. */
export interface ConsoleWorld {
  hotswap: RunningHotswap
  browser: OpenBrowser
  team: Team
  open: (token: string, hash?: string) => ReturnType<typeof signIn>
  /** To be closed with the others. */
  opened: Page[]
  /** A page that nobody looks at any more would go on asking. */
  closePages(): Promise<void>
  stop(): Promise<void>
}

export const startWorld = async (env: Record<string, string> = {}): Promise<ConsoleWorld> => {
  const browser = await openBrowser()
  const opened: Page[] = []
  const hotswap = await startHotswap({ env }).catch(async (error: unknown) => {
    await browser.close()
    throw error
  })
  const stop = async () => {
    await browser.close()
    await hotswap.kill("group")
    await removeHome(hotswap.home)
  }
  const team = await createTeam(hotswap, "acme").catch(async (error: unknown) => {
    await stop()
    throw error
  })
  return {
    hotswap,
    browser,
    team,
    open: async (token, hash) => {
      const found = await signIn(browser, hotswap.url, token, hash)
      opened.push(found.page)
      return found
    },
    opened,
    closePages: async () => {
      await Promise.all(opened.splice(0).map((page) => page.context().close()))
    },
    stop,
  }
}

/** Somebody at the console, who has pasted their token; and what their page asked of whom, and complained of. */
const signIn = async (browser: OpenBrowser, origin: string, token: string, hash = "") => {
  const page = await browser.open(origin)
  // Sooner than the test's own end, so that it is told what did not come.
  page.setDefaultTimeout(25_000)
  const seen = { requests: [] as string[], complaints: [] as string[] }
  page.on("request", (request) => seen.requests.push(request.url()))
  page.on("console", (message) => message.type() === "error" && seen.complaints.push(message.text()))
  page.on("pageerror", (error) => seen.complaints.push(error.message))
  if (hash !== "") await page.evaluate(`location.hash = ${JSON.stringify(hash)}`)
  await page.getByLabel("Token").fill(token)
  await page.keyboard.press("Enter")
  await page.getByRole("navigation").waitFor()
  return { page, seen }
}

/** Tab by Tab, until what is wanted has the focus: nothing else leads there. */
export const tabTo = async (page: Page, name: RegExp, max = 60): Promise<void> => {
  const focused = () =>
    page.evaluate(
      `(() => { const it = document.activeElement; return [it.getAttribute("aria-label"), it.id && document.querySelector('label[for="' + it.id + '"]')?.textContent, it.closest("label")?.textContent, it.textContent].filter(Boolean).join(" | ") })()`,
    ) as Promise<string>
  const passed: string[] = []
  for (let step = 0; step < max; step++) {
    await page.keyboard.press("Tab")
    const name_ = await focused()
    if (name.test(name_)) return
    passed.push(name_.slice(0, 40))
  }
  throw new Error(`${name} is not reached by Tab; passed: ${passed.join(" · ")}`)
}

/** What is wrong with a page for whoever does not see it, sees little, or has a small screen. */
export const barriersOn = (page: Page): Promise<string[]> => page.evaluate(BARRIERS) as Promise<string[]>

/** In the page: contrast as WCAG 2.2 reckons it (1.4.3), names of controls (4.1.2), headings, and no scrolling aside (1.4.10). */
const BARRIERS = `(() => {
  const found = []
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true })
  const rgba = (colour) => {
    canvas.clearRect(0, 0, 1, 1)
    canvas.fillStyle = colour
    canvas.fillRect(0, 0, 1, 1)
    return [...canvas.getImageData(0, 0, 1, 1).data]
  }
  const luminance = ([r, g, b]) => {
    const [x, y, z] = [r, g, b].map((c) => (c / 255 <= 0.04045 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4))
    return 0.2126 * x + 0.7152 * y + 0.0722 * z
  }
  const groundOf = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = rgba(getComputedStyle(at).backgroundColor)
      if (colour[3] === 255) return colour
    }
    return rgba(matchMedia("(prefers-color-scheme: dark)").matches ? "black" : "white")
  }
  const isShown = (element) => element.checkVisibility({ opacityProperty: true, visibilityProperty: true })
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT)
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const element = node.parentElement
    if (node.textContent.trim() === "" || !isShown(element) || element.closest(":disabled, .hidden")) continue
    const style = getComputedStyle(element)
    const [one, other] = [luminance(rgba(style.color)), luminance(groundOf(element))].sort((a, b) => b - a)
    const size = Number.parseFloat(style.fontSize)
    const isLarge = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700)
    const ratio = (one + 0.05) / (other + 0.05)
    if (ratio < (isLarge ? 3 : 4.5)) found.push("contrast " + ratio.toFixed(2) + ": " + node.textContent.trim())
  }
  for (const control of document.querySelectorAll("a[href], button, input, select, textarea, summary, meter")) {
    if (!isShown(control) && control.type !== "radio") continue
    const name = control.getAttribute("aria-label") ?? (control.labels?.length ? control.labels[0].textContent : control.textContent)
    if (!name?.trim()) found.push("nameless: " + control.outerHTML.slice(0, 80))
  }
  const ids = [...document.querySelectorAll("[id]")].map(({ id }) => id)
  if (new Set(ids).size !== ids.length) found.push("an id is there twice")
  const headings = [...document.querySelectorAll("h1")].filter(isShown)
  if (headings.length !== 1) found.push(headings.length + " first headings")
  const { scrollWidth, clientWidth } = document.documentElement
  if (scrollWidth > clientWidth) found.push("it is " + scrollWidth + " wide, of " + clientWidth)
  return found
})()`
