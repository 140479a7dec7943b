import { useState } from "preact/hooks"
import { useConsole } from "../console.tsx"
import { problemOf } from "../problem.ts"
import type { Channel, NoticeType, Problem } from "../shapes.ts"
import { NOTICE_WORDS } from "../words.ts"
import { Dialog, DialogFoot } from "./dialog.tsx"
import { Choice, Choices, Field } from "./field.tsx"
import { ProblemShown } from "./problem.tsx"

const TYPES = [
  ["webhook", "A webhook, signed"],
  ["slack", "A Slack channel"],
  ["email", "People, by mail"],
] as const
const EVENTS = Object.entries(NOTICE_WORDS) as [NoticeType, string][]
const NOTICES = EVENTS.map(([name]) => name)

const addressesIn = (text: string): string[] => text.split(/[\s,;]+/).filter((one) => one !== "")

/** What is sent of the form: of a channel that is there only what is altered, as where Slack's leads is told to nobody. */
interface Wish {
  type?: Channel["type"]
  url?: string
  to?: string[]
  environment?: string | null
  events?: NoticeType[] | null
}

/** A channel that is new, or one that is there. */
export const ChannelForm = ({
  channel,
  run,
  onClose,
}: {
  channel: Channel | null
  run: (wish: Wish) => Promise<void>
  onClose: () => void
}) => {
  const { who } = useConsole()
  const [type, setType] = useState(channel?.type ?? "webhook")
  const [url, setUrl] = useState(channel?.type === "slack" ? "" : (channel?.url ?? ""))
  const [to, setTo] = useState((channel?.to ?? []).join("\n"))
  const [environment, setEnvironment] = useState(channel?.environment ?? who.environment ?? "")
  const [events, setEvents] = useState<NoticeType[]>(channel?.events ?? NOTICES)
  const [problem, setProblem] = useState<Problem | null>(null)
  const [isBusy, setBusy] = useState(false)
  const environments = who.environment === null ? who.environments : [who.environment]
  const keepsUrl = channel !== null && type === "slack" && url === ""
  const leads = type === "email" ? addressesIn(to).length > 0 : keepsUrl || url.trim() !== ""
  const isReady = leads && events.length > 0 && !isBusy

  const wish = (): Wish => {
    const all = events.length === NOTICES.length
    const where = type === "email" ? { to: addressesIn(to) } : keepsUrl ? {} : { url: url.trim() }
    if (channel) return { ...where, environment: environment || null, events: all ? null : events }
    return { type, ...where, ...(environment ? { environment } : {}), ...(all ? {} : { events }) }
  }
  const submit = async (): Promise<void> => {
    if (!isReady) return
    setBusy(true)
    setProblem(null)
    try {
      await run(wish())
    } catch (error) {
      setProblem(problemOf(error))
      setBusy(false)
    }
  }
  return (
    <Dialog title={channel ? "Alter the channel" : "New channel"} onClose={onClose}>
      <form
        class="dialog-body"
        onSubmit={(event) => {
          event.preventDefault()
          void submit()
        }}
      >
        {!channel && <Choice label="To" value={type} options={TYPES} onChange={setType} inline={false} />}
        {type === "email" ? (
          <Field label="Recipients" hint="One address a line, ten at the most.">
            {(ids) => (
              <textarea
                {...ids}
                rows={3}
                required
                spellcheck={false}
                value={to}
                onInput={(event) => setTo(event.currentTarget.value)}
              />
            )}
          </Field>
        ) : (
          <Field
            label="URL"
            hint={
              type === "slack"
                ? channel
                  ? `It is kept like a secret. Leave it empty to keep it: ${channel.url}`
                  : "Of an incoming webhook. Whoever has it may post there, so it is kept like a secret."
                : "By https, at a public address. Its secret, which messages are signed with, is told once."
            }
          >
            {(ids) => (
              <input
                {...ids}
                type="url"
                required={!(channel && type === "slack")}
                maxLength={2_000}
                autocomplete="off"
                value={url}
                onInput={(event) => setUrl(event.currentTarget.value)}
              />
            )}
          </Field>
        )}
        <Choice
          label="Environment"
          value={environment}
          options={[
            ...(who.environment === null ? [["", "All of them"] as const] : []),
            ...environments.map((name) => [name, name] as const),
          ]}
          onChange={setEnvironment}
          inline={false}
        />
        <Choices legend="Tells when a change" chosen={events} options={EVENTS} onChange={setEvents} />
        {problem && <ProblemShown problem={problem} />}
        <DialogFoot
          verb={isBusy ? "One moment…" : channel ? "Alter it" : "Create"}
          isReady={isReady}
          onCancel={onClose}
        />
      </form>
    </Dialog>
  )
}
