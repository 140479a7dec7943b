import { randomUUID } from "node:crypto"
import type { Notice } from "../../../core/change/scope-state.ts"
import type { Environment } from "../../../core/environment.ts"
import type { ChangeId, ScopeId } from "../../../core/ids.ts"
import { commitScope } from "../../../db/queries/commit.ts"
import {
  type Channel,
  insertChannel,
  listDeliveries,
  type NewChannel,
} from "../../../db/queries/notifications.ts"
import { loadScope } from "../../../db/queries/scope.ts"
import { createNotify } from "../../../functions/notify/notify.ts"
import { blocksOf } from "../../../functions/platform/addresses.ts"
import { createBackground } from "../../../functions/platform/background.ts"
import type { NotifyPlatform } from "../../../functions/platform/compose-notify.ts"
import { createMailer } from "../../../functions/platform/mailer.ts"
import { createMessenger, type Messenger } from "../../../functions/platform/messages/messenger.ts"
import { createOutbound } from "../../../functions/platform/outbound.ts"
import { parseMailbox, parseSmtpUrl } from "../../../functions/platform/smtp-url.ts"
import { noTrace } from "../../../functions/platform/tracing.ts"
import { auditOf, directCommit, PRODUCTION } from "../../db/fixtures.ts"
import { openTestDatabase } from "../../support/database.ts"
import { testKeys } from "../../support/keys.ts"

/** What sends for real, to this machine only; mail where a port is given. */
export const localMessenger = (smtpPort?: number): Messenger =>
  createMessenger({
    outbound: createOutbound({ allowed: blocksOf(["127.0.0.0/8"]) }),
    mailer:
      smtpPort === undefined
        ? null
        : createMailer(parseSmtpUrl(`smtp://127.0.0.1:${smtpPort}`), parseMailbox("hotswap@mail.example")),
    consoleUrl: null,
  })

export type NotifyWorld = Awaited<ReturnType<typeof notifyWorld>>

/** A database, and senders on it with one clock that is moved by hand. */
export const notifyWorld = async () => {
  const database = await openTestDatabase()
  let nowMs = Date.now()
  const logged: string[] = []
  const keep = (message: string, fields?: Record<string, unknown>) => {
    const error = fields?.error
    logged.push(`${message} ${error instanceof Error ? error.stack : ""}`)
  }
  const log = { info: keep, warn: keep, error: keep }
  const clock = { nowMs: () => nowMs, now: () => new Date(nowMs) }
  const { vault } = testKeys({ db: database.app, clock })
  const senderWith = (messenger: Messenger, chance = 0.5) => {
    const platform: NotifyPlatform = {
      clock,
      log,
      trace: noTrace,
      background: createBackground(log),
      db: database.app,
      system: database.system,
      vault,
      messenger,
      chance: () => chance,
      close: async () => {},
    }
    return createNotify(platform)
  }
  return {
    ...database,
    logged,
    nowMs: () => nowMs,
    moveClock: (ms: number) => {
      nowMs += ms
    },
    senderWith,
    channel: async (scope: ScopeId, channel: Pick<Channel, "type" | "config"> & Partial<NewChannel>) => {
      const channelId = randomUUID()
      const whole = {
        channelId,
        environment: null,
        secret: null,
        events: null,
        createdBy: "tester",
        ...channel,
      }
      const made = await insertChannel(database.app, scope, whole, auditOf("channel.create", channelId))
      if (made.kind !== "inserted") throw new Error(made.kind)
      return made.channel
    },
    /** Commits something that people are to be told of. */
    tell: async (
      scope: ScopeId,
      notices: readonly Omit<Notice, "changeId">[],
      environment: Environment = PRODUCTION,
    ): Promise<ChangeId> => {
      const name = `k${randomUUID().replaceAll("-", "")}`
      const loaded = await loadScope(database.app, { scope, environment, keys: [name as never] })
      const commit = directCommit(loaded!.state, name, 1)
      const changeId = commit.pointer!.stableChangeId!
      const told = notices.map((notice) => ({ ...notice, changeId }))
      const committed = await commitScope(database.app, { ...commit, notices: told })
      if (committed.kind !== "committed") throw new Error("a conflict nobody expected")
      return changeId
    },
    deliveries: (scope: ScopeId) => listDeliveries(database.app, scope, { limit: 500 }),
  }
}
