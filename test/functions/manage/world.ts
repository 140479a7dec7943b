import "../../support/unhurried.ts"
import { exportJWK, generateKeyPair } from "jose"
import { DEFAULT_ENVIRONMENTS } from "../../../core/environment.ts"
import type { ChangeId } from "../../../core/ids.ts"
import { createAdvance } from "../../../functions/advance/advance.ts"
import { hashToken } from "../../../functions/http/tokens.ts"
import { createManage } from "../../../functions/manage/manage.ts"
import { createAttempts } from "../../../functions/platform/attempts.ts"
import { createBackground } from "../../../functions/platform/background.ts"
import type { ManagePlatform } from "../../../functions/platform/compose-manage.ts"
import { createGrants } from "../../../functions/platform/grants.ts"
import { systemIds } from "../../../functions/platform/ids.ts"
import { createLimits } from "../../../functions/platform/limits.ts"
import { createManagementGuard } from "../../../functions/platform/management-guard.ts"
import type { Messenger } from "../../../functions/platform/messages/messenger.ts"
import type { Figures } from "../../../functions/platform/metric-log.ts"
import type { Pacer } from "../../../functions/platform/pacer.ts"
import type { RedisSender } from "../../../functions/platform/redis-sender.ts"
import type { Sns } from "../../../functions/platform/sns.ts"
import { createTokenUses } from "../../../functions/platform/token-uses.ts"
import { noTrace } from "../../../functions/platform/tracing.ts"
import { createUsage } from "../../../functions/platform/usage.ts"
import { createUsageInbox } from "../../../functions/platform/usage-inbox.ts"
import { openTestDatabase } from "../../support/database.ts"
import { testKeys } from "../../support/keys.ts"

export { CONTEXT, eventOf } from "../../support/function-events.ts"

const ADMIN = "the-start-up-token-of-a-test"

export interface Answer<T = Record<string, unknown>> {
  status: number
  headers: Headers
  text: string
  body: T
}

export interface Ask {
  token?: string | null
  body?: unknown
  /** Sent as it is, in place of `body`. */
  raw?: string | Uint8Array
  headers?: Record<string, string>
}

export type World = Awaited<ReturnType<typeof createWorld>>

const noRedis: RedisSender = () => Promise.reject(new Error("there is no Redis here"))

const jwks = async () => {
  const { privateKey } = await generateKeyPair("EdDSA", { crv: "Ed25519", extractable: true })
  return { keys: [{ ...(await exportJWK(privateKey)), kid: "test" }] }
}

/** The management function over a database of its own, and a clock that is moved by hand. */
export const createWorld = async ({
  pacer,
  messenger,
  sns,
  settings,
  send = null,
}: {
  pacer?: Pacer
  messenger?: Messenger
  sns?: Sns
  settings?: Partial<ManagePlatform["settings"]>
  /** A Redis for what is counted and remembered there. */
  send?: RedisSender | null
} = {}) => {
  const database = await openTestDatabase()
  const readerKeys = await jwks()
  let nowMs = Date.now()
  const logged: string[] = []
  const keep = (message: string, fields?: Record<string, unknown>) => {
    const error = fields?.error
    logged.push(`${message} ${error instanceof Error ? error.stack : ""}`)
  }
  const log = { info: keep, warn: keep, error: keep }
  const clock = { nowMs: () => nowMs, now: () => new Date(nowMs) }
  const background = createBackground(log)
  const published: string[] = []
  const told: Figures[] = []
  const limits = createLimits({ clock, log, background, send: send ?? noRedis })
  const grants = createGrants({ db: database.app })
  const platform = {
    settings: {
      readerKeys,
      adminTokenHash: hashToken(ADMIN),
      environments: DEFAULT_ENVIRONMENTS,
      eraseAfterDays: 7,
      eventDays: 90,
      metricTenants: 1_000,
      jwtIssuers: [],
      corsOrigins: [],
      outboundAllow: [],
      edgeSecret: null,
      ...settings,
    },
    clock,
    log,
    trace: noTrace,
    background,
    metrics: { tell: (figures: Figures) => void told.push(figures) },
    attempts: createAttempts({ clock, log, background, send }),
    tokenUses: createTokenUses({ clock, log, background, send }),
    usage:
      send === null
        ? undefined
        : createUsage({ clock, background, inbox: createUsageInbox({ clock, log, background, send }) }),
    limits,
    grants,
    managementGuard: settings?.managementLimits
      ? createManagementGuard({ clock, log, background, limits, grants, environments: DEFAULT_ENVIRONMENTS })
      : undefined,
    ...testKeys({ db: database.app, clock }),
    ids: systemIds,
    db: database.app,
    system: database.system,
    pacer,
    messenger,
    sns,
    publisher: {
      publish: async (scope: string, environment: string) => {
        published.push(`${scope} ${environment}`)
        return true
      },
      reload: async () => true,
    },
  } as unknown as ManagePlatform
  const manage = createManage(platform)
  const { tick, task } = createAdvance(platform)
  const advance = {
    tick,
    task,
    /** A state machine's own way to say that a step is over; without one, whatever is due. */
    step: ({ changeId, step = null }: { changeId: string; step?: number | null }) =>
      task({ task: "advance", changeId: changeId as ChangeId, round: 0, step }),
  }

  const call = async <T = Record<string, unknown>>(
    method: string,
    path: string,
    ask: Ask = {},
  ): Promise<Answer<T>> => {
    const { token = ADMIN, body, raw, headers = {} } = ask
    const sent = raw ?? (body === undefined ? undefined : JSON.stringify(body))
    const response = await manage.app.request(path, {
      method,
      headers: { ...(token === null ? {} : { authorization: `Bearer ${token}` }), ...headers },
      ...(sent === undefined ? {} : { body: sent as string }),
    })
    const text = await response.text()
    // As on Lambda: what the call set off has happened once it is answered.
    await platform.background.settled()
    if (response.status === 500) throw new Error(`${method} ${path}: 500 ${logged.at(-1)}`)
    const isJson = /^application\/(problem\+)?json\b/.test(response.headers.get("content-type") ?? "")
    return {
      status: response.status,
      headers: response.headers,
      text,
      body: (isJson ? JSON.parse(text) : {}) as T,
    }
  }

  return {
    ...database,
    adminToken: ADMIN,
    platform,
    told,
    manage,
    advance,
    readerKeys,
    logged,
    published,
    call,
    moveClock: (ms: number) => {
      nowMs += ms
    },
    /** A tenant of that id with a token for each role, named as its role. */
    tenant: async (tenantId: string, tier = "Free") => {
      await must(call("POST", "/api/v1/tenants", { body: { tenantId, name: tenantId, tier } }), 201)
      const issue = async (subject: string, roles: string[], environment?: string) => {
        const body = { subject, roles, environment }
        const made = await must(
          call<{ token: string }>("POST", `/api/v1/tenants/${tenantId}/tokens`, { body }),
          201,
        )
        return made.body.token
      }
      const roles = ["viewer", "engineer", "manager", "compliance", "tenant_admin"] as const
      const tokens = Object.fromEntries(
        await Promise.all(roles.map(async (role) => [role, await issue(`${role}@${tenantId}`, [role])])),
      ) as Record<(typeof roles)[number], string>
      return { tenantId, tokens, issue }
    },
  }
}

/** The answer, which must have this status. */
export const must = async <T>(answer: Promise<Answer<T>>, status: number): Promise<Answer<T>> => {
  const given = await answer
  if (given.status !== status) throw new Error(`${given.status} instead of ${status}: ${given.text}`)
  return given
}
