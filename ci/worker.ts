import { parseArgs } from "node:util"
import { createCloudflare } from "./cloudflare.ts"
import { pause, smoke, smokeReader } from "./smoke.ts"
import { bundleWorker, GZIP_BYTES_MAX, type WorkerBundle } from "./worker-bundle.ts"
import { deployWorker } from "./worker-deploy.ts"
import { bindingsOf, secretsFrom, type Upload } from "./worker-upload.ts"
import { readWorkerConfig } from "./wrangler-config.ts"

const USAGE = "usage: node ci/worker.ts <stage> [--dry-run] [--apply-migration]"
const EXAMPLE = /(^|\.)example\.(com|org|net)$/

const kib = (bytes: number): string => (bytes / 1024).toFixed(1)

const describe = ({ bundle, config }: Pick<Upload, "bundle" | "config">): string =>
  `${config.name} at ${config.hostname}: ${bundle.hash}, ${kib(bundle.bytes)} KiB, ` +
  `${kib(bundle.gzipBytes)} of at most ${kib(GZIP_BYTES_MAX)} packed`

/** What would go up, and where each secret would come from; none of their values. */
const show = (upload: Omit<Upload, "namespaceId" | "inheritsFrom">): void => {
  for (const binding of bindingsOf({ ...upload, namespaceId: "", inheritsFrom: null })) {
    const { type, name } = binding
    const shown = type === "plain_text" ? ` = ${binding.text}` : ""
    console.log(`  ${name}: ${type === "inherit" ? "secret of the version before" : type}${shown}`)
  }
}

const environmentOf = (name: string): string => {
  const value = process.env[name]
  if (!value) throw new Error(`${name} is not set`)
  return value
}

/** A signal ends the run only after the old version serves again. */
const untilSignal = (): AbortSignal => {
  const controller = new AbortController()
  for (const name of ["SIGINT", "SIGTERM"] as const)
    process.on(name, () => controller.abort(new Error(`${name}: it was not to go on`)))
  return controller.signal
}

const deploy = async (
  upload: Omit<Upload, "namespaceId" | "inheritsFrom">,
  appliesMigrations: boolean,
): Promise<void> => {
  const { config } = upload
  if (EXAMPLE.test(config.hostname))
    throw new Error(
      `${config.hostname} is an example: write your own host name into wrangler.jsonc, ${config.stage}`,
    )
  const reader = smokeReader(process.env)
  // Only for trials: the API, and what it deploys, may be elsewhere.
  const { CLOUDFLARE_API_BASE_URL: baseUrl, HOTSWAP_SMOKE_URL: url = `https://${config.hostname}` } =
    process.env
  await deployWorker({
    cloudflare: createCloudflare({
      accountId: environmentOf("CLOUDFLARE_ACCOUNT_ID"),
      token: environmentOf("CLOUDFLARE_API_TOKEN"),
      ...(baseUrl ? { baseUrl } : {}),
      pause,
    }),
    upload,
    smoke: async (trial) => void (await smoke({ url, ...reader, pause, ...trial })),
    tell: (line) => console.log(`  ${line}`),
    pause,
    appliesMigrations,
    signal: untilSignal(),
  })
}

const main = async (): Promise<void> => {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { "dry-run": { type: "boolean" }, "apply-migration": { type: "boolean" } },
  })
  const [stage, ...others] = positionals
  if (stage === undefined || others.length > 0) throw new Error(USAGE)
  const config = readWorkerConfig(stage)
  const bundle: WorkerBundle = await bundleWorker(config.main)
  const secrets = secretsFrom(process.env, config.secrets.required)
  const upload = { bundle, config, secrets, tag: process.env.GITHUB_SHA?.slice(0, 12) || bundle.hash }
  console.log(describe(upload))
  if (values["dry-run"]) show(upload)
  else await deploy(upload, values["apply-migration"] === true)
}

await main().catch((error: Error) => {
  console.error(`worker: ${error.message}`)
  process.exitCode = 1
})
