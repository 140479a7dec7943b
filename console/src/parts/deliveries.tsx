import { useCallback, useState } from "preact/hooks"
import { pathPart } from "../client.ts"
import { useConsole, useLinks, useMay } from "../console.tsx"
import { useLive } from "../live.ts"
import { problemOf } from "../problem.ts"
import type { Channel, Delivery, Page, Problem } from "../shapes.ts"
import { countOf, NOTICE_WORDS } from "../words.ts"
import { Choice } from "./field.tsx"
import { Loaded } from "./loaded.tsx"
import { MoreButton, useMore } from "./more.tsx"
import { ProblemShown } from "./problem.tsx"
import { Time } from "./time.tsx"

const STATES = [
  ["", "All"],
  ["pending", "On their way"],
  ["delivered", "Taken"],
  ["dead", "Given up"],
] as const
const STATE_WORDS = { pending: "On its way", delivered: "Taken", dead: "Given up" } as const

/** What was sent to a scope's channels, and what was not taken; that is tried again on request. */
export const Deliveries = ({ channels }: { channels: readonly Channel[] }) => {
  const { client, tenant } = useConsole()
  const may = useMay()
  const link = useLinks()
  const [state, setState] = useState<(typeof STATES)[number][0]>("")
  const [problem, setProblem] = useState<Problem | null>(null)
  /** Read anew from the first page on, as one of a later page is not what it was. */
  const [retried, setRetried] = useState(0)
  const path = `/api/v1/tenants/${pathPart(tenant)}/deliveries`
  const key = `deliveries ${tenant} ${state} ${retried}`
  const live = useLive(key, (signal) => client.get<Page<Delivery>>(path, { state, limit: 20 }, signal))
  const read = useCallback(
    (cursor: string) => client.get<Page<Delivery>>(path, { state, limit: 20, cursor }),
    [client, key],
  )
  const { items, ...rest } = useMore(key, live.data, read)
  const whither = ({ channelId }: Delivery): string => {
    const channel = channels.find((one) => one.channelId === channelId)
    return channel ? (channel.url ?? (channel.to ?? []).join(", ")) : "a channel that is gone"
  }
  const retry = async ({ deliveryId }: Delivery): Promise<void> => {
    try {
      await client.send("POST", `${path}/${pathPart(deliveryId)}/retry`)
      setProblem(null)
      setRetried(retried + 1)
    } catch (error) {
      setProblem(problemOf(error))
    }
  }
  return (
    <section class="stack" aria-labelledby="deliveries">
      <h2 id="deliveries">What was sent</h2>
      <div class="toolbar">
        <Choice label="Messages" value={state} options={STATES} onChange={setState} />
      </div>
      {problem && <ProblemShown problem={problem} onReload={() => void live.refresh()} />}
      <Loaded live={live} what="what was sent">
        {() =>
          items.length === 0 ? (
            <p class="quiet">There are no such messages.</p>
          ) : (
            <ol class="history card">
              {items.map((delivery) => (
                <li key={delivery.deliveryId}>
                  <p>
                    <a href={link("changes", delivery.changeId, { environment: delivery.environment })}>
                      A change in {delivery.environment}
                    </a>{" "}
                    {NOTICE_WORDS[delivery.type]}: to {whither(delivery)}, <Time at={delivery.at} />
                  </p>
                  <p>
                    <span class={`badge delivery-${delivery.state}`}>{STATE_WORDS[delivery.state]}</span>{" "}
                    <span class="quiet">
                      after {countOf(delivery.attempts, "attempt")}
                      {delivery.lastError && `: ${delivery.lastError}`}
                    </span>
                  </p>
                  {delivery.state === "dead" && may("channel.manage") && (
                    <button type="button" onClick={() => void retry(delivery)}>
                      Try it again
                    </button>
                  )}
                </li>
              ))}
            </ol>
          )
        }
      </Loaded>
      <MoreButton {...rest} label="Older messages" />
    </section>
  )
}
