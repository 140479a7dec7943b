import type { WorkerBundle } from "./worker-bundle.ts"
import type { Migration, WorkerConfig } from "./wrangler-config.ts"

export type Binding =
  | { type: "plain_text"; name: string; text: string }
  | { type: "secret_text"; name: string; text: string }
  | { type: "inherit"; name: string; version_id: string }
  | { type: "kv_namespace"; name: string; namespace_id: string }
  | { type: "durable_object_namespace"; name: string; class_name: string }
  | { type: "version_metadata"; name: string }

/** What of the migrations was not applied yet, as the API takes it. */
export interface PendingMigrations {
  old_tag?: string
  new_tag: string
  steps: readonly Omit<Migration, "tag">[]
}

export interface Upload {
  bundle: WorkerBundle
  config: WorkerConfig
  namespaceId: string
  /** By the binding's name. */
  secrets: ReadonlyMap<string, string>
  /** The version that absent secrets are taken from; by itself Cloudflare takes the last uploaded one, whatever became of it. */
  inheritsFrom: string | null
  /** The commit, for people: what `tag` says of a version. */
  tag: string
}

const PREFIX = "WORKER_"

/** The Worker's secrets out of the environment, where each has its name behind `WORKER_`. An empty one is as good as absent. */
export const secretsFrom = (
  environment: Readonly<Record<string, string | undefined>>,
  required: readonly string[],
): Map<string, string> =>
  new Map(
    required.flatMap((name) => {
      const value = environment[PREFIX + name]?.trim()
      return value ? [[name, value] as const] : []
    }),
  )

export const bindingsOf = ({ config, namespaceId, secrets, inheritsFrom }: Upload): Binding[] => [
  ...Object.entries(config.vars).map(([name, text]) => ({ type: "plain_text" as const, name, text })),
  ...config.secrets.required.map((name): Binding => {
    const text = secrets.get(name)
    if (text !== undefined) return { type: "secret_text", name, text }
    return { type: "inherit", name, version_id: inheritsFrom ?? "latest" }
  }),
  { type: "kv_namespace", name: config.kv_namespaces[0].binding, namespace_id: namespaceId },
  ...config.durable_objects.bindings.map(({ name, class_name }) => ({
    type: "durable_object_namespace" as const,
    name,
    class_name,
  })),
  { type: "version_metadata", name: config.version_metadata.binding },
]

/** `null`: all of them are applied. Throws when the last one applied is none of these. */
export const pendingMigrations = (
  migrations: readonly Migration[],
  applied: string | null,
): PendingMigrations | null => {
  const at = migrations.findIndex(({ tag }) => tag === applied)
  if (applied !== null && at < 0)
    throw new Error(`the Worker's last migration is ${applied}, which wrangler.jsonc does not have`)
  const pending = migrations.slice(at + 1)
  if (pending.length === 0) return null
  return {
    ...(applied === null ? {} : { old_tag: applied }),
    new_tag: pending.at(-1)!.tag,
    steps: pending.map(({ tag: _, ...step }) => step),
  }
}

/** What the API takes of a version; with migrations only where a whole Worker is replaced. */
export const uploadForm = (upload: Upload, migrations: PendingMigrations | null = null): FormData => {
  const { bundle, config, tag } = upload
  const metadata = {
    main_module: bundle.name,
    compatibility_date: config.compatibilityDate,
    bindings: bindingsOf(upload),
    ...(migrations === null ? {} : { migrations }),
    annotations: { "workers/tag": tag, "workers/message": `bundle ${bundle.hash}` },
  }
  const form = new FormData()
  form.set("metadata", JSON.stringify(metadata))
  form.set(
    bundle.name,
    new File([bundle.text], bundle.name, { type: "application/javascript+module" }),
    bundle.name,
  )
  return form
}
