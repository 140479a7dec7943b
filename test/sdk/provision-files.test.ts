import { mkdtemp, readdir, readFile, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, beforeEach, expect, test } from "vitest"
import type { TenantId } from "../../core/ids.ts"
import { planOf } from "../../core/provisioning/plan.ts"
import { DEFAULT_TEMPLATE } from "../../core/provisioning/template.ts"
import { runCli } from "../../sdk/src/cli/run.ts"

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "hotswap provisioning "))
})
afterEach(() => rm(folder, { recursive: true, force: true }))

const PLAN = planOf("acme-corp" as TenantId, "Enterprise", ["metrics", "logs"], DEFAULT_TEMPLATE)

/** A service that answers each request with the next of these, the last of them again and again. */
const cli = async (words: readonly string[], ...answers: readonly object[]) => {
  const asked: { method: string; url: string; body: unknown }[] = []
  const said = { out: "", noted: "" }
  const terminal = {
    out: (text: string) => {
      said.out += text
    },
    note: (text: string) => {
      said.noted += text
    },
    isWatched: false,
  }
  const answer = async (url: string | URL | Request, init?: RequestInit) => {
    const answered = answers[Math.min(asked.length, answers.length - 1)]
    asked.push({ method: init!.method!, url: String(url), body: init?.body && JSON.parse(String(init.body)) })
    return new Response(JSON.stringify(answered))
  }
  const variables = { HOTSWAP_URL: "http://hotswap", HOTSWAP_TOKEN: "a-token" }
  const outside = { fetch: answer as typeof fetch, pause: async () => {} }
  return { code: await runCli(["provision", ...words], variables, terminal, outside), asked, ...said }
}

test("what is applied is written as kubectl and helm take it, with the commands that do so", async () => {
  const out = join(folder, "it's here")
  const words = ["apply", "acme-corp", "--backends", "metrics,logs", "--move", "--out", out]
  const { code, asked, out: said } = await cli(words, { state: "applying", plan: PLAN })
  expect(code).toBe(0)
  expect(asked).toEqual([
    {
      method: "POST",
      url: "http://hotswap/api/v1/tenants/acme-corp/provisioning/apply",
      body: { backends: ["metrics", "logs"], move: true },
    },
  ])
  const list = JSON.parse(await readFile(join(out, "documents.json"), "utf8"))
  expect(list).toEqual({ apiVersion: "v1", kind: "List", items: PLAN.documents })
  const values = await readFile(join(out, "t-acme-corp-metrics.values.json"), "utf8")
  expect(JSON.parse(values)).toEqual(PLAN.releases[0]!.values)
  const quoted = `'${out.replace("'", "'\\''")}/`
  const [kubectl, metrics, logs, last] = said.split("\n")
  expect(kubectl).toBe(`kubectl apply --server-side --field-manager hotswap -f ${quoted}documents.json'`)
  expect(metrics).toContain(
    "helm upgrade --install t-acme-corp-metrics victoria-metrics-cluster --repo https://",
  )
  expect(metrics).toContain(
    ` --namespace hotswap-acme-corp --values ${quoted}t-acme-corp-metrics.values.json'`,
  )
  expect(logs).toContain(" t-acme-corp-logs victoria-logs-single ")
  expect(last).toBe("hotswap provision confirm acme-corp --wait")
})

test("a plan is shown by what it adds, alters and leaves, and writes nothing that it was not told to", async () => {
  const difference = { added: ["a"], altered: ["b"], same: ["c"], remains: ["d"] }
  const answer = { digest: "0f", plan: PLAN, difference }
  const { out } = await cli(["plan", "acme-corp", "--backends", "metrics"], answer)
  expect(out).toBe("+ a\n~ b\n  c\n- d\n  digest 0f\n")
  expect(await readdir(folder)).toEqual([])
  const words = ["plan", "acme-corp", "--backends", "none", "--out", folder]
  expect((await cli(words, answer)).asked[0]!.body).toEqual({ backends: [] })
  expect(await readdir(folder)).toContain("documents.json")
})

test("who waits is told how it ends, and fails with the reason", async () => {
  const path = ["confirm", "acme-corp", "--wait"]
  const validating = { state: "validating", words: "not yet", remains: [] }
  const active = { state: "active", words: null, remains: [] }
  expect(await cli(path, validating, validating, active)).toMatchObject({ code: 0, out: "active\n" })
  const failed = { state: "failed", words: "It answered 503.", remains: [] }
  const { code, noted } = await cli(path, validating, failed)
  expect([code, noted]).toEqual([1, "hotswap: failed: It answered 503.\n"])
  const applying = { state: "applying", remains: [] }
  expect((await cli(["status", "acme-corp", "--wait"], applying)).noted).toContain("provision confirm")
})

test("a release whose name would lead elsewhere is not written", async () => {
  const releases = [{ ...PLAN.releases[0]!, name: "../../elsewhere" }]
  const words = ["apply", "acme-corp", "--backends", "metrics", "--out", folder]
  const { code, noted } = await cli(words, { plan: { ...PLAN, releases } })
  expect([code, noted]).toEqual([1, 'hotswap: "../../elsewhere" is not the name of a release\n'])
  expect(await readdir(folder)).toEqual(["documents.json"])
})

test("without backends nothing is asked for", async () => {
  const { code, asked } = await cli(["plan", "acme-corp"], {})
  expect([code, asked]).toEqual([2, []])
})
