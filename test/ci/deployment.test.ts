import { spawn } from "node:child_process"
import { mkdtemp, rm } from "node:fs/promises"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { App, Stack } from "aws-cdk-lib"
import { Bucket } from "aws-cdk-lib/aws-s3"
import { afterEach, expect, onTestFinished, test, vi } from "vitest"
import { deployedStacks, stacksOf } from "../../ci/assembly.ts"
import { checkDrill, complaintsOf } from "../../ci/drill.ts"
import { openGitHub } from "../../ci/github.ts"
import { waitUntilReady } from "../../ci/ready.ts"
import { workerInputs } from "../../ci/worker-inputs.ts"
import { addPipelines } from "../../infra/pipelines.ts"
import { startGitHub } from "../support/github.ts"
import { removeHome, startHotswap } from "../support/hotswap.ts"
import { ROOT } from "../support/source-tree.ts"

afterEach(() => vi.unstubAllEnvs())

test("a stage's stacks are deployed, and neither another's nor what says what workflows may do", async () => {
  const outdir = await mkdtemp(join(tmpdir(), "hotswap-assembly-"))
  onTestFinished(async () => await rm(outdir, { recursive: true, force: true }))
  const app = new App({ outdir })
  for (const name of ["prod", "prod-data", "production", "staging"])
    new Bucket(new Stack(app, `Hotswap-${name}`), "Bucket")
  new Bucket(new Stack(app, "Hotswap-prod-backup-copy", { env: { region: "eu-west-1" } }), "Bucket")
  addPipelines(app)
  app.synth()
  expect(await deployedStacks(outdir, "prod")).toEqual([
    "Hotswap-prod",
    "Hotswap-prod-backup-copy",
    "Hotswap-prod-data",
  ])
  const regions = (await stacksOf(outdir, "prod")).map(({ region }) => region)
  expect(regions).toEqual([null, "eu-west-1", null])
  expect(await deployedStacks(outdir, "staging")).toEqual(["Hotswap-staging"])
  await expect(deployedStacks(outdir, "pro")).rejects.toThrow('there is no stage "pro"')
}, 120_000)

test("a step that is told to end hands that on, and ends when what it runs has", async () => {
  const child = `process.on("SIGTERM", () => setImmediate(() => { console.log("taken back"); process.exit(3) }))
    setInterval(() => {}, 1000)
    console.log("under way")`
  const step = `import { show } from ${JSON.stringify(join(ROOT, "ci/command.ts"))}
    await show("node", ["-e", ${JSON.stringify(child)}]).catch(({ message }) => console.log(message))`
  const running = spawn(process.execPath, ["--input-type=module", "-e", step])
  let said = ""
  const ended = new Promise((resolve) => running.on("close", resolve))
  for await (const text of running.stdout.setEncoding("utf8")) {
    if (said === "") running.kill("SIGTERM")
    said += text
  }
  expect(await ended).toBe(0)
  expect(said).toBe("under way\ntaken back\nnode -e ended with 3\n")
})

test("what it goes back to is the last commit that was deployed there well, and not this one", async () => {
  const github = await startGitHub("an-owner/a-name")
  onTestFinished(github.stop)
  vi.stubEnv("GITHUB_API_URL", github.url)
  vi.stubEnv("GITHUB_REPOSITORY", "an-owner/a-name")
  vi.stubEnv("GITHUB_TOKEN", github.token)
  const deployment = (environment: string, sha: string, ...states: string[]) => ({ environment, sha, states })
  github.deployments.push(
    deployment("prod", "this", "in_progress"),
    deployment("staging", "this", "success"),
    deployment("prod", "this", "success"),
    deployment("prod", "failed", "failure", "in_progress"),
    deployment("prod", "well", "inactive", "success", "in_progress"),
    deployment("prod", "older", "inactive", "success"),
  )
  expect(await openGitHub().deployedBefore("prod", "this")).toBe("well")
  expect(await openGitHub().deployedBefore("staging", "this")).toBeNull()
})

/** Answers each request with the next of these, the last for ever. */
const answering = async (...statuses: number[]): Promise<string> => {
  const server = createServer(({ url }, response) => {
    const status = statuses.length > 1 ? statuses.shift()! : statuses[0]!
    response.writeHead(url === "/ready" ? status : 404).end()
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  onTestFinished(() => void server.close())
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

test("functions that become ready are waited for, and those that do not fail the deployment", async () => {
  await expect(waitUntilReady(await answering(503, 503, 200), 0)).resolves.toBeUndefined()
  await expect(waitUntilReady(await answering(503), 0)).rejects.toThrow("/ready is not ready: 503")
})

const OUTPUTS = {
  ReadDoorUrl: "https://abc.lambda-url.eu-central-1.on.aws/",
  ManageDoorUrl: "https://def.lambda-url.eu-central-1.on.aws/",
  OutcomesDoorUrl: "https://ghi.lambda-url.eu-central-1.on.aws/",
  RouterDoorUrl: "https://jkl.lambda-url.eu-central-1.on.aws/",
}

test("the Worker is given where the functions are and what it is known by, of two secrets the new one", async () => {
  const secrets: Record<string, Record<string, string>> = {
    edge: { secret: "new, old" },
    "edge-key": { accessKeyId: "AKIA", secretAccessKey: "sign" },
    "reader-keys": { public: "jwks", private: "never" },
    redis: { url: "https://redis", token: "token" },
  }
  const inputs = await workerInputs(OUTPUTS, async (name) => secrets[name]!)
  expect(inputs).toEqual({
    WORKER_READ_ORIGIN: OUTPUTS.ReadDoorUrl,
    WORKER_MANAGE_ORIGIN: OUTPUTS.ManageDoorUrl,
    WORKER_OUTCOMES_ORIGIN: OUTPUTS.OutcomesDoorUrl,
    WORKER_ROUTER_ORIGIN: OUTPUTS.RouterDoorUrl,
    WORKER_EDGE_SECRET: "new",
    WORKER_READER_PUBLIC_KEYS: "jwks",
    WORKER_AWS_ACCESS_KEY_ID: "AKIA",
    WORKER_AWS_SECRET_ACCESS_KEY: "sign",
    WORKER_AWS_REGION: "eu-central-1",
    WORKER_UPSTASH_REDIS_REST_URL: "https://redis",
    WORKER_UPSTASH_REDIS_REST_TOKEN: "token",
  })
  secrets.otlp = { headers: "x-api-key=open" }
  const traced = await workerInputs(OUTPUTS, async (name) => secrets[name]!, ["OTEL_EXPORTER_OTLP_HEADERS"])
  expect(traced).toEqual({ ...inputs, WORKER_OTEL_EXPORTER_OTLP_HEADERS: "x-api-key=open" })
  const without = workerInputs({ ...OUTPUTS, ManageDoorUrl: undefined! }, async (name) => secrets[name]!)
  await expect(without).rejects.toThrow("ManageDoorUrl")
  await expect(workerInputs(OUTPUTS, async () => ({}))).rejects.toThrow('no field "secret"')
})

const NOW_SECONDS = 1_800_000_000
const metrics = (drilled: number | null, overdue = 0, failing = 0, dead = 0): string =>
  [
    "# HELP hotswap_backup_tenants_overdue Scopes …",
    `hotswap_backup_tenants_overdue ${overdue}`,
    `hotswap_backup_failures ${failing}`,
    ...(drilled === null ? [] : [`hotswap_drill_last_success_timestamp_seconds ${drilled}`]),
    `hotswap_jobs_dead{kind="backup"} ${dead}`,
    'hotswap_jobs_dead{kind="drill"} 0',
    "",
  ].join("\n")

test("the service tells what the drill's step asks for, to who may know", async () => {
  const hotswap = await startHotswap()
  onTestFinished(async () => {
    await hotswap.stop()
    await removeHome(hotswap.home)
  })
  vi.stubEnv("HOTSWAP_URL", hotswap.url)
  vi.stubEnv("HOTSWAP_WATCH_TOKEN", hotswap.adminToken)
  const complaint = await checkDrill().catch((error: Error) => error.message)
  expect(complaint ?? "").not.toMatch(/is not told|answered/)
  vi.stubEnv("HOTSWAP_WATCH_TOKEN", "another")
  await expect(checkDrill()).rejects.toThrow("/metrics answered 401")
}, 120_000)

test("a drill that is a day late, a backup that is overdue and a job that failed are each complained of", () => {
  expect(complaintsOf(metrics(NOW_SECONDS - 25 * 3_600), NOW_SECONDS)).toEqual([])
  expect(complaintsOf(metrics(NOW_SECONDS - 27 * 3_600), NOW_SECONDS)).toEqual([
    "archives were last restored for trial 27 hours ago",
  ])
  expect(complaintsOf(metrics(null, 2, 1, 3), NOW_SECONDS)).toEqual([
    "no archive was ever restored for trial",
    "2 backups are overdue",
    "1 scopes' last backups failed",
    '3 failed within the last day: hotswap_jobs_dead{kind="backup"}',
  ])
  expect(complaintsOf("", NOW_SECONDS)).toContain("hotswap_backup_failures is not told")
})
