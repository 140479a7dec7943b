import { z } from "@hono/zod-openapi"
import { Refusal } from "../../core/errors.ts"
import { markedVersion } from "../../core/secret/marker.ts"
import { findVersion } from "../../db/queries/configs.ts"
import { takeSecret } from "../../db/queries/secrets.ts"
import { json, type Route, route } from "../http/route.ts"
import { secretPlace } from "../platform/keys/keep-secrets.ts"
import { stateWith } from "../platform/promotion.ts"
import type { ManageDeps } from "./deps.ts"
import { type ConfigAddress, configNamed, configNotFound } from "./parse.ts"
import { audited } from "./remember.ts"
import { AnyJson, ConfigPath } from "./shapes.ts"
import { stableEntries } from "./show.ts"

/** The most that the database's integers count to. */
const VERSION_MAX = 2_147_483_647

const SecretShown = z
  .object({
    configId: z.string(),
    tenantId: z.string(),
    environment: z.string(),
    key: z.string(),
    version: z.int().openapi({ description: "Of the config" }),
    secretVersion: z.int().openapi({ description: "The number in its marker" }),
    value: AnyJson,
  })
  .openapi("Secret")

/** What a version, or what is stable, has for a value. Throws CONFIG_NOT_FOUND, VERSION_NOT_FOUND. */
const valueAt = async (deps: ManageDeps, address: ConfigAddress, version: number | undefined) => {
  const { scope, environment, key, configId } = address
  if (version !== undefined) {
    const found = await findVersion(deps.db, scope, environment, key, version)
    if (!found) throw new Refusal("VERSION_NOT_FOUND", `"${configId}" has no version ${version}.`)
    return { version, value: found.edit.value }
  }
  const entry = stableEntries(await stateWith(deps, { scope, environment }, [key]), [key]).get(key)
  if (!entry) throw configNotFound(configId)
  return entry
}

/** The one way to a secret's plain text. */
export const secretRoute = (deps: ManageDeps): Route =>
  route({
    method: "get",
    path: "/api/v1/configs/{configId}/secret",
    operationId: "readSecret",
    tag: "Configs",
    summary: "A secret in plain text, as it is stable or was in a version; who read it is audited",
    action: "secret.read",
    params: ConfigPath,
    query: z.strictObject({ version: z.coerce.number().int().min(1).max(VERSION_MAX).optional() }),
    replies: { 200: { description: "The value; no cache may keep it", schema: SecretShown } },
    where: ({ params }) => {
      const { scope, environment } = configNamed(params.configId, deps.settings.environments)
      return { scope, environment }
    },
    run: async ({ params, query, ...call }) => {
      const address = configNamed(params.configId, deps.settings.environments)
      const { scope, environment, key, configId } = address
      const { version, value } = await valueAt(deps, address, query.version)
      const secretVersion = markedVersion(value)
      if (secretVersion === null) throw new Refusal("SECRET_NONE", `"${configId}" is not secret there.`)
      if (!deps.vault)
        throw new Refusal("SECRET_UNSUPPORTED", "This function has no key to open a secret with.")
      const named = { environment, key, version: secretVersion }
      const audit = {
        ...audited(call, "secret.read", configId, { version, secretVersion }),
        environment,
      }
      const found = await takeSecret(deps.db, scope, named, audit)
      if (!found) throw new Error(`a marker names value ${secretVersion} of ${configId}, which is not kept`)
      const sealed = { generation: found.generation, bytes: found.sealed }
      const secret = await deps.vault.open(secretPlace(scope, environment, named), sealed)
      const body = { configId, tenantId: scope, environment, key, version, secretVersion }
      return json(200, { ...body, value: secret.reveal() }, { "cache-control": "no-store" })
    },
  })
