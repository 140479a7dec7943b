import { ask, show } from "./command.ts"
import { outputOf, outputsOf } from "./deploy.ts"
import { readWorkerConfig } from "./wrangler-config.ts"

type Secret = Readonly<Record<string, string>>

/** A secret of the stage. Nothing prints it: it goes from here to the Worker's upload, within these processes. */
const secretOf = async (stage: string, name: string): Promise<Secret> => {
  const id = `hotswap/${stage}/${name}`
  const asked = ["--secret-id", id, "--query", "SecretString", "--output", "text"]
  return JSON.parse(await ask("aws", ["secretsmanager", "get-secret-value", ...asked])) as Secret
}

const fieldOf = (secret: Secret, name: string): string => {
  const value = secret[name]
  if (value === undefined) throw new Error(`a secret of the Worker has no field "${name}"`)
  return value
}

/** Only of a Worker that is traced. */
const TRACE_HEADERS = "OTEL_EXPORTER_OTLP_HEADERS"

/** What the Worker of a stage is told: where the functions are, and what it is known by. `required`: its secrets' names. */
export const workerInputs = async (
  outputs: Readonly<Record<string, string>>,
  secretNamed: (name: string) => Promise<Secret>,
  required: readonly string[] = [],
): Promise<Record<string, string>> => {
  const readUrl = outputOf(outputs, "ReadDoorUrl")
  const region = /\.lambda-url\.([a-z0-9-]+)\.on\.aws$/.exec(new URL(readUrl).hostname)?.[1]
  if (region === undefined) throw new Error(`${readUrl} is not the URL of a function`)
  const edge = await secretNamed("edge")
  const key = await secretNamed("edge-key")
  const readers = await secretNamed("reader-keys")
  const redis = await secretNamed("redis")
  return {
    WORKER_READ_ORIGIN: readUrl,
    WORKER_MANAGE_ORIGIN: outputOf(outputs, "ManageDoorUrl"),
    WORKER_OUTCOMES_ORIGIN: outputOf(outputs, "OutcomesDoorUrl"),
    WORKER_ROUTER_ORIGIN: outputOf(outputs, "RouterDoorUrl"),
    // While it is renewed there are two, of which the Worker says the first.
    WORKER_EDGE_SECRET: fieldOf(edge, "secret").split(",")[0]!.trim(),
    WORKER_READER_PUBLIC_KEYS: fieldOf(readers, "public"),
    WORKER_AWS_ACCESS_KEY_ID: fieldOf(key, "accessKeyId"),
    WORKER_AWS_SECRET_ACCESS_KEY: fieldOf(key, "secretAccessKey"),
    WORKER_AWS_REGION: region,
    WORKER_UPSTASH_REDIS_REST_URL: fieldOf(redis, "url"),
    WORKER_UPSTASH_REDIS_REST_TOKEN: fieldOf(redis, "token"),
    ...(required.includes(TRACE_HEADERS)
      ? { [`WORKER_${TRACE_HEADERS}`]: fieldOf(await secretNamed("otlp"), "headers") }
      : {}),
  }
}

/** Uploads the Worker with what the stage's deployment told. */
export const deployWorker = async (stage: string): Promise<void> => {
  const { required } = readWorkerConfig(stage).secrets
  const inputs = await workerInputs(
    await outputsOf(stage),
    async (name) => await secretOf(stage, name),
    required,
  )
  await show("node", ["ci/worker.ts", stage], { environment: inputs })
}
