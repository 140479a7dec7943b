import { useState } from "preact/hooks"
import { pathPart } from "../client.ts"
import { useConsole, useMay } from "../console.tsx"
import { useLive } from "../live.ts"
import { ChannelForm } from "../parts/channel-form.tsx"
import { Deliveries } from "../parts/deliveries.tsx"
import { Confirm } from "../parts/dialog.tsx"
import { Empty, Loaded } from "../parts/loaded.tsx"
import { ProblemShown } from "../parts/problem.tsx"
import { Time } from "../parts/time.tsx"
import { ToldOnce } from "../parts/told-once.tsx"
import { problemOf } from "../problem.ts"
import type { Channel, Page, Problem } from "../shapes.ts"
import { countOf, NOTICE_WORDS, roleOf, withinOf } from "../words.ts"

const TYPE_WORDS = { webhook: "Webhook", slack: "Slack", email: "Mail" } as const

const leadsTo = ({ url, to = [] }: Channel): string => url ?? to.join(", ")

/** Sends a message now, and shows what came of it. */
const Try = ({ path }: { path: string }) => {
  const { client } = useConsole()
  const [came, setCame] = useState<{ delivered: boolean; words: string } | Problem | null>(null)
  const [isBusy, setBusy] = useState(false)
  const send = async (): Promise<void> => {
    setBusy(true)
    setCame(null)
    setCame(
      await client
        .send<{ delivered: boolean; words: string }>("POST", `${path}/test`)
        .catch((error: unknown) => problemOf(error)),
    )
    setBusy(false)
  }
  return (
    <>
      <button type="button" disabled={isBusy} onClick={() => void send()}>
        {isBusy ? "Sending…" : "Send a test"}
      </button>
      <div class="came" role="status">
        {came && "delivered" in came && (
          <p class={came.delivered ? "good" : "bad"}>
            {came.delivered ? "It was taken: " : "It was not taken: "}
            {came.words}
          </p>
        )}
      </div>
      {came && "code" in came && <ProblemShown problem={came} />}
    </>
  )
}

type Wish = { kind: "alter" | "rotate" | "delete"; channel: Channel }

const ChannelCard = ({ channel, onWish }: { channel: Channel; onWish: ((wish: Wish) => void) | null }) => {
  const { tenant } = useConsole()
  const name = leadsTo(channel)
  const { type, environment, events } = channel
  const button = (kind: Wish["kind"], verb: string) => (
    <button
      type="button"
      class={kind === "delete" ? "danger" : ""}
      onClick={() => onWish?.({ kind, channel })}
    >
      {verb}
      <span class="hidden"> {name}</span>
    </button>
  )
  return (
    <li class="card">
      <div class="card-head">
        <h2>
          {TYPE_WORDS[type]}: <code>{name}</code>
        </h2>
        <span class="badge">{environment ?? "All environments"}</span>
      </div>
      {events === null ? (
        <p>Of all that happens to a change.</p>
      ) : (
        <details>
          <summary>Of {countOf(events.length, "event")}</summary>
          <ul>
            {events.map((event) => (
              <li key={event}>A change {NOTICE_WORDS[event]}</li>
            ))}
          </ul>
        </details>
      )}
      <p class="quiet">
        Made by <span class="person">{channel.createdBy}</span> <Time at={channel.createdAt} />
      </p>
      {onWish && (
        <div class="actions">
          <Try path={`/api/v1/tenants/${pathPart(tenant)}/channels/${pathPart(channel.channelId)}`} />
          {button("alter", "Alter")}
          {type === "webhook" && button("rotate", "New secret")}
          {button("delete", "Delete")}
        </div>
      )}
    </li>
  )
}

/** What somebody wants of a channel, or a new one: the dialog for it. */
const Wished = ({
  wish,
  path,
  onClose,
  onDone,
  onSecret,
}: {
  wish: Wish | "new"
  path: string
  onClose: () => void
  onDone: () => void
  onSecret: (channel: Channel) => void
}) => {
  const { client, say } = useConsole()
  if (wish === "new")
    return (
      <ChannelForm
        channel={null}
        onClose={onClose}
        run={async (body) => {
          const made = await client.send<Channel>("POST", path, body)
          onDone()
          if (made.type === "webhook") onSecret(made)
          else say(`${leadsTo(made)} is told from now on.`)
        }}
      />
    )
  const { kind, channel } = wish
  const at = `${path}/${pathPart(channel.channelId)}`
  const name = leadsTo(channel)
  if (kind === "alter")
    return (
      <ChannelForm
        channel={channel}
        onClose={onClose}
        run={async (body) => {
          await client.send<Channel>("PUT", at, body)
          say(`${name}: altered.`)
          onDone()
        }}
      />
    )
  const isDeletion = kind === "delete"
  return (
    <Confirm
      title={isDeletion ? `Delete ${name}` : `A new secret for ${name}`}
      verb={isDeletion ? "Delete it" : "Make one"}
      isDangerous={isDeletion}
      onClose={onClose}
      onReload={onDone}
      run={async () => {
        if (isDeletion) {
          await client.send("DELETE", at)
          say(`${name} is told nothing any more.`)
          onDone()
        } else {
          const rotated = await client.send<Channel>("POST", `${at}/rotate`)
          onDone()
          onSecret(rotated)
        }
      }}
    >
      <p>
        {isDeletion
          ? "What was still to be delivered to it is given up."
          : "For a day, messages are signed with the old one as well, so that the receiver can be told of the new one meanwhile."}
      </p>
    </Confirm>
  )
}

const ChannelsShown = () => {
  const { client, tenant } = useConsole()
  const may = useMay()
  const [wish, setWish] = useState<Wish | "new" | null>(null)
  const [told, setTold] = useState<Channel | null>(null)
  const path = `/api/v1/tenants/${pathPart(tenant)}/channels`
  const live = useLive(`channels ${tenant}`, (signal) => client.get<Page<Channel>>(path, {}, signal))
  const mayManage = may("channel.manage")
  return (
    <>
      {mayManage && (
        <div class="toolbar">
          <button type="button" class="primary" onClick={() => setWish("new")}>
            New channel
          </button>
        </div>
      )}
      <Loaded live={live} what="the channels">
        {({ items }) =>
          items.length === 0 ? (
            <Empty title="Nobody is told of anything">
              <p>
                A channel tells a webhook, Slack or people by mail that a change waits for them, is held back
                or is live.
              </p>
            </Empty>
          ) : (
            <ul class="cards">
              {items.map((channel) => (
                <ChannelCard key={channel.channelId} channel={channel} onWish={mayManage ? setWish : null} />
              ))}
            </ul>
          )
        }
      </Loaded>
      <Deliveries channels={live.data?.items ?? []} />
      {wish && (
        <Wished
          wish={wish}
          path={path}
          onClose={() => setWish(null)}
          onDone={() => {
            setWish(null)
            void live.refresh()
          }}
          onSecret={setTold}
        />
      )}
      {told && (
        <ToldOnce
          title={`The secret of ${leadsTo(told)}`}
          label="Secret"
          secret={told.secret}
          note="The receiver checks with it that a message is from here."
          onClose={() => setTold(null)}
        />
      )}
    </>
  )
}

export const NotificationsPage = () => {
  const { who, tenant } = useConsole()
  const may = useMay()
  return (
    <>
      <div class="page-head">
        <h1>Notifications</h1>
      </div>
      <p class="lead">Who is told of the changes of {withinOf(tenant)}, and whether they were reached.</p>
      {may("channel.read") ? (
        <ChannelsShown />
      ) : (
        <Empty title="Your roles do not look at channels">
          <p>Tenant admins do. Yours: {who.roles.map(roleOf).join(", ")}.</p>
        </Empty>
      )}
    </>
  )
}
