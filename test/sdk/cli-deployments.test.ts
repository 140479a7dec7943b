import { createHmac } from "node:crypto"
import { once } from "node:events"
import { createServer, type IncomingHttpHeaders, type Server } from "node:http"
import type { AddressInfo } from "node:net"
import { text } from "node:stream/consumers"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { runCli } from "../../sdk/src/cli/run.ts"
import { asked, everythingOf, type Furnished, furnished } from "../functions/manage/hand-over-world.ts"
import { type DeploymentHere, startDeployment } from "../support/deployment.ts"

const SOURCE = "http://source.example"
const TARGET = "http://target.example"

let source: DeploymentHere
let target: DeploymentHere
let webhook: Server
let received: { headers: IncomingHttpHeaders; body: string }[] = []

beforeAll(async () => {
  webhook = createServer((request, response) => {
    void text(request).then((body) => {
      received.push({ headers: request.headers, body })
      response.writeHead(204).end()
    })
  }).listen(0, "127.0.0.1")
  await once(webhook, "listening")
  const start = (name: string) =>
    startDeployment({
      HOTSWAP_DEPLOYMENT_NAME: name,
      HOTSWAP_OUTBOUND_ALLOW: "127.0.0.0/8",
      HOTSWAP_MANAGEMENT_LIMITS: "off",
    })
  ;[source, target] = await Promise.all([start("source"), start("target")])
})
afterAll(async () => {
  webhook.close()
  await Promise.all([source?.stop(), target?.stop()])
})

const webhookUrl = () => `http://127.0.0.1:${(webhook.address() as AddressInfo).port}/`

/** A command line, run against the source unless it says otherwise. */
const hotswap = async (line: string) => {
  const said = { out: "", noted: "" }
  const terminal = {
    isWatched: false,
    out: (given: string) => {
      said.out += given
    },
    note: (given: string) => {
      said.noted += given
    },
  }
  const outside = {
    fetch: ((input: string, init: RequestInit) =>
      (input.startsWith(TARGET) ? target : source).fetch(input, init)) as typeof fetch,
    pause: async () => {},
  }
  const variables = {
    HOTSWAP_URL: SOURCE,
    HOTSWAP_TOKEN: source.adminToken,
    HOTSWAP_TO_TOKEN: target.adminToken,
  }
  return { code: await runCli(line.split(" "), variables, terminal, outside), ...said }
}
const done = async (line: string): Promise<string> => {
  const { code, out, noted } = await hotswap(line)
  expect([line, code, noted]).toEqual([line, 0, ""])
  return out
}

describe("a tenant that is handed over", () => {
  let made: Furnished
  let before: Awaited<ReturnType<typeof everythingOf>>
  beforeAll(async () => {
    made = await furnished(source, "acme-corp", webhookUrl())
    before = await everythingOf(source, "acme-corp")
    expect(await done(`migrate acme-corp --to ${TARGET}`)).toBe(
      `acme-corp is at ${TARGET}, and all 5 configs are the same. Its tokens are not: issue new ones there.\n`,
    )
  })

  test("has its configuration, flags, history and secrets in the other place", async () => {
    expect(await everythingOf(target, "acme-corp")).toEqual(before)
  })

  test("has its audit trail there, which goes on from where it was and is whole", async () => {
    const ask = (place: DeploymentHere) =>
      asked<{ items: { seq: number; hash: string }[] }>(
        place,
        "GET",
        "/api/v1/audit?tenantId=acme-corp&limit=100",
      )
    const [there, here] = await Promise.all([ask(source), ask(target)])
    const known = new Map(there.items.map(({ seq, hash }) => [seq, hash]))
    const carried = here.items.filter(({ seq, hash }) => known.get(seq) === hash)
    // The secrets that were compared are read in both places, each in its own trail.
    expect(carried.length).toBeGreaterThanOrEqual(10)
    const verdict = await asked(target, "POST", "/api/v1/audit/verify", { tenantId: "acme-corp" })
    expect(verdict).toMatchObject({ ok: true })
  })

  test("has none of its tokens there", async () => {
    const { items } = await asked<{ items: unknown[] }>(target, "GET", "/api/v1/tenants/acme-corp/tokens")
    expect(items).toEqual([])
    const answers = await Promise.all(
      [source, target].map((place) =>
        place.call("GET", "/api/v1/configs/acme-corp:Staging:greeting", { token: made.token }),
      ),
    )
    expect(answers.map(({ status }) => status)).toEqual([200, 401])
  })

  test("signs its webhooks there with the secret that their receivers know", async () => {
    received = []
    const path = `/api/v1/tenants/acme-corp/channels/${made.channel.channelId}/test`
    expect(await asked(target, "POST", path)).toMatchObject({ delivered: true })
    const [{ headers, body }] = received as [(typeof received)[number]]
    const signed = `${headers["webhook-id"]}.${headers["webhook-timestamp"]}.${body}`
    const key = Buffer.from(made.channel.secret.slice("whsec_".length), "base64")
    expect(headers["webhook-signature"]).toBe(
      `v1,${createHmac("sha256", key).update(signed).digest("base64")}`,
    )
  })

  test("is not made there a second time by mistake, nor by a deployment for itself", async () => {
    const again = await hotswap(`migrate acme-corp --to ${TARGET}`)
    expect([again.code, again.noted]).toEqual([
      1,
      expect.stringMatching(/^hotswap: acme-corp is at .* already: .*\n$/),
    ])
    const itself = await hotswap(`migrate acme-corp --to ${SOURCE} --to-token ${source.adminToken}`)
    expect([itself.code, itself.noted]).toEqual([
      1,
      expect.stringContaining("is the deployment that the tenant is on"),
    ])
  })

  test("goes there once more under another name, and only what could be made is told where nothing is to be", async () => {
    const tried = await done(`migrate acme-corp --to ${TARGET} --as tried --dry-run`)
    expect(tried).toBe(`tried could be made at ${TARGET}\n`)
    expect((await target.call("GET", "/api/v1/tenants/tried")).status).toBe(404)
    await done(`migrate acme-corp --to ${TARGET} --as second --name Second`)
    expect(await asked(target, "GET", "/api/v1/tenants/second")).toMatchObject({ name: "Second" })
  })
})

describe("an archive", () => {
  const statusOf = async (backupId: string) => (await source.call("GET", `/api/v1/backups/${backupId}`)).body

  test("is made, found, checked, held, let go of and removed by its commands", async () => {
    await furnished(source, "archived", webhookUrl())
    const backupId = (await done("backup create archived --wait")).trim()
    await done("backup create archived --include-empty-tables --wait")
    expect(await done("backup list archived")).toContain(backupId)
    expect(await done("backup list")).toContain(backupId)
    expect(await done(`backup show ${backupId}`)).toContain("state: complete")
    expect(await done(`backup validate ${backupId} --wait`)).toBe(`${backupId} is whole\n`)
    await done(`backup hold ${backupId}`)
    expect(await statusOf(backupId)).toMatchObject({ held: true })
    expect((await hotswap(`backup delete ${backupId}`)).code).toBe(1)
    await done(`backup release ${backupId}`)
    expect(await statusOf(backupId)).toMatchObject({ held: false })
    expect(await done("backup adopt archived --wait")).toBe("0 found\n")
    await done(`backup delete ${backupId}`)
    expect(await statusOf(backupId)).toMatchObject({ state: "removed" })
  })

  test("puts a tenant back, as an instant or a copy does, and a rehearsal alters nothing", async () => {
    await furnished(source, "restored", webhookUrl())
    const backupId = (await done("backup create restored --wait")).trim()
    const { at } = await statusOf(backupId)
    const greeting = async (tenantId: string) =>
      (await asked<{ value: unknown }>(source, "GET", `/api/v1/configs/${tenantId}:Staging:greeting`)).value
    const spoil = () => asked(source, "PUT", "/api/v1/configs/restored:Staging:greeting", { value: "spoilt" })
    await spoil()
    await done(`restore ${backupId} --dry-run --wait`)
    expect(await greeting("restored")).toBe("spoilt")
    await done(`restore ${backupId} --wait`)
    expect(await greeting("restored")).toBe("good morning")
    await spoil()
    await done(`restore restored --at ${at} --wait`)
    expect(await greeting("restored")).toBe("good morning")
    await done(`restore ${backupId} --as beside --name Beside --wait`)
    await done("clone restored cloned --wait")
    expect([await greeting("beside"), await greeting("cloned")]).toEqual(["good morning", "good morning"])
    expect(await asked(source, "GET", "/api/v1/tenants/beside")).toMatchObject({ name: "Beside" })
  })

  test("is not restored by words that contradict each other, nor taken to another environment without its own", async () => {
    for (const line of [
      "restore restored --at 2026-05-01T12:00:00Z --as other",
      "migrate restored --to-environment QA",
    ])
      expect([line, (await hotswap(line)).code]).toEqual([line, 2])
    await done("migrate restored --from Development --to-environment QA --dry-run --wait")
  })

  test("is told of as the job that it is", async () => {
    const [, jobId] = (await done("backup create archived")).trim().split(/ +/)
    expect(await done(`jobs wait ${jobId}`)).toContain("succeeded")
    expect(await done(`jobs show ${jobId}`)).toContain("backupId")
    expect(await done("jobs list archived")).toContain(jobId)
    expect((await hotswap(`jobs cancel ${jobId}`)).code).toBe(1)
    expect(await done("schedule archived --every-hours 12 --keep-last tier --pause")).toContain("everyHours")
    expect(await done("schedule archived --resume")).toContain('"everyHours":12')
    expect(await done("deployment")).toContain("name: source")
  })
})
