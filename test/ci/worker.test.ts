import type { ServerResponse } from "node:http"
import { afterEach, beforeEach, describe, expect, test } from "vitest"
import { createCloudflare } from "../../ci/cloudflare.ts"
import { smoke } from "../../ci/smoke.ts"
import { bundleWorker, type WorkerBundle } from "../../ci/worker-bundle.ts"
import { type DeployOptions, deployWorker, RolledBack } from "../../ci/worker-deploy.ts"
import { secretsFrom } from "../../ci/worker-upload.ts"
import { readWorkerConfig, type WorkerConfig } from "../../ci/wrangler-config.ts"
import { type CloudflarePeer, startCloudflare } from "../support/cloudflare.ts"
import { createReaderKeys, type ReaderKeys } from "../support/edge.ts"
import { EDGE_SECRET, type ScriptedOrigin, startOrigin } from "../support/scripted-origin.ts"

const atOnce = async (): Promise<void> => {}

const config = readWorkerConfig("prod")
const bundle = await bundleWorker(config.main)
/** The same Worker, but for what it answers to a reader. */
const broken = (text: string): WorkerBundle => ({ ...bundle, hash: "broken", text })

const problem = (status: number, code: string) => (_: unknown, response: ServerResponse) =>
  void response
    .writeHead(status, { "content-type": "application/problem+json" })
    .end(JSON.stringify({ code }))

let cloudflare: CloudflarePeer
let origin: ScriptedOrigin
let keys: ReaderKeys
let token: string
let told: string[]

beforeEach(async () => {
  cloudflare = await startCloudflare()
  origin = await startOrigin()
  keys = await createReaderKeys()
  token = await keys.issue()
  told = []
  origin.says({ configs: { greeting: "hello" } })
  origin.answers("/ready", (_, response) => response.end('{"status":"ready"}'))
  // Whom the edge cannot check by itself, and what it does not answer, is for the functions.
  origin.answers("/api/v1/configs/tenant/acme", problem(401, "UNAUTHENTICATED"))
  origin.answers("/api/v1/outcomes", problem(400, "BODY_INVALID"))
})
afterEach(async () => {
  await cloudflare.close()
  await origin.close()
})

const environment = (): Record<string, string> => ({
  WORKER_READ_ORIGIN: origin.url,
  WORKER_MANAGE_ORIGIN: origin.url,
  WORKER_OUTCOMES_ORIGIN: origin.url,
  WORKER_ROUTER_ORIGIN: origin.url,
  WORKER_EDGE_SECRET: EDGE_SECRET,
  WORKER_READER_PUBLIC_KEYS: keys.jwks,
  WORKER_AWS_ACCESS_KEY_ID: "AKIDEXAMPLE",
  WORKER_AWS_SECRET_ACCESS_KEY: "secret",
  WORKER_AWS_REGION: "eu-central-1",
  WORKER_UPSTASH_REDIS_REST_URL: origin.url,
  WORKER_UPSTASH_REDIS_REST_TOKEN: "redis-token",
})

interface Run extends Partial<Omit<DeployOptions, "upload">> {
  bundle?: WorkerBundle
  config?: WorkerConfig
  environment?: Record<string, string>
}

const deploy = async (run: Run = {}): Promise<void> => {
  const {
    bundle: given = bundle,
    config: configured = config,
    environment: given_ = environment(),
    ...others
  } = run
  const { accountId, token: apiToken, apiUrl: baseUrl, siteUrl: url } = cloudflare
  await deployWorker({
    cloudflare: createCloudflare({ accountId, token: apiToken, baseUrl, pause: atOnce }),
    upload: {
      bundle: given,
      config: configured,
      secrets: secretsFrom(given_, configured.secrets.required),
      tag: "abc123",
    },
    smoke: async (trial) => void (await smoke({ url, token, tenant: "acme", pause: atOnce, ...trial })),
    tell: (line) => told.push(line),
    pause: atOnce,
    appliesMigrations: false,
    signal: new AbortController().signal,
    ...others,
  })
}

const reasonOf = (running: Promise<void>): Promise<Error> =>
  running.then(
    () => new Error("it went well"),
    (reason: Error) => reason,
  )

/** Who answers a reader that asks for no version. */
const serving = async (): Promise<string | null> =>
  (await fetch(`${cloudflare.siteUrl}/health`)).headers.get("hotswap-worker-version")

describe("the first deployment", () => {
  test("makes the Worker with all that it is bound to, behind its own host name only, whose certificate takes minutes", async () => {
    cloudflare.hasNoCertificateFor(400)
    await deploy()
    const [version] = cloudflare.versions()
    expect(cloudflare.deployments()).toEqual([{ [version!]: 100 }])
    expect(cloudflare.domains()).toEqual(new Map([[config.hostname, config.name]]))
    expect(cloudflare.namespaces()).toEqual(["hotswap-edge-prod-last-known-good"])
    expect(cloudflare.bindings(version!)).toMatchObject({
      READ_ORIGIN: origin.url,
      HOTSWAP_ENVIRONMENTS: "Development,QA,Staging,Production",
      LAST_KNOWN_GOOD: "kv_namespace",
      STREAM_HUB: "durable_object_namespace",
    })
    expect(cloudflare.calls).toContain("POST /workers/scripts/hotswap-edge-prod/subdomain")
    expect(await serving()).toBe(version)
  })

  test("is refused before anything is made when a secret is missing", async () => {
    const { WORKER_EDGE_SECRET: _, ...others } = environment()
    const reason = await reasonOf(deploy({ environment: { ...others, WORKER_AWS_REGION: " " } }))
    expect(reason.message).toContain("EDGE_SECRET, AWS_REGION")
    expect(cloudflare.calls.filter((call) => !call.startsWith("GET"))).toEqual([])
  })

  test("fails loudly when the service does not do what it should", async () => {
    const reason = await reasonOf(
      deploy({
        environment: { ...environment(), WORKER_READER_PUBLIC_KEYS: (await createReaderKeys("other")).jwks },
      }),
    )
    expect(reason.message).toContain("a read, and one of what is known: answered 401 instead of 200")
  })
})

describe("each deployment after it", () => {
  beforeEach(async () => await deploy())

  test("goes to who names it, to a tenth of the readers, and to all, each time tried", async () => {
    await deploy()
    const [old, fresh] = cloudflare.versions() as [string, string]
    expect(cloudflare.deployments().slice(1)).toEqual([
      { [fresh]: 0, [old]: 100 },
      { [fresh]: 10, [old]: 90 },
      { [fresh]: 100 },
    ])
    expect(told.slice(-3)).toEqual(["0 %: well", "10 %: well", "100 %: well"])
    expect(await serving()).toBe(fresh)
  })

  test("takes the secrets that it is not given from the version before", async () => {
    await deploy({ environment: { WORKER_AWS_REGION: "eu-west-1" } })
    const [old, fresh] = cloudflare.versions() as [string, string]
    expect(cloudflare.bindings(fresh)).toEqual({ ...cloudflare.bindings(old), AWS_REGION: "eu-west-1" })
  })

  test("takes none of a version that was taken back", async () => {
    const keyless = { WORKER_READER_PUBLIC_KEYS: (await createReaderKeys("other")).jwks }
    expect(await reasonOf(deploy({ environment: keyless }))).toBeInstanceOf(RolledBack)
    await deploy({ environment: {} })
    const [old, , fresh] = cloudflare.versions() as [string, string, string]
    expect(cloudflare.bindings(fresh)).toEqual(cloudflare.bindings(old))
  })

  test("that fails under its own name is given to nobody", async () => {
    expect(bundle.text).toContain("hotswap-revision")
    const text = bundle.text.replaceAll("hotswap-revision", "hotswap-version")
    const reason = await reasonOf(deploy({ bundle: broken(text) }))
    expect(reason).toBeInstanceOf(RolledBack)
    expect(reason.message).toContain("the one before does what it should")
    const [old, fresh] = cloudflare.versions() as [string, string]
    expect(cloudflare.deployments().slice(1)).toEqual([{ [fresh]: 0, [old]: 100 }, { [old]: 100 }])
    expect(await serving()).toBe(old)
  })

  test("that fails once readers have it is taken back, although its secrets are others", async () => {
    // Not at once, but a while after.
    let goesDownAfter = Number.POSITIVE_INFINITY
    cloudflare.onDeployed((shares) => {
      goesDownAfter = Object.values(shares).includes(10) ? 5 : Number.POSITIVE_INFINITY
    })
    origin.answers("/ready", (_, response) => {
      goesDownAfter -= 1
      response.writeHead(goesDownAfter < 0 ? 503 : 200).end()
    })
    const changed = { ...environment(), WORKER_UPSTASH_REDIS_REST_TOKEN: "another" }
    const reason = await reasonOf(deploy({ environment: changed }))
    expect(reason).toBeInstanceOf(RolledBack)
    const [old, fresh] = cloudflare.versions() as [string, string]
    expect(cloudflare.deployments().slice(2)).toEqual([{ [fresh]: 10, [old]: 90 }, { [old]: 100 }])
    expect(told.join()).toContain("readiness: answered 503 instead of 200")
  })

  test("that is ended by whoever runs it is taken back", async () => {
    const controller = new AbortController()
    // It comes while a tenth have it and nobody does anything but wait.
    const waits = async (): Promise<void> => {
      controller.abort(new Error("not to go on"))
      await new Promise(() => {})
    }
    const reason = await reasonOf(deploy({ signal: controller.signal, pause: waits }))
    expect(reason).toBeInstanceOf(RolledBack)
    expect(cloudflare.deployments().at(-1)).toEqual({ [cloudflare.versions()[0]!]: 100 })
  })

  test("goes on from the version that most readers had where a run was cut off", async () => {
    const cut = new Error("the machine is gone")
    const dead = {
      ...createCloudflare({ ...api(), pause: atOnce }),
      deploy: async () => {
        throw cut
      },
    }
    const living = createCloudflare({ ...api(), pause: atOnce })
    let calls = 0
    const dies = {
      ...living,
      deploy: async (...args: Parameters<typeof living.deploy>) => {
        calls += 1
        return await (calls > 2 ? dead : living).deploy(...args)
      },
    }
    const reason = await reasonOf(deploy({ cloudflare: dies }))
    expect(reason.message).toMatch(/could not be taken back .* at 100 % by hand/)
    const [old, cutOff] = cloudflare.versions() as [string, string]
    expect(cloudflare.deployments().at(-1)).toEqual({ [cutOff]: 10, [old]: 90 })
    await deploy()
    const fresh = cloudflare.versions()[2]!
    expect(cloudflare.deployments().slice(-3, -1)).toEqual([
      { [fresh]: 0, [old]: 100 },
      { [fresh]: 10, [old]: 90 },
    ])
    expect(await serving()).toBe(fresh)
  })

  test("is refused when it needs a secret that it is not given and no version had", async () => {
    const lacking = config.secrets.required.filter((name) => !name.startsWith("UPSTASH_"))
    await deploy({ config: { ...config, secrets: { required: lacking } } })
    const reason = await reasonOf(deploy({ environment: {} }))
    expect(reason.message).toContain("inherit binding 'UPSTASH_REDIS_REST_URL' is invalid (10057)")
    expect(cloudflare.versions()).toHaveLength(2)
  })

  test("that does not start alters nothing", async () => {
    const reason = await reasonOf(deploy({ bundle: broken("throw new Error('no')") }))
    expect(reason.message).toContain("10021")
    expect(cloudflare.deployments()).toHaveLength(1)
  })

  test("waits until a deployment is known where it asks, and takes no other version's word", async () => {
    cloudflare.lags(7)
    await deploy()
    expect(await serving()).toBeDefined()
    expect(cloudflare.deployments().at(-1)).toEqual({ [cloudflare.versions()[1]!]: 100 })
    cloudflare.lags(1_000)
    const reason = await reasonOf(deploy())
    expect(told.join()).toContain("health: was answered by version")
    expect(reason).toBeInstanceOf(RolledBack)
  })

  test("asks a busy API again", async () => {
    cloudflare.failsNext(3)
    await deploy()
    expect(cloudflare.deployments()).toHaveLength(4)
  })

  test("takes another host name once that has its certificate, and none that another Worker has", async () => {
    cloudflare.hasNoCertificateFor(100)
    await deploy({ config: { ...config, hostname: "moved.example.com" } })
    expect(cloudflare.domains().get("moved.example.com")).toBe(config.name)
    const other = { ...config, name: "another-worker" }
    const reason = await reasonOf(deploy({ config: other }))
    expect(reason.message).toContain("belongs to the Worker hotswap-edge-prod")
  })

  test("with a migration is for everybody at once, and only when somebody says so", async () => {
    const migrated = {
      ...config,
      migrations: [...config.migrations, { tag: "v2", new_sqlite_classes: ["StreamHub"] }],
    }
    const reason = await reasonOf(deploy({ config: migrated }))
    expect(reason.message).toContain("migration v2")
    expect(cloudflare.versions()).toHaveLength(1)
    await deploy({ config: migrated, appliesMigrations: true })
    expect(cloudflare.deployments().at(-1)).toEqual({ [cloudflare.versions()[1]!]: 100 })
    // It is applied now, so the next one is gradual again.
    await deploy({ config: migrated })
    expect(cloudflare.deployments()).toHaveLength(5)
  })
})

const api = () => ({ accountId: cloudflare.accountId, token: cloudflare.token, baseUrl: cloudflare.apiUrl })

test("a token that Cloudflare does not take is told in its words", async () => {
  const refused = createCloudflare({ ...api(), token: "wrong", pause: atOnce })
  const reason = await reasonOf(deploy({ cloudflare: refused }))
  expect(reason.message).toContain("Cloudflare answered 403, Authentication error (10000)")
})
