import { useCallback, useState } from "preact/hooks"
import { pathPart } from "../client.ts"
import { useConsole, useLinks, useMay } from "../console.tsx"
import { MOVING_MS, RESTING_MS, useLive } from "../live.ts"
import { Actions } from "../parts/actions.tsx"
import { StateBadge } from "../parts/badge.tsx"
import { Confirm } from "../parts/dialog.tsx"
import { Empty, Loaded } from "../parts/loaded.tsx"
import { MoreButton, useMore } from "../parts/more.tsx"
import { Rollout } from "../parts/rollout.tsx"
import { Time } from "../parts/time.tsx"
import type { Change, ChangeListed, Page, Release } from "../shapes.ts"
import { exactOf, titleOf } from "../words.ts"

/** Stopping and taking back come first where something moves. */
const CONTROLS = ["advance", "pause", "resume", "abort"]

/** A rollout by itself, for what the gate says of it is told with one change and not with many. */
const RolloutCard = ({ listed, onReload }: { listed: ChangeListed; onReload: () => void }) => {
  const { client } = useConsole()
  const link = useLinks()
  const live = useLive(
    `rollout ${listed.changeId}`,
    (signal) => client.get<Change>(`/api/v1/changes/${pathPart(listed.changeId)}`, {}, signal),
    () => MOVING_MS,
  )
  const change = live.data ?? listed
  const reload = (): void => {
    void live.refresh()
    onReload()
  }
  return (
    <li class="card">
      <div class="card-head">
        <h2>
          <a href={link("changes", listed.changeId, { environment: listed.environment })}>
            {titleOf(listed)}
          </a>
        </h2>
        <span>{listed.environment}</span>
        <StateBadge change={change} />
      </div>
      <p>
        By <span class="person">{listed.author}</span> <Time at={listed.createdAt} />
        {listed.comment && <q>{listed.comment}</q>}
      </p>
      <Rollout change={change} />
      <Actions change={change} only={CONTROLS} onChange={reload} onReload={reload} />
    </li>
  )
}

const Releases = ({ onReload }: { onReload: () => void }) => {
  const { client, tenant, environment, say } = useConsole()
  const may = useMay()
  const link = useLinks()
  const [chosen, setChosen] = useState<Release | null>(null)
  const path = `/api/v1/tenants/${pathPart(tenant)}/environments/${pathPart(environment)}`
  const key = `releases ${path}`
  const live = useLive(key, (signal) => client.get<Page<Release>>(`${path}/releases`, { limit: 10 }, signal))
  const read = useCallback(
    (cursor: string) => client.get<Page<Release>>(`${path}/releases`, { limit: 10, cursor }),
    [client, path],
  )
  const { items, ...rest } = useMore(key, live.data, read)
  return (
    <section class="stack" aria-labelledby="releases">
      <h2 id="releases">What was stable in {environment}</h2>
      <Loaded live={live} what="the releases">
        {() =>
          items.length === 0 ? (
            <Empty title={`Nothing was ever live in ${environment}`} />
          ) : (
            <>
              <ol class="history releases card">
                {items.map((release) => (
                  <li key={release.seq}>
                    <p>
                      <code class="hash">{release.release.slice(0, 12)}</code>{" "}
                      {release.until === null ? <strong>stable now,</strong> : "stable"} from{" "}
                      {exactOf(release.at)}
                      {release.until && ` until ${exactOf(release.until)}`},{" "}
                      {release.cause.replaceAll("_", " ")}
                      {release.changeId && (
                        <>
                          {" by "}
                          <a href={link("changes", release.changeId)}>a change</a>
                        </>
                      )}
                    </p>
                    {release.returnable && release.until !== null && may("change.control", environment) && (
                      <button type="button" class="danger" onClick={() => setChosen(release)}>
                        Return to this one
                      </button>
                    )}
                  </li>
                ))}
              </ol>
              <MoreButton {...rest} label="Earlier releases" />
            </>
          )
        }
      </Loaded>
      {chosen && (
        <Confirm
          title={`Return ${environment} to an earlier release`}
          verb="Return to it"
          environment={environment}
          isDangerous
          commentLabel="Why"
          onClose={() => setChosen(null)}
          onReload={() => {
            setChosen(null)
            void live.refresh()
          }}
          run={async ({ comment }) => {
            const why = comment === "" ? {} : { comment }
            await client.send("POST", `${path}/rollback`, { toRelease: chosen.release, ...why })
            setChosen(null)
            say(`${environment} is back on ${chosen.release.slice(0, 12)}.`)
            await live.refresh()
            onReload()
          }}
        >
          <p>
            Everyone is at once back on what was stable until {chosen.until && <Time at={chosen.until} />}.
            Every change that went live since is taken back.
          </p>
        </Confirm>
      )}
    </section>
  )
}

export const RolloutsPage = () => {
  const { client, tenant } = useConsole()
  const live = useLive(
    `rollouts ${tenant}`,
    (signal) =>
      client.get<Page<ChangeListed>>(
        "/api/v1/changes",
        { tenantId: tenant, state: "rolling_out,scheduled", limit: 50 },
        signal,
      ),
    ({ items }) => (items.length > 0 ? MOVING_MS * 2 : RESTING_MS),
  )
  return (
    <>
      <div class="page-head">
        <h1>Rollouts</h1>
      </div>
      <p class="lead">
        What is on its way to readers, in every environment: how far it is, and what the gate says.
      </p>
      <Loaded live={live} what="the rollouts">
        {({ items }) =>
          items.length === 0 ? (
            <Empty title="Nothing is rolling out">
              <p>
                A canary, a blue-green switch or a wave shows here from its first step until it is live or
                taken back.
              </p>
            </Empty>
          ) : (
            <ul class="cards">
              {items.map((change) => (
                <RolloutCard key={change.changeId} listed={change} onReload={() => void live.refresh()} />
              ))}
            </ul>
          )
        }
      </Loaded>
      <Releases onReload={() => void live.refresh()} />
    </>
  )
}
