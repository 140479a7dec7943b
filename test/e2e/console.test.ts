import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest"
import { isBrowserMissing } from "../support/browser.ts"
import { barriersOn, type ConsoleWorld, SENTINEL, startWorld, tabTo } from "./console-world.ts"

// The console as people have it: in a real browser, before the whole service.

let world: ConsoleWorld
let hotswap: ConsoleWorld["hotswap"]
let team: ConsoleWorld["team"]
let open: ConsoleWorld["open"]

describe.skipIf(isBrowserMissing)("the console", { timeout: 120_000 }, () => {
  beforeAll(async () => {
    world = await startWorld()
    ;({ hotswap, team, open } = world)
  }, 90_000)
  afterEach(() => world.closePages())
  afterAll(() => world?.stop())

  test("is signed in to, and a flag switched and given to a share, with the keyboard alone", async () => {
    const page = await world.browser.open(hotswap.url)
    world.opened.push(page)
    await page.getByLabel("Token").waitFor()
    await page.keyboard.type(team.tokens.erin)
    await page.keyboard.press("Enter")
    await page.getByRole("switch", { name: "new-form" }).waitFor()

    await tabTo(page, /^new-form in Development/)
    await page.keyboard.press("Space")
    await page.getByText("Off for everyone, until now.").waitFor()
    await page.keyboard.press("Escape")
    expect(await page.getByRole("dialog").count()).toBe(0)
    await page.keyboard.press("Space")
    await tabTo(page, /^Cancel/)
    await page.keyboard.press("Enter")
    expect(await page.evaluate("document.activeElement.role")).toBe("switch")
    await page.keyboard.press("Space")
    await tabTo(page, /^Submit to Development/)
    await page.keyboard.press("Enter")
    await page.getByRole("switch", { name: "new-form", checked: true }).waitFor()
    expect(await team.must("GET", team.flag("Development"))).toMatchObject({ enabled: true })

    await tabTo(page, /^new-form$/)
    await page.keyboard.press("Enter")
    await page.getByRole("radio", { name: "Everyone" }).waitFor()
    await tabTo(page, /Everyone/)
    await page.keyboard.press("ArrowDown")
    await tabTo(page, /^Percentage$/)
    await page.keyboard.press("Control+a")
    await page.keyboard.type("12.5")
    await tabTo(page, /^Review the change/)
    await page.keyboard.press("Enter")
    await page.getByText("On for 12.5 % of entities").waitFor()
    await tabTo(page, /^Submit to Development/)
    await page.keyboard.press("Enter")
    await page.getByText("On for 12.5 % of entities in Development").waitFor()
    expect(await team.must("GET", team.flag("Development"))).toMatchObject({ percentage: 12.5 })
  })

  test("opens again what was closed a moment before, however busy the page is", async () => {
    const { page } = await open(team.tokens.erin, "#/flags?tenant=acme&environment=Staging")
    await page.getByRole("switch", { name: "new-form" }).click()
    await page.getByText("Off for everyone, until now.").waitFor()
    const isOpen = await page.evaluate(`(async () => {
      document.querySelector("dialog").requestClose()
      document.querySelector("[role=switch]").click()
      for (let i = 0; i < 3; i++) await new Promise(requestAnimationFrame)
      return document.querySelector("dialog")?.matches(":modal") ?? false
    })()`)
    expect(isOpen).toBe(true)
  })

  test("brings a flag to Production: typed, agreed to by three others, and seen to move by whoever looks on", async () => {
    const { page: author } = await open(team.tokens.erin, "#/flags/new-form?tenant=acme&environment=Staging")
    await author.getByRole("button", { name: "Promote to Production" }).click()
    const dialog = author.getByRole("dialog")
    for (const role of ["engineer", "manager", "compliance"])
      await dialog.getByText(role, { exact: true }).waitFor()
    await dialog.getByText("10 %").waitFor()
    const submit = dialog.getByRole("button", { name: "Submit to Production" })
    expect(await submit.isDisabled()).toBe(true)
    await dialog.getByLabel("Type Production to confirm").fill("Production")
    await dialog.getByLabel("Why").fill("it was tested")
    await submit.click()
    await author.getByText("You are its author: somebody else has to agree.").waitFor()
    expect(await author.getByRole("button", { name: "Approve" }).count()).toBe(0)

    for (const person of ["emil", "max", "carla"] as const) {
      const { page } = await open(team.tokens[person], "#/approvals?tenant=acme")
      await page.getByRole("main").getByRole("link", { name: "new-form" }).click()
      await page.getByText("it was tested").first().waitFor()
      await page.getByRole("button", { name: "Approve" }).click()
      await page.getByLabel("Type Production to confirm").fill("Production")
      await page.getByRole("dialog").getByRole("button", { name: "Approve" }).click()
      await page.getByText("Approve: done in Production.").waitFor()
    }
    await author.getByText("10 % of readers have it.").waitFor()
    for (const person of ["emil", "max", "carla"]) await author.getByText(person, { exact: true }).waitFor()

    const { page: onCall } = await open(team.tokens.max, "#/rollouts?tenant=acme&environment=Production")
    const control = async (verb: "Pause" | "Resume" | "Advance" | "Abort") => {
      await onCall.getByRole("button", { name: verb, exact: true }).click()
      if (verb === "Resume" || verb === "Advance")
        await onCall.getByLabel("Type Production to confirm").fill("Production")
      await onCall.getByRole("dialog").getByRole("button", { name: verb }).click()
      await onCall.getByText(`${verb}: done in Production.`).waitFor()
    }
    await control("Pause")
    await author.getByText("10 % of readers have it, and it is paused.").waitFor()
    await control("Resume")
    await control("Advance")
    await author.getByText("50 % of readers have it.").waitFor()
    await control("Abort")
    await author.getByText("Everyone is back on what was stable before it: aborted.").waitFor()
    await onCall.getByText("Nothing is rolling out").waitFor()
  })

  test("says that somebody changed it meanwhile, does not overrule them, and reloads", async () => {
    const { page } = await open(team.tokens.erin, "#/configs?tenant=acme&environment=Development")
    const at = "/api/v1/configs/acme:Development:limit"
    await page.getByRole("button", { name: "New config" }).click()
    await page.getByLabel("Key", { exact: true }).fill("limit")
    await page.getByLabel("Kind of value").selectOption("number")
    await page.getByRole("textbox", { name: "Value" }).fill("1")
    await page.getByRole("button", { name: "Review" }).click()
    await page.getByRole("button", { name: "Submit to Development" }).click()
    await page.getByRole("link", { name: "limit" }).click()
    await page.getByRole("textbox", { name: "Value" }).fill("2")
    await page.getByRole("button", { name: "Review the change" }).click()
    await page.getByRole("button", { name: "Submit to Development" }).waitFor()
    await team.must("PUT", at, { value: 77 }, team.tokens.emil)
    await page.getByRole("button", { name: "Submit to Development" }).click()
    await page.getByRole("alert").getByText("Somebody changed it meanwhile").waitFor()
    expect(await team.must("GET", at)).toMatchObject({ value: 77 })
    await page.getByRole("alert").getByRole("button", { name: "Reload" }).click()
    await page.getByText("Changed by emil", { exact: false }).last().waitFor()
    await page.getByRole("button", { name: "Bring back version 1" }).waitFor()
  })

  test("says what is wrong with a value where it is wrong, and what the service refuses in its words", async () => {
    const { page } = await open(team.tokens.erin, "#/flags/new-form?tenant=acme&environment=Development")
    await page.getByText("Rules and variants, as JSON").click()
    const definition = page.getByLabel("Definition")
    await definition.fill('{"enabled": tru')
    await page.getByText(/^It is no JSON:/).waitFor()
    expect(await definition.getAttribute("aria-invalid")).toBe("true")
    await definition.fill('{"state":"ENABLED","variants":{"a":1},"defaultVariant":"b"}')
    await definition.press("Control+Enter")
    const alert = page.getByRole("dialog").getByRole("alert")
    await alert.getByText("FLAG_INVALID").waitFor()
    await alert.getByText("/defaultVariant").first().waitFor()
    expect(await page.getByRole("button", { name: "Submit to Development" }).isDisabled()).toBe(true)
  })

  test("shows a secret only when it is asked to, and to whom it may", async () => {
    const hash = "#/configs/smtp.password?tenant=acme&environment=Development"
    const { page: engineer } = await open(team.tokens.erin, hash)
    await engineer.getByText("a secret, sealed").first().waitFor()
    expect(await engineer.getByRole("button", { name: "Show the secret" }).count()).toBe(0)
    const { page } = await open(team.tokens.tara, hash)
    await page.getByRole("button", { name: "Show the secret" }).waitFor()
    expect(await page.content()).not.toContain(SENTINEL)
    await page.getByRole("button", { name: "Show the secret" }).click()
    await page.getByRole("button", { name: "Show it" }).click()
    await page.getByText(SENTINEL).waitFor()
    await page.getByRole("button", { name: "Hide it" }).click()
    expect(await page.content()).not.toContain(SENTINEL)
    const { items } = await team.must<{ items: { actor: { subject: string } }[] }>(
      "GET",
      "/api/v1/audit?tenantId=acme&action=secret.read",
    )
    expect(items.map(({ actor }) => actor.subject)).toEqual(["tara"])
  })

  test("keeps its token in the tab, asks nobody but its own origin, and forgets it all at the end", async () => {
    const { page, seen } = await open(team.tokens.tara, "#/audit?tenant=acme")
    await page.getByRole("button", { name: "Verify" }).click()
    await page.getByText(/entries are as they were written/).waitFor()
    expect(await page.getByRole("navigation").getByRole("link", { name: "Tenants" }).count()).toBe(0)
    expect(seen.requests.filter((url) => !url.startsWith(`${hotswap.url}/`))).toEqual([])
    expect([...seen.requests, page.url()].filter((url) => url.includes(team.tokens.tara))).toEqual([])
    const kept = () =>
      page.evaluate("[localStorage.length, document.cookie, Object.values(sessionStorage).join()].join('|')")
    expect(await kept()).toMatch(/^0\|\|.*hs_acme_/)
    await page.getByRole("button", { name: "Sign out" }).click()
    await page.getByLabel("Token").waitFor()
    expect(await kept()).toBe("0||")
    expect(await page.getByRole("heading", { name: "Hotswap is running" }).isVisible()).toBe(true)
    expect(seen.complaints).toEqual([])
    await page.getByLabel("Token").fill("hs_nobody")
    await page.keyboard.press("Enter")
    await page.getByRole("alert").getByText("UNAUTHENTICATED").waitFor()
  })

  test("has tenants made, suspended and resumed by the platform's admin, who says which by its name", async () => {
    const { page } = await open(hotswap.adminToken, "#/tenants")
    await page.getByRole("button", { name: "New tenant" }).click()
    await page.getByLabel("Name").fill("Globex")
    await page.getByRole("button", { name: "Create" }).click()
    await page.getByRole("button", { name: "Suspend globex" }).click()
    const confirm = page.getByRole("dialog").getByRole("button", { name: "Suspend" })
    await page.getByLabel("Type globex to confirm").fill("acme")
    expect(await confirm.isDisabled()).toBe(true)
    await page.getByLabel("Type globex to confirm").fill("globex")
    await confirm.click()
    await page.getByRole("button", { name: "Resume globex" }).waitFor()
    expect(await team.must("GET", "/api/v1/tenants/globex")).toMatchObject({ status: "suspended" })
    await page.getByRole("combobox", { name: "Tenant", exact: true }).selectOption("~platform")
    await page.getByRole("heading", { name: "Tenants" }).waitFor()
    expect(page.url()).toContain("tenant=%7Eplatform")
  })

  test("has no barrier on any page, in light, in dark and on a small screen", async () => {
    const { page, seen } = await open(hotswap.adminToken, "#/flags?tenant=acme&environment=Development")
    const { items } = await team.must<{ items: { changeId: string }[] }>(
      "GET",
      "/api/v1/changes?tenantId=acme&environment=Production",
    )
    const pages = [
      ...["flags", "flags/new-form", "configs", "configs/smtp.password", "changes", "approvals", "rollouts"],
      ...["audit", "policy", "tokens", "notifications", "backups", "deployments", "tenants"],
      `changes/${encodeURIComponent(items[0]!.changeId)}`,
    ]
    for (const [colorScheme, width] of [
      ["light", 1280],
      ["dark", 320],
    ] as const) {
      await page.emulateMedia({ colorScheme })
      await page.setViewportSize({ width, height: 900 })
      for (const path of pages) {
        await page.evaluate(`location.hash = "#/${path}?tenant=acme&environment=Development"`)
        const [name = "", id] = path.split("/")
        // The page before is gone once this one has said what it is.
        await expect
          .poll(async () => (await page.title()).toLowerCase())
          .toContain(decodeURIComponent(id ?? name).toLowerCase())
        await expect.poll(() => page.locator(".loading").count()).toBe(0)
        expect(await barriersOn(page), `${path}, ${colorScheme}, ${width}`).toEqual([])
      }
      await page.evaluate('location.hash = "#/flags?tenant=acme&environment=Development"')
      await page.getByRole("switch", { name: "new-form" }).click()
      await page.getByText("Who has to agree").waitFor()
      expect(await barriersOn(page), `the review, ${colorScheme}`).toEqual([])
      await page.keyboard.press("Escape")
    }
    expect(seen.complaints).toEqual([])
  })
})
