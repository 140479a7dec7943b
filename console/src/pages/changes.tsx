import { useCallback, useState } from "preact/hooks"
import { useConsole, useLinks } from "../console.tsx"
import { useLive } from "../live.ts"
import { StateBadge } from "../parts/badge.tsx"
import { Choice } from "../parts/field.tsx"
import { Empty, Loaded } from "../parts/loaded.tsx"
import { MoreButton, useMore } from "../parts/more.tsx"
import { approvedOf } from "../parts/stages.tsx"
import { Time } from "../parts/time.tsx"
import type { ChangeListed, Page } from "../shapes.ts"
import { percentOf, STATE_WORDS, titleOf } from "../words.ts"

const OPEN = "awaiting_approval,scheduled,rolling_out"

const STATES = [
  ["", "All"],
  [OPEN, "Open"],
  ...Object.entries(STATE_WORDS),
] as const satisfies readonly (readonly [string, string])[]

/** Changes, one a row: what, where to, how far, by whom. */
export const ChangeList = ({ changes }: { changes: readonly ChangeListed[] }) => {
  const link = useLinks()
  return (
    <ul class="cards">
      {changes.map((change) => {
        const { given, owed } = approvedOf(change.stages)
        return (
          <li key={change.changeId} class="card row">
            <div>
              <a class="row-title" href={link("changes", change.changeId)}>
                {titleOf(change)}
              </a>
              <p>
                <span class="person">{change.author}</span> <Time at={change.createdAt} /> for{" "}
                {change.environment}
                {change.promotedFrom && `, promoted from ${change.promotedFrom.environment}`}
                {change.comment && <q>{change.comment}</q>}
              </p>
            </div>
            <div class="row-facts">
              <StateBadge change={change} />
              {owed > 0 && (
                <span>
                  {given} of {owed} approvals
                </span>
              )}
              {change.state === "rolling_out" && <span>{percentOf(change.weightBp)} of readers</span>}
            </div>
          </li>
        )
      })}
    </ul>
  )
}

export const ChangesPage = () => {
  const { client, tenant, environment } = useConsole()
  const [state, setState] = useState("")
  const [where, setWhere] = useState<"here" | "all">("here")
  const query = {
    tenantId: tenant,
    state,
    environment: where === "here" ? environment : null,
    limit: 30,
  }
  const key = `changes ${JSON.stringify(query)}`
  const live = useLive(key, (signal) => client.get<Page<ChangeListed>>("/api/v1/changes", query, signal))
  const read = useCallback(
    (cursor: string) => client.get<Page<ChangeListed>>("/api/v1/changes", { ...query, cursor }),
    [client, key],
  )
  const { items, ...rest } = useMore(key, live.data, read)
  return (
    <>
      <div class="page-head">
        <h1>Changes</h1>
      </div>
      <p class="lead">Everything that altered what readers get, or is going to, newest first.</p>
      <div class="toolbar">
        <Choice label="State" value={state} options={STATES} onChange={setState} />
        <Choice
          label="Environment"
          value={where}
          options={[
            ["here", environment],
            ["all", "All"],
          ]}
          onChange={setWhere}
        />
      </div>
      <Loaded live={live} what="the changes">
        {() =>
          items.length === 0 ? (
            <Empty title="There are no such changes">
              <p>Whatever you edit, switch or promote becomes a change, and is listed here.</p>
            </Empty>
          ) : (
            <>
              <ChangeList changes={items} />
              <MoreButton {...rest} label="Older changes" />
            </>
          )
        }
      </Loaded>
    </>
  )
}
