import { generateKeyPairSync, randomBytes } from "node:crypto"
import { once } from "node:events"
import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { type AddressInfo, connect } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { createServer } from "node:tls"
import { selfSigned } from "../support/certificate.ts"
import { openTestDatabase } from "../support/database.ts"
import { type EdgeOptions, type RunningEdge, startEdge } from "../support/edge.ts"
import { synthesise } from "../support/lambda/assets.ts"
import { type FunctionUrl, type LetIn, startFunctionUrl } from "../support/lambda/function-url.ts"
import { startLambda } from "../support/lambda/lambda.ts"
import { sampleSettings } from "../support/lambda/settings.ts"
import { startTestRedis } from "../support/redis.ts"

// What is deployed, each part as it is there: the Worker's module in workerd, before URLs of functions, before the assets of the
// synthesised production stage, before PostgreSQL and Redis.

const REGION = "eu-central-1"
const chance = (): string => randomBytes(30).toString("base64url")

/** Key pair as `docs/deploy.md` has it made. */
const keySets = () => {
  const { privateKey, publicKey } = generateKeyPairSync("ed25519")
  const set = (key: typeof privateKey): string =>
    JSON.stringify({ keys: [{ ...key.export({ format: "jwk" }), kid: "first" }] })
  return { private: set(privateKey), public: set(publicKey) }
}

/** Deployed functions speak to Redis by https only. */
const behindTls = async (port: number, directory: string) => {
  const { cert, key } = selfSigned(["localhost"])
  const authority = join(directory, "authority.pem")
  await writeFile(authority, cert)
  const server = createServer({ cert, key }, (caller) => {
    const redis = connect(port, "127.0.0.1")
    caller.on("error", () => redis.destroy()).pipe(redis)
    redis.on("error", () => caller.destroy()).pipe(caller)
  }).listen(0, "127.0.0.1")
  await once(server, "listening")
  return {
    url: `https://localhost:${(server.address() as AddressInfo).port}`,
    authority,
    close: async () => await new Promise((resolve) => server.close(resolve)),
  }
}

type Call = <T = Record<string, unknown>>(
  method: string,
  path: string,
  asked?: { token?: string; body?: unknown; headers?: Record<string, string> },
) => Promise<{ status: number; headers: Headers; text: string; body: T }>

/** Calls as anybody on the internet does. */
const callerOf =
  (url: string, answers: string[]): Call =>
  async (method, path, { token, body, headers } = {}) => {
    const answer = await fetch(url + path, {
      method,
      headers: { ...headers, ...(token === undefined ? {} : { authorization: `Bearer ${token}` }) },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    const text = await answer.text()
    answers.push(`${answer.status} ${JSON.stringify([...answer.headers])} ${text}`)
    return { status: answer.status, headers: answer.headers, text, body: JSON.parse(text || "null") }
  }

export interface DeployedWorld {
  /** Through the Worker. */
  call: Call
  urls: Readonly<Record<"read" | "manage" | "outcomes" | "router", FunctionUrl>>
  admin: string
  key: LetIn
  edgeSecret: string
  /** All that functions and Workers have written to their logs, and all that callers were answered. */
  told: { logs: string[]; answers: string[] }
  /** One more, told something else, or with the key-value store of one before. */
  worker(
    bindings?: Readonly<Record<string, string>>,
    kvDirectory?: string,
  ): Promise<{ edge: RunningEdge; call: Call }>
  close(): Promise<void>
}

export const openDeployed = async (): Promise<DeployedWorld> => {
  const directory = await mkdtemp(join(tmpdir(), "hotswap-deployed-"))
  const functions = synthesise(directory)
  const database = await openTestDatabase(1)
  const redis = await startTestRedis("embedded")
  const front = await behindTls(Number(new URL(redis.url).port), directory)
  const keys = keySets()
  const [admin, edgeSecret] = [`hsa_${chance()}`, chance()]
  const key: LetIn = { accessKeyId: "AKIAWORKEROFPROD", secretAccessKey: chance() }
  const told: DeployedWorld["told"] = { logs: [], answers: [] }
  const onLine = (line: string) => void told.logs.push(line)
  const known: Readonly<Record<string, string>> = {
    DATABASE_URL: database.url("hotswap_app"),
    DATABASE_READ_URL: database.url("hotswap_read"),
    DATABASE_SYSTEM_URL: database.url("hotswap_system"),
    UPSTASH_REDIS_REST_URL: front.url,
    UPSTASH_REDIS_REST_TOKEN: redis.token,
    HOTSWAP_READER_KEYS: keys.private,
    HOTSWAP_READER_PUBLIC_KEYS: keys.public,
    HOTSWAP_EDGE_SECRET: edgeSecret,
    HOTSWAP_ADMIN_TOKEN: admin,
    NODE_EXTRA_CA_CERTS: front.authority,
  }

  const open = async (name: string, onlyFor: LetIn | null, showsSignature: boolean) => {
    const [, { root, variables, timeoutSeconds }] = [...functions].find(([id]) => id.startsWith(name))!
    // Only what the template gives the function, so that a setting it lacks there is missed here.
    const given = Object.entries(known).filter(([variable]) => variable in variables)
    const environment = { ...sampleSettings(variables), ...Object.fromEntries(given) }
    const timeoutMs = timeoutSeconds * 1_000
    const lambda = await startLambda({ root, environment, timeoutMs, onLine })
    const functionUrl = await startFunctionUrl({ lambda, region: REGION, onlyFor, showsSignature })
    return {
      ...functionUrl,
      close: async () => void (await Promise.all([functionUrl.close(), lambda.stop()])),
    }
  }
  const [read, manage, outcomes, router] = await Promise.all([
    open("Read", key, true),
    open("Manage", null, true),
    open("Outcomes", key, false),
    open("Router", key, false),
  ])

  const edges: RunningEdge[] = []
  const worker: DeployedWorld["worker"] = async (bindings = {}, kvDirectory = undefined) => {
    const options: EdgeOptions = {
      origin: read.url,
      manageOrigin: manage.url,
      outcomesOrigin: outcomes.url,
      jwks: keys.public,
      onLog: onLine,
      ...(kvDirectory === undefined ? {} : { kvDirectory }),
      bindings: {
        ROUTER_ORIGIN: router.url,
        EDGE_SECRET: edgeSecret,
        AWS_ACCESS_KEY_ID: key.accessKeyId,
        AWS_SECRET_ACCESS_KEY: key.secretAccessKey,
        AWS_REGION: REGION,
        // A function that starts on a machine which does much else takes longer than one in AWS.
        ORIGIN_DEADLINE_MS: "20000",
        ...bindings,
      },
    }
    const edge = await startEdge(options)
    edges.push(edge)
    return { edge, call: callerOf(edge.url, told.answers) }
  }
  const { call } = await worker()

  return {
    call,
    urls: { read, manage, outcomes, router },
    admin,
    key,
    edgeSecret,
    told,
    worker,
    close: async () => {
      await Promise.all(edges.map((edge) => edge.dispose()))
      await Promise.all([read, manage, outcomes, router].map((each) => each.close()))
      await Promise.all([front.close(), redis.stop(), database.close()])
      await rm(directory, { recursive: true, force: true })
    },
  }
}
