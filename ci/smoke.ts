import { pathToFileURL } from "node:url"

export interface SmokeOptions {
  /** Where the service is, without a path. */
  url: string
  /** A reader token of the tenant. */
  token: string
  tenant: string
  /** Which uploaded version of the Worker has to answer; whichever, if left out. */
  version?: string
  /** How often, a second apart, anything but that version may answer before it is judged. */
  missesMax?: number
  /** Sent with each request. */
  headers?: Readonly<Record<string, string>>
  pause: (ms: number) => Promise<void>
}

/** What did not hold, each with what was found instead. */
export class SmokeFailure extends Error {
  constructor(url: string, failures: readonly string[]) {
    super(`${url} does not do what it should:\n${failures.map((line) => `  - ${line}`).join("\n")}`)
  }
}

const ANSWER_WITHIN_MS = 10_000
/** A deployment takes some seconds to be known everywhere; before, a share of the answers is of the version already. */
const VERSION_IN_A_ROW = 5
const VERSION_MISSES_MAX = 30
const VERSION_PAUSE_MS = 1_000
const VERSION_HEADER = "hotswap-worker-version"

type Get = (
  path: string,
  init?: { method?: string; token?: string; headers?: object; body?: string },
) => Promise<Response>
type Check = readonly [name: string, run: () => Promise<void>]

const createGet =
  ({ url, headers: always = {} }: SmokeOptions): Get =>
  (path, { method = "GET", token, headers = {}, body } = {}) =>
    fetch(new URL(path, url), {
      method,
      headers: {
        ...always,
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        ...headers,
      },
      ...(body === undefined ? {} : { body }),
      redirect: "error",
      signal: AbortSignal.timeout(ANSWER_WITHIN_MS),
    })

class Unexpected extends Error {}

const expectStatus = async (response: Response, status: number): Promise<void> => {
  if (response.status === status) return
  const text = (await response.text()).replace(/\s+/g, " ").slice(0, 200)
  throw new Unexpected(`answered ${response.status} instead of ${status}: ${text}`)
}

const expectProblem = async (response: Response, status: number, code: string): Promise<void> => {
  await expectStatus(response, status)
  const problem = (await response.json()) as { code?: string }
  if (problem.code !== code) throw new Unexpected(`said ${problem.code} instead of ${code}`)
}

const headerOf = (response: Response, name: string): string => {
  const value = response.headers.get(name)
  if (!value) throw new Unexpected(`answered without ${name}`)
  return value
}

const firstOf = async (response: Response): Promise<string> => {
  const reader = response.body?.getReader()
  const piece = await reader?.read()
  await reader?.cancel()
  return new TextDecoder().decode(piece?.value)
}

/** One check a part: the Worker, each function behind it, the database, the stream. None of them alters anything. */
const checksOf = (options: SmokeOptions, get: Get): Check[] => {
  const { token, tenant, version } = options
  const read = `/api/v1/configs/tenant/${tenant}`
  const named = { "x-tenant-id": tenant }
  return [
    [
      "health",
      async () => {
        const response = await get("/health")
        await expectStatus(response, 200)
        await response.text()
        const answering = response.headers.get(VERSION_HEADER)
        if (version !== undefined && answering !== version)
          throw new Unexpected(`was answered by version ${answering} instead of ${version}`)
      },
    ],
    ["readiness", async () => await expectStatus(await get("/ready"), 200)],
    [
      "a read, and one of what is known",
      async () => {
        const response = await get(read, { token })
        await expectStatus(response, 200)
        headerOf(response, "hotswap-revision")
        const etag = headerOf(response, "etag")
        await response.json()
        await expectStatus(await get(read, { token, headers: { "if-none-match": etag } }), 304)
      },
    ],
    ["a read without a token", async () => await expectProblem(await get(read), 401, "UNAUTHENTICATED")],
    [
      "what is internal",
      async () => await expectProblem(await get("/internal/v1/pointers"), 404, "ROUTE_UNKNOWN"),
    ],
    [
      "flags",
      async () => {
        const body = JSON.stringify({ context: { targetingKey: "smoke" } })
        const json = { ...named, "content-type": "application/json" }
        const path = "/ofrep/v1/evaluate/flags"
        const response = await get(path, { method: "POST", token, headers: json, body })
        await expectStatus(response, 200)
        const { flags } = (await response.json()) as { flags?: unknown }
        if (!Array.isArray(flags)) throw new Unexpected("answered no list of flags")
      },
    ],
    [
      "a report that says nothing",
      async () => {
        const response = await get("/api/v1/outcomes", { method: "POST", token, headers: named, body: "{}" })
        await expectProblem(response, 400, "BODY_INVALID")
      },
    ],
    [
      "the stream",
      async () => {
        const response = await get("/api/v1/stream", { token, headers: named })
        await expectStatus(response, 200)
        const type = headerOf(response, "content-type")
        if (!type.startsWith("text/event-stream")) throw new Unexpected(`is ${type}`)
        if ((await firstOf(response)) === "") throw new Unexpected("ended without a word")
      },
    ],
  ]
}

/** Waits until the version answers, and it alone; whether it does, the checks say. */
const awaitVersion = async (
  { version, missesMax = VERSION_MISSES_MAX, pause }: SmokeOptions,
  get: Get,
): Promise<void> => {
  let inRow = 0
  let misses = 0
  while (version !== undefined && inRow < VERSION_IN_A_ROW && misses < missesMax) {
    const response = await get("/health").catch(() => null)
    await response?.body?.cancel()
    if (response?.headers.get(VERSION_HEADER) === version) inRow += 1
    else {
      inRow = 0
      misses += 1
      await pause(VERSION_PAUSE_MS)
    }
  }
}

const failureOf = async ([name, run]: Check): Promise<string | null> => {
  try {
    await run()
    return null
  } catch (error) {
    const cause = error instanceof Error && error.cause instanceof Error ? ` (${error.cause.message})` : ""
    return `${name}: ${error instanceof Error ? error.message : String(error)}${cause}`
  }
}

/** Asks each part of a running service for something. Answers what was asked; throws {@link SmokeFailure} with all that failed. */
export const smoke = async (options: SmokeOptions): Promise<string[]> => {
  const get = createGet(options)
  await awaitVersion(options, get)
  const checks = checksOf(options, get)
  const failures = (await Promise.all(checks.map(failureOf))).filter((failure) => failure !== null)
  if (failures.length > 0) throw new SmokeFailure(options.url, failures)
  return checks.map(([name]) => name)
}

/** From the environment: whose configuration a smoke reads, and with what. */
export const smokeReader = (
  environment: Readonly<Record<string, string | undefined>>,
): Pick<SmokeOptions, "token" | "tenant"> => {
  const { HOTSWAP_SMOKE_TOKEN: token, HOTSWAP_SMOKE_TENANT: tenant } = environment
  if (!token || !tenant)
    throw new Error(
      "HOTSWAP_SMOKE_TOKEN (a reader token) and HOTSWAP_SMOKE_TENANT (its tenant) have to be set",
    )
  return { token, tenant }
}

export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

const main = async (): Promise<void> => {
  const [url, ...others] = process.argv.slice(2)
  if (url === undefined || others.length > 0) throw new Error("usage: node ci/smoke.ts <url>")
  const checked = await smoke({ url, ...smokeReader(process.env), pause })
  console.log(`${url}: ${checked.length} of ${checked.length} well (${checked.join("; ")})`)
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href)
  await main().catch((error: Error) => {
    console.error(`smoke: ${error.message}`)
    process.exitCode = 1
  })
