import { createServer, type IncomingMessage } from "node:http"
import type { AddressInfo } from "node:net"
import { afterAll, afterEach, beforeAll, describe, expect, onTestFinished, test } from "vitest"
import { isBrowserMissing } from "../support/browser.ts"
import { type ConsoleWorld, startWorld } from "./console-world.ts"

// What is set up in the console: who is let in, what is asked of changes, who is told of them, what is kept.

let world: ConsoleWorld
let team: ConsoleWorld["team"]
let open: ConsoleWorld["open"]

/** Takes whatever is sent to it. */
const startReceiver = async () => {
  const received: IncomingMessage[] = []
  const server = createServer((request, response) => {
    received.push(request)
    response.end()
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const { port } = server.address() as AddressInfo
  const close = async () => {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  }
  onTestFinished(close)
  return { url: `http://127.0.0.1:${port}`, received, close }
}

describe.skipIf(isBrowserMissing)("the console's settings", { timeout: 120_000 }, () => {
  beforeAll(async () => {
    world = await startWorld({ HOTSWAP_OUTBOUND_ALLOW: "127.0.0.0/8" })
    ;({ team, open } = world)
  }, 90_000)
  afterEach(() => world.closePages())
  afterAll(() => world?.stop())

  test("a token is shown once, and nobody is let in with it once it is revoked", async () => {
    const { page } = await open(team.tokens.tara, "#/tokens?tenant=acme")
    await page.getByRole("button", { name: "New token" }).click()
    await page.getByLabel("Name", { exact: true }).fill("sam")
    await page.getByLabel(/^Viewer/).check()
    await page.getByLabel(/^Engineer/).uncheck()
    await page.getByRole("button", { name: "Issue it" }).click()
    const token = await page.getByLabel("Token", { exact: true }).inputValue()
    const whoami = async () => (await world.hotswap.call("GET", "/api/v1/whoami", { token })).body
    expect(await whoami()).toMatchObject({ subject: "sam", roles: ["viewer"] })
    await page.getByRole("button", { name: "Done" }).click()
    const revoke = page.getByRole("button", { name: "Revoke the token of sam" })
    await revoke.waitFor()
    expect(await page.content()).not.toContain(token)
    await revoke.click()
    await page.getByRole("button", { name: "Revoke it" }).click()
    await page.getByText("The token of sam is revoked.").waitFor()
    expect(await whoami()).toMatchObject({ code: "UNAUTHENTICATED" })
    await page.getByLabel("Tokens").selectOption("All")
    await page.getByRole("row", { name: "sam" }).getByText("revoked").waitFor()
  })

  test("a policy says whose each part is, and one of Production waits for the approvals it would do away with", async () => {
    const at = "/api/v1/tenants/acme/environments/Production/policy"
    await team.must("PUT", "/api/v1/tenants/~platform/environments/Development/policy", {
      promoteFromAny: true,
    })
    const { page } = await open(team.tokens.max, "#/policy?tenant=acme&environment=Development")
    await page.getByRole("row", { name: "skip environments" }).getByText("The platform").waitFor()
    await page.evaluate('location.hash = "#/policy?tenant=acme&environment=Production"')
    await page.getByRole("row", { name: "engineer: 1, then manager: 1" }).getByText("By default").waitFor()
    const owed = page.getByRole("group", { name: "Who has to agree" })
    await owed.getByLabel("Said here").check()
    await owed.getByRole("button", { name: "Remove stage 3" }).click()
    await owed.getByRole("button", { name: "Remove stage 1" }).click()
    await page.getByRole("button", { name: "Review the policy" }).click()
    const dialog = page.getByRole("dialog")
    await dialog.getByText("compliance", { exact: true }).waitFor()
    await dialog.getByLabel("Type Production to confirm").fill("Production")
    await dialog.getByRole("button", { name: "Submit to Production" }).click()
    await page.getByRole("heading", { name: "policy and rules in Production" }).waitFor()
    await page.getByText("It waits for an engineer to agree.").waitFor()
    expect(await team.must("GET", at)).toMatchObject({ own: null })
    await page.goBack()
    await page.getByRole("region", { name: "On its way" }).getByText("Awaits approval").waitFor()
  })

  test("rules that are wrong are told of by their lines, and those that are right hold from then on", async () => {
    const { page } = await open(team.tokens.max, "#/policy?tenant=acme&environment=Staging")
    await page.getByText("Rules of acme itself").click()
    const rules = page.getByRole("textbox", { name: "Rules" })
    const submit = async (require: string) => {
      await rules.fill(`[\n{"id": "pool",\n"description": "At most ten.",\n"require": ${require}}]`)
      await page.getByRole("button", { name: "Review the rules" }).click()
      await page.getByRole("dialog").getByRole("button", { name: "Submit to Staging" }).click()
    }
    await submit('{"biggest": [1]}')
    await page.getByRole("button", { name: "Line 4" }).click()
    const selected =
      "(({ value, selectionStart, selectionEnd }) => value.slice(selectionStart, selectionEnd))"
    expect(await page.evaluate(`${selected}(document.activeElement)`)).toBe("[1]")
    await submit('{"<=": [{"var": "pool.max"}, 10]}')
    await page.getByText("The rules of Staging: in force now.").waitFor()
    await page.getByRole("listitem").getByText("At most ten.").waitFor()
    const config = { tenantId: "acme", environment: "Staging", key: "pool.max", value: 11 }
    const refused = await world.hotswap.call("POST", "/api/v1/configs", { body: config })
    expect(refused.body).toMatchObject({ code: "RULE_BROKEN" })
  })

  test("a change goes out in the steps that were written for it, as the service understands them", async () => {
    const { page } = await open(team.tokens.erin, "#/flags?tenant=acme&environment=Staging")
    await page.getByRole("switch", { name: "new-form" }).click()
    const dialog = page.getByRole("dialog")
    const submit = dialog.getByRole("button", { name: "Submit to Staging" })
    await dialog.getByText("Another strategy, or a trial for some readers").click()
    await dialog.getByLabel("Strategy").selectOption("A canary, in steps of your own")
    await dialog.getByLabel("Percentage of step 1").fill("60")
    await dialog.getByText("STRATEGY_INVALID").waitFor()
    expect(await submit.isDisabled()).toBe(true)
    await dialog.getByRole("button", { name: "Remove step 2" }).click()
    await dialog.getByLabel("Percentage of step 1").fill("2.5")
    await dialog.getByLabel("Unit of how long step 1 is held").selectOption("until a person goes on")
    await dialog.getByText("to come, until a person goes on").waitFor()
    await submit.click()
    await page.getByText("2.5 % of readers have it.").waitFor()
  })

  test("a channel's secret is told once, and a test says what came of it", async () => {
    const receiver = await startReceiver()
    const { page } = await open(team.tokens.tara, "#/notifications?tenant=acme")
    await page.getByRole("button", { name: "New channel" }).click()
    await page.getByLabel("URL").fill("http://127.0.0.1:1/")
    await page.getByRole("button", { name: "Create" }).click()
    const secret = await page.getByLabel("Secret", { exact: true }).inputValue()
    expect(secret).toMatch(/^whsec_/)
    await page.getByRole("button", { name: "Done" }).click()
    await page.getByRole("button", { name: "Send a test" }).click()
    await page.getByText("It was not taken:").waitFor()
    await page.getByRole("button", { name: "Alter" }).click()
    await page.getByLabel("URL").fill(receiver.url)
    await page.getByRole("button", { name: "Alter it" }).click()
    await page.getByRole("heading", { name: receiver.url }).waitFor()
    await page.getByRole("button", { name: "Send a test" }).click()
    await page.getByText("It was taken:").waitFor()
    expect(receiver.received[0]?.headers["webhook-signature"]).toMatch(/^v1,/)
    expect(await page.content()).not.toContain(secret)
    await page.getByRole("button", { name: "Delete" }).click()
    await page.getByRole("button", { name: "Delete it" }).click()
    await page.getByText("Nobody is told of anything").waitFor()
  })

  test("a backup is made and read through, and how far it is is seen", async () => {
    const { page } = await open(team.tokens.tara, "#/backups?tenant=acme")
    await page.getByRole("button", { name: "Back up now" }).click()
    // One may come due by itself at any moment, and be done first.
    const done = (words: string) =>
      page
        .getByRole("listitem")
        .filter({ hasText: words })
        .getByText("Done")
        .first()
        .waitFor({ timeout: 45_000 })
    await done("A backup is made")
    await page.getByRole("button", { name: "Validate" }).first().click()
    await done("A backup is read through")
    await page.getByText("whole", { exact: true }).first().waitFor()
    const { items } = await team.must<{ items: { verifiedAt: string | null }[] }>(
      "GET",
      "/api/v1/tenants/acme/backups",
    )
    expect(items.some(({ verifiedAt }) => verifiedAt !== null)).toBe(true)
  })

  test("a backend that is gone is said to be, as soon as somebody looks", async () => {
    const receiver = await startReceiver()
    await team.must("PUT", "/api/v1/tenants/acme/deployments", { logs: { targets: [{ url: receiver.url }] } })
    const { page } = await open(team.tokens.erin, "#/deployments?tenant=acme")
    const logs = page.getByRole("region", { name: "Logs" })
    await page.getByRole("button", { name: "Check now" }).click()
    await logs.getByText("Healthy", { exact: true }).first().waitFor()
    await receiver.close()
    // What was looked at a moment ago is not looked at again.
    await expect
      .poll(
        async () => {
          await page.getByRole("button", { name: "Check now" }).click()
          return await logs.getByText("Unhealthy").count()
        },
        { timeout: 40_000, interval: 500 },
      )
      .toBeGreaterThan(0)
  })

  test("nobody is offered what their roles do not allow", async () => {
    const { page } = await open(team.tokens.erin, "#/policy?tenant=acme&environment=Production")
    await page.getByText("Managers and tenant admins write it.").waitFor()
    await page.getByRole("row", { name: "Who has to agree" }).waitFor()
    expect(await page.getByRole("button", { name: "Review" }).count()).toBe(0)
    const menu = page.getByRole("navigation")
    for (const [name, words] of [
      ["Tokens", "Your roles do not look at tokens"],
      ["Notifications", "Your roles do not look at channels"],
      ["Backups", "Backups are for tenant admins"],
    ] as const) {
      expect(await menu.getByRole("link", { name }).count()).toBe(0)
      await page.evaluate(`location.hash = "#/${name.toLowerCase()}?tenant=acme"`)
      await page.getByText(words).waitFor()
    }
  })
})
