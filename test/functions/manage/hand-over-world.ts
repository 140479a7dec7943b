import { generateKeyPairSync, type KeyObject, randomUUID, sign } from "node:crypto"
import { type HandOver, handOverText, type SignedHandOver } from "../../../core/backup/hand-over.ts"
import type { Call } from "../../support/hotswap.ts"

export interface Part {
  id: string
  bytes: number
}
/** An archive as it was downloaded. */
export interface Downloaded {
  backupId: string
  manifest: string
  hash: string
  parts: Part[]
  handOver: SignedHandOver | null
}
export interface Deployment {
  name: string
  signingKey: string
  receivingKey: string
}

type Job = { state: string; result: Record<string, unknown>; problem: { code: string } | null }

interface Deployed {
  call: Call
}

/** A key pair of somebody who is not one of the two deployments. */
export const keysOfNobody = (type: "ed25519" | "x25519"): { publicKey: string; privateKey: KeyObject } => {
  const { privateKey } = type === "ed25519" ? generateKeyPairSync(type) : generateKeyPairSync(type)
  return { privateKey, publicKey: privateKey.export({ format: "jwk" }).x! }
}

export const signedBy = (privateKey: KeyObject, statement: HandOver): SignedHandOver => ({
  statement,
  signature: sign(null, Buffer.from(handOverText(statement)), privateKey).toString("base64url"),
})

export const done = async (hotswap: Deployed, jobId: string): Promise<Job> => {
  for (;;) {
    const { body } = await hotswap.call<Job>("GET", `/api/v1/jobs/${jobId}`)
    if (["succeeded", "failed", "cancelled"].includes(body.state)) return body
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

const TRIES = 20

/** Asks again where a busy machine was not in time; what may have happened already is told by its key. */
const patiently = async <T>(
  hotswap: Deployed,
  method: string,
  path: string,
  options: { body?: unknown } = {},
) => {
  const headers = method === "GET" ? {} : { "idempotency-key": randomUUID() }
  for (let nth = 1; ; nth++) {
    const answer = await hotswap.call<T>(method, path, { ...options, headers })
    if (answer.status !== 503 || nth === TRIES) return answer
  }
}

/** Asks, and throws where that is refused: a step on the way, not what is tested. */
export const asked = async <T = Record<string, never>>(
  hotswap: Deployed,
  method: string,
  path: string,
  body?: unknown,
): Promise<T> => {
  const answer = await patiently<T>(hotswap, method, path, body === undefined ? {} : { body })
  if (answer.status >= 300)
    throw new Error(`${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`)
  return answer.body
}

/** Has a job done, and returns what came of it. */
export const doneBy = async (
  hotswap: Deployed,
  path: string,
  body: unknown = {},
): Promise<Record<string, unknown>> => {
  const { jobId } = await asked<{ jobId: string }>(hotswap, "POST", path, body)
  const { state, result, problem } = await done(hotswap, jobId)
  if (state !== "succeeded") throw new Error(`${path}: ${state} ${JSON.stringify(problem)}`)
  return result
}

export const downloaded = (hotswap: Deployed, backupId: string): Promise<Downloaded> =>
  asked<Downloaded>(hotswap, "GET", `/api/v1/backups/${backupId}/manifest`)

export const partOf = async (hotswap: Deployed, backupId: string, id: string): Promise<string> =>
  (await asked<{ bytes: string }>(hotswap, "GET", `/api/v1/backups/${backupId}/parts/${id}`)).bytes

/** An archive of a tenant for the deployment that has this key, downloaded. */
export const handedOver = async (
  hotswap: Deployed,
  tenantId: string,
  receivingKey: string,
): Promise<Downloaded> => {
  const result = await doneBy(hotswap, `/api/v1/tenants/${tenantId}/migrate`, { target: { receivingKey } })
  return await downloaded(hotswap, String(result.backupId))
}

const CONFIGS = [
  { environment: "Development", key: "greeting", value: "hello" },
  { environment: "Development", key: "greeting", value: { text: "hello again", times: 2 } },
  { environment: "Staging", key: "greeting", value: "good morning" },
  { environment: "Development", key: "password", value: "the-secret-of-development", secret: true },
  { environment: "QA", key: "password", value: "the-secret-of-qa", secret: true },
  {
    environment: "Staging",
    key: "dark-mode",
    value: { state: "ENABLED", variants: { on: true, off: false }, defaultVariant: "off" },
  },
]

export interface Furnished {
  token: string
  /** Of a webhook. */
  channel: { channelId: string; secret: string }
}

/** A tenant with something of everything that travels, and a token, which does not. */
export const furnished = async (
  hotswap: Deployed,
  tenantId: string,
  webhookUrl: string,
): Promise<Furnished> => {
  const tenant = { tenantId, name: "ACME Corporation", tier: "Pro", externalIds: { crm: `${tenantId}-7` } }
  await asked(hotswap, "POST", "/api/v1/tenants", tenant)
  for (const { environment, key, value, ...rest } of CONFIGS) {
    const config = { tenantId, environment, key, value, ...rest }
    const { status } = await patiently(hotswap, "POST", "/api/v1/configs", { body: config })
    if (status === 409)
      await asked(hotswap, "PUT", `/api/v1/configs/${tenantId}:${environment}:${key}`, { value })
  }
  const path = `/api/v1/tenants/${tenantId}`
  const webhook = { type: "webhook", url: webhookUrl }
  const { token } = await asked<{ token: string }>(hotswap, "POST", `${path}/tokens`, {
    subject: "erin",
    roles: ["engineer"],
  })
  return { token, channel: await asked(hotswap, "POST", `${path}/channels`, webhook) }
}

const SECRETS = ["Development:password", "QA:password"]
const PLAIN = ["Development:greeting", "Staging:greeting", "Staging:dark-mode"]

/** What anybody could tell of a tenant: what has to be the same in the other place. */
export const everythingOf = async (hotswap: Deployed, tenantId: string) => {
  const get = (path: string) => asked<unknown>(hotswap, "GET", path)
  const config = (id: string) => `/api/v1/configs/${tenantId}:${id}`
  const ids = [...SECRETS, ...PLAIN]
  return {
    tenant: await get(`/api/v1/tenants/${tenantId}`),
    configs: await Promise.all(ids.map((id) => get(config(id)))),
    versions: await Promise.all(ids.map((id) => get(`${config(id)}/versions`))),
    secrets: await Promise.all(SECRETS.map((id) => get(`${config(id)}/secret`))),
    changes: await get(`/api/v1/changes?tenantId=${tenantId}`),
    channels: await get(`/api/v1/tenants/${tenantId}/channels`),
  }
}
