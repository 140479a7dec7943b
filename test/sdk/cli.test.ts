import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises"
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { text } from "node:stream/consumers"
import { afterEach, beforeEach, describe, expect, test } from "vitest"
import { COMMANDS, runCli } from "../../sdk/src/cli/run.ts"

interface Asked {
  method: string
  path: string
  body: Record<string, unknown>
  key: string | undefined
  token: string | undefined
}
type Answer = { status?: number; body?: unknown; headers?: Record<string, string> } | "nothing"

let server: Server
let url: string
let folder: string
let requests: Asked[]
/** What the service answers; by default that there is no such thing. */
let answer: (asked: Asked, nth: number) => Answer

const reply = (response: ServerResponse, given: Answer): void => {
  if (given === "nothing") {
    response.destroy()
    return
  }
  const { status = 200, body = {}, headers = {} } = given
  response.writeHead(status, headers).end(typeof body === "string" ? body : JSON.stringify(body))
}

const hear = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
  const body = await text(request)
  const { authorization, "idempotency-key": key } = request.headers
  const asked: Asked = {
    method: request.method!,
    path: request.url!,
    body: body === "" ? {} : (JSON.parse(body) as Record<string, unknown>),
    key: key as string | undefined,
    token: authorization,
  }
  requests.push(asked)
  reply(response, answer(asked, requests.length))
}

beforeEach(async () => {
  requests = []
  answer = () => ({ status: 404, body: { code: "TENANT_NOT_FOUND", detail: "There is no such tenant." } })
  server = createServer((request, response) => void hear(request, response))
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  folder = await mkdtemp(join(tmpdir(), "hotswap-cli-"))
})
afterEach(async () => {
  server.closeAllConnections()
  server.close()
  await rm(folder, { recursive: true, force: true })
})

const outside = { fetch, pause: async () => {} }

const cli = async (
  line: string,
  { isWatched = false, env = {} as Record<string, string | undefined> } = {},
) => {
  let out = ""
  let noted = ""
  const terminal = {
    out: (given: string) => {
      out += given
    },
    note: (given: string) => {
      noted += given
    },
    isWatched,
  }
  const variables = { HOTSWAP_URL: url, HOTSWAP_TOKEN: "the-token", ...env }
  const code = await runCli(line.split(" ").filter(Boolean), variables, terminal, outside)
  return { code, out, noted }
}

describe("a command that is wrong", () => {
  test.each([
    ["a command that is none", "restor acme"],
    ["half of a command", "backup"],
    ["a word too few", "backup show"],
    ["a word too many", "backup show one two"],
    ["an option that is none", "backup show one --colour"],
    ["an option without its value", "backup download one --out"],
    ["a number that is none", "schedule acme --every-hours often"],
    ["a contradiction", "schedule acme --pause --resume"],
    ["neither place to migrate to", "migrate acme"],
    ["both places to migrate to", "migrate acme --to http://h --to-environment QA --from Staging"],
    ["nowhere to migrate from", "migrate acme --to-environment QA"],
    ["no token of the other deployment", "migrate acme --to http://127.0.0.1:1"],
    ["a tenant to restore without an instant", "restore acme"],
    ["an address that is none", "backup list --url ftp://h"],
  ])("%s: exits with 2, says so in one line, and asks for nothing", async (_what, line) => {
    const { code, out, noted } = await cli(line)
    expect([code, out, requests]).toEqual([2, "", []])
    expect(noted).toMatch(/^hotswap: [^\n]+\n$/)
  })

  test.each(["HOTSWAP_URL", "HOTSWAP_TOKEN"])("so does one without %s", async (name) => {
    const { code, noted } = await cli("backup list", { env: { [name]: undefined } })
    expect([code, noted]).toEqual([2, expect.stringContaining(name)])
  })

  test("and whoever asks for help gets it, of every command, without a token", async () => {
    const env = { HOTSWAP_URL: undefined, HOTSWAP_TOKEN: undefined }
    const { code, out } = await cli("--help", { env })
    expect([code, COMMANDS.filter(({ name }) => !out.includes(name))]).toEqual([0, []])
    for (const { name, words, options = {} } of COMMANDS) {
      const one = await cli(`${name} --help`, { env })
      expect([name, one.code, one.noted]).toEqual([name, 0, ""])
      for (const told of [...words, ...Object.keys(options).map((option) => `--${option}`)])
        expect(one.out).toContain(told)
    }
  })
})

describe("what goes wrong", () => {
  test("is told in one line with its code, whatever the service puts into it", async () => {
    const detail = "no\n\u001b[2Jsuch\u202e thing\u2028"
    answer = () => ({
      status: 404,
      body: { code: "BACKUP_NOT_FOUND", detail, errors: [{ path: "/a", message: "is wrong" }] },
    })
    const { code, out, noted } = await cli("backup show acme:bkp_1")
    expect([code, out, noted]).toEqual([
      1,
      "",
      "hotswap: BACKUP_NOT_FOUND: no [2Jsuch  thing  (/a: is wrong)\n",
    ])
  })

  test("is told of what is no Hotswap, and of what does not answer", async () => {
    answer = () => ({ body: "<html>hello</html>" })
    expect(await cli("backup list")).toMatchObject({
      code: 1,
      noted: expect.stringMatching(/is that its address\?\n$/),
    })
    answer = () => "nothing"
    expect(await cli("backup list")).toMatchObject({
      code: 1,
      noted: expect.stringContaining("does not answer"),
    })
  })

  test("in passing is tried again, under the same idempotency key; what was refused is not", async () => {
    answer = (_asked, nth) =>
      nth === 1
        ? "nothing"
        : nth === 2
          ? { status: 503 }
          : { status: 202, body: { jobId: "acme:job_1", backupId: "acme:bkp_1" } }
    expect(await cli("backup create acme")).toEqual({ code: 0, out: "acme:bkp_1  acme:job_1\n", noted: "" })
    expect(requests.map(({ method }) => method)).toEqual(["POST", "POST", "POST"])
    expect(new Set(requests.map(({ key }) => key)).size).toBe(1)
    requests = []
    answer = () => ({ status: 409, body: { code: "BACKUP_HELD", detail: "It is held." } })
    expect((await cli("backup delete acme:bkp_1")).code).toBe(1)
    expect(requests.length).toBe(1)
  })

  test("the token goes to the deployment and to nobody it leads to", async () => {
    let led = 0
    const elsewhere = createServer((_request, response) => {
      led++
      response.end("{}")
    })
    await new Promise<void>((resolve) => elsewhere.listen(0, "127.0.0.1", resolve))
    const location = `http://127.0.0.1:${(elsewhere.address() as AddressInfo).port}/`
    answer = () => ({ status: 307, headers: { location } })
    expect((await cli("backup list")).code).toBe(1)
    elsewhere.close()
    expect([led, requests[0]!.token]).toEqual([0, "Bearer the-token"])
  })
})

describe("a job that is waited for", () => {
  const states = (...given: [state: string, more?: object][]) => {
    let nth = 0
    answer = ({ method }) => {
      if (method === "POST") return { status: 202, body: { jobId: "acme:job_1", backupId: "acme:bkp_1" } }
      const [state, more] = given[Math.min(nth++, given.length - 1)]!
      return { body: { jobId: "acme:job_1", kind: "backup.create", state, progress: {}, ...more } }
    }
  }

  test("shows how far it is where somebody watches, and leaves nothing of that", async () => {
    states(["running", { progress: { share: 0.5, rows: 12, bytes: 2_048 } }], ["succeeded", { result: {} }])
    const { code, out, noted } = await cli("backup create acme --wait", { isWatched: true })
    expect([code, out]).toEqual([0, "acme:bkp_1\n"])
    expect(noted).toContain("[############------------]  50 %  12 rows  2.0 KiB")
    expect(noted.endsWith("\r\u001b[2K")).toBe(true)
  })

  test("shows nothing of it where nobody does, nor to a program", async () => {
    states(["running"], ["succeeded", { result: { rows: 3 } }])
    expect((await cli("backup create acme --wait")).noted).toBe("")
    states(["running"], ["succeeded", { result: { rows: 3 } }])
    const { out, noted } = await cli("backup create acme --wait --json", { isWatched: true })
    expect([noted, JSON.parse(out)]).toEqual([
      "",
      expect.objectContaining({ state: "succeeded", result: { rows: 3 } }),
    ])
  })

  test("that failed or was cancelled exits with 1 and says why", async () => {
    states(["failed", { problem: { code: "ARCHIVE_DAMAGED", detail: "Part 3 is cut." } }])
    expect(await cli("backup validate acme:bkp_1 --wait")).toEqual({
      code: 1,
      out: "",
      noted: "hotswap: ARCHIVE_DAMAGED: Part 3 is cut. (job acme:job_1)\n",
    })
    states(["cancelled"])
    expect((await cli("jobs wait acme:job_1")).code).toBe(1)
  })
})

describe("an archive on its way", () => {
  const id = (nth: number): string => String(nth).repeat(64)
  const content = (nth: number): Buffer => Buffer.alloc(10 * nth, nth)
  const parts = [1, 2, 3].map((nth) => ({ id: id(nth), bytes: 10 * nth }))
  const index = { backupId: "acme:bkp_1", manifest: "c2VhbGVk", hash: "ab", parts, handOver: null }
  const fetched = () => requests.filter(({ path }) => path.includes("/parts/")).map(({ path }) => path.at(-1))
  const serve = (broken?: string, given: object = index) => {
    answer = ({ path }) => {
      if (path.endsWith("/manifest")) return { body: given }
      const nth = Number(path.at(-1))
      return path.endsWith(broken ?? "never")
        ? { status: 500, body: { code: "INTERNAL", detail: "Not now." } }
        : { body: { id: id(nth), bytes: content(nth).toString("base64") } }
    }
  }
  const download = () => cli(`backup download acme:bkp_1 --out ${folder}/archive`)

  test("comes down whole, and goes on where it broke off", async () => {
    serve(id(3))
    expect((await download()).code).toBe(1)
    await writeFile(join(folder, "archive/parts", id(2)), "cut short")
    serve()
    requests = []
    expect(await download()).toEqual({ code: 0, out: `${folder}/archive\n`, noted: "" })
    expect(fetched().sort()).toEqual(["2", "3"])
    for (const nth of [1, 2, 3])
      expect(await readFile(join(folder, "archive/parts", id(nth)))).toEqual(content(nth))
  })

  test("is not put where another one is", async () => {
    serve()
    await download()
    serve(undefined, { ...index, hash: "cd" })
    expect(await download()).toMatchObject({
      code: 1,
      noted: expect.stringContaining("holds another archive"),
    })
  })

  test.each([
    ["a part whose name leads elsewhere", { parts: [{ id: "../../../escaped", bytes: 1 }] }],
    ["a part without a length", { parts: [{ id: id(1) }] }],
    ["no parts", { parts: null }],
  ])("is not written with %s", async (_what, given) => {
    serve(undefined, { ...index, ...given })
    expect((await download()).code).toBe(1)
    expect(await readdir(folder)).toEqual([])
  })

  test("is not taken for whole with a part of another length", async () => {
    serve(undefined, { ...index, parts: [{ id: id(1), bytes: 11 }] })
    expect((await download()).code).toBe(1)
    expect(await readdir(join(folder, "archive/parts"))).toEqual([])
  })

  test("goes up part by part, where it is missing, and is checked there", async () => {
    serve()
    await download()
    requests = []
    answer = ({ method, path }) => {
      if (path.endsWith("/imports"))
        return { status: 201, body: { importId: "acme:bkp_1", backupId: "acme:bkp_1", missing: [id(2)] } }
      if (path.endsWith("/complete")) return { status: 202, body: { jobId: "acme:job_1" } }
      return { body: method === "PUT" ? {} : { state: "succeeded", result: { backupId: "acme:bkp_1" } } }
    }
    const { code, out } = await cli(`backup upload ${folder}/archive --trust the-key`)
    expect([code, out]).toEqual([0, "acme:bkp_1\n"])
    expect(requests.map(({ method, path }) => `${method} ${path}`)).toEqual([
      "POST /api/v1/backups/imports",
      `PUT /api/v1/backups/imports/acme:bkp_1/parts/${id(2)}`,
      "POST /api/v1/backups/imports/acme:bkp_1/complete",
      "GET /api/v1/jobs/acme:job_1",
    ])
    expect(requests[0]!.body).toEqual({ manifest: index.manifest, trustedSigningKey: "the-key" })
    expect(requests[1]!.body).toEqual({ bytes: content(2).toString("base64") })
  })

  test("does not go up from a folder that holds none", async () => {
    await writeFile(join(folder, "manifest.json"), "{")
    expect(await cli(`backup upload ${folder}`)).toMatchObject({
      code: 1,
      noted: expect.stringContaining("is not JSON"),
    })
    expect(await cli(`backup upload ${folder}/nowhere`)).toMatchObject({ code: 1 })
    expect(requests).toEqual([])
  })
})

describe("a list", () => {
  test("is read to its end and shown in columns, or as JSON", async () => {
    answer = ({ path }) =>
      path.includes("cursor=")
        ? {
            body: {
              items: [{ jobId: "acme:job_1", kind: "tenant.clone", state: "failed", createdAt: "then" }],
              nextCursor: null,
            },
          }
        : {
            body: {
              items: [{ jobId: "acme:job_2", kind: "backup.create", state: "running", createdAt: "now" }],
              nextCursor: "more",
            },
          }
    const { out } = await cli("jobs list acme")
    expect(out).toBe(
      [
        "job         kind           state    created",
        "acme:job_2  backup.create  running  now",
        "acme:job_1  tenant.clone   failed   then",
        "",
      ].join("\n"),
    )
    expect((JSON.parse((await cli("jobs list acme --json")).out) as unknown[]).length).toBe(2)
  })
})

describe("a schedule", () => {
  test("keeps what it is not told to alter", async () => {
    const own = {
      everyHours: 6,
      keepLast: null,
      keepDaily: 3,
      keepWeekly: null,
      keepMonthly: null,
      paused: false,
    }
    answer = () => ({ body: { tenantId: "acme", own } })
    await cli("schedule acme --keep-last 9 --keep-daily tier --pause")
    expect(requests.map(({ method, body }) => [method, body])).toEqual([
      ["GET", {}],
      ["PUT", { ...own, keepLast: 9, keepDaily: null, paused: true }],
    ])
  })
})
