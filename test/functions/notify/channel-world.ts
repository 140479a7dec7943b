import { createNotify } from "../../../functions/notify/notify.ts"
import type { Messenger } from "../../../functions/platform/messages/messenger.ts"
import { createWorld } from "../manage/world.ts"
import { startMailReceiver } from "./receivers.ts"
import { localMessenger } from "./world.ts"

export interface Channel {
  channelId: string
  type: string
  url?: string
  secret?: string
}

export type ChannelWorld = Awaited<ReturnType<typeof channelWorld>>

/** The management function with what sends its messages, to this machine only unless it is swapped. */
export const channelWorld = async () => {
  const mail = await startMailReceiver()
  let messenger = localMessenger(mail.port)
  const swapped: Messenger = {
    get mails() {
      return messenger.mails
    },
    checkUrl: (url) => messenger.checkUrl(url),
    send: (...message) => messenger.send(...message),
  }
  const world = await createWorld({ messenger: swapped })
  let tenants = 0
  return {
    ...world,
    mail,
    swap: (other: Messenger = localMessenger(mail.port)) => {
      messenger = other
    },
    newTenant: async () => {
      const tenant = await world.tenant(`channels-${++tenants}`)
      const path = `/api/v1/tenants/${tenant.tenantId}/channels`
      const { tenant_admin: token } = tenant.tokens
      const create = (body: unknown, headers = {}) =>
        world.call<Channel & { code: string }>("POST", path, { token, body, headers })
      const ask = <T = Channel>(method: string, rest: string, body?: unknown) =>
        world.call<T & { code: string }>(method, path + rest, {
          token,
          ...(body === undefined ? {} : { body }),
        })
      return { ...tenant, path, token, create, ask }
    },
    /** Sends what is due, and waits for it. */
    sweep: async () => {
      const sender = createNotify({ ...world.platform, messenger: swapped, chance: () => 0.5 })
      await sender.sweep()
      await sender.settled()
    },
    close: async () => {
      await mail.stop()
      await world.close()
    },
  }
}
