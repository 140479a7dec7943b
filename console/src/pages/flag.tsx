import { useState } from "preact/hooks"
import { pathPart } from "../client.ts"
import { useConsole, useLinks, useMay } from "../console.tsx"
import { useLive } from "../live.ts"
import { LayerBadge } from "../parts/badge.tsx"
import { editOf, isOwn, lockOn, noteOn } from "../parts/flag-edit.ts"
import { FlagEditor } from "../parts/flag-editor.tsx"
import { FlagSwitch } from "../parts/flag-switch.tsx"
import { History } from "../parts/history.tsx"
import { Loaded } from "../parts/loaded.tsx"
import { changesOf, OnTheWay, useOpenChanges } from "../parts/open-changes.tsx"
import { OriginShown } from "../parts/origin.tsx"
import { Promote } from "../parts/promote.tsx"
import { Review } from "../parts/review.tsx"
import { WhoGetsIt } from "../parts/who-gets-it.tsx"
import type { ConfigExplanation, EditBody, Flag, Json } from "../shapes.ts"
import { reachOf } from "../words.ts"

interface Read {
  flag: Flag
  explained: ConfigExplanation
}

const FlagShown = ({ read: { flag, explained }, onDone }: { read: Read; onDone: () => void }) => {
  const { tenant, environment } = useConsole()
  const may = useMay()
  const open = useOpenChanges()
  const [wanted, setWanted] = useState<{ title: string; edit: EditBody } | null>(null)
  const lock = lockOn(flag, tenant)
  const mayEdit = lock === undefined && may("change.submit", environment)
  const done = (): void => {
    setWanted(null)
    onDone()
    void open.refresh()
  }
  const review = (definition: Record<string, Json>): void =>
    setWanted({ title: `Change ${flag.key}`, edit: editOf(flag, definition, tenant) })
  /** Off and locked, it is off for everybody, whatever tenants say. */
  const locking = {
    title: `${flag.locked ? "Unlock" : "Lock"} ${flag.key}`,
    edit: { key: flag.key, locked: !flag.locked, ifMatch: flag.version },
  }
  return (
    <>
      <div class="page-head">
        <h1>
          <code>{flag.key}</code>
        </h1>
        <FlagSwitch flag={flag} onDone={done} />
        <LayerBadge {...flag} />
      </div>
      <p class="lead">
        {reachOf(flag)} in {environment}.{flag.description && ` ${flag.description}`}
      </p>
      {lock && <p class="note">{lock}</p>}
      <OnTheWay changes={changesOf(open.data, flag.key)} />
      <div class="columns">
        <section class="card" aria-labelledby="reach">
          <h2 id="reach">Who it is on for</h2>
          <FlagEditor
            key={`${flag.scope} ${flag.version}`}
            flag={flag}
            isFixed={!mayEdit}
            onReview={review}
          />
        </section>
        <section class="card" aria-labelledby="why">
          <h2 id="why">Who gets what, and why</h2>
          <WhoGetsIt flagKey={flag.key} />
        </section>
      </div>
      <section class="card" aria-labelledby="origin">
        <div class="card-head">
          <h2 id="origin">Where readers have it from</h2>
          {tenant.startsWith("~") && mayEdit && isOwn(flag, tenant) && (
            <button type="button" onClick={() => setWanted(locking)}>
              {flag.locked ? "Unlock it" : "Lock it over nearer layers"}
            </button>
          )}
        </div>
        <OriginShown origin={explained} />
      </section>
      {isOwn(flag, tenant) && (
        <section class="card" aria-labelledby="history">
          <div class="card-head">
            <h2 id="history">History</h2>
            <Promote keyName={flag.key} onReload={done} />
            {mayEdit && (
              <button
                type="button"
                class="danger"
                onClick={() =>
                  setWanted({
                    title: `Delete ${flag.key}`,
                    edit: { key: flag.key, delete: true, ifMatch: flag.version },
                  })
                }
              >
                Delete
              </button>
            )}
          </div>
          <History
            configId={flag.configId}
            version={flag.version}
            keyName={flag.key}
            environment={environment}
            onDone={done}
          />
        </section>
      )}
      {wanted && (
        <Review
          title={wanted.title}
          environment={environment}
          wanted={{ edits: [wanted.edit] }}
          note={noteOn(flag, tenant)}
          onClose={() => setWanted(null)}
          onReload={done}
          onDone={done}
        />
      )}
    </>
  )
}

export const FlagPage = ({ flagKey }: { flagKey: string }) => {
  const { client, tenant, environment } = useConsole()
  const link = useLinks()
  const path = `/api/v1/tenants/${pathPart(tenant)}/flags/${pathPart(flagKey)}`
  const configPath = `/api/v1/configs/${pathPart(`${tenant}:${environment}:${flagKey}`)}`
  const live = useLive(`flag ${tenant} ${environment} ${flagKey}`, async (signal): Promise<Read> => {
    const [flag, explained] = await Promise.all([
      client.get<Flag>(path, { environment }, signal),
      client.get<ConfigExplanation>(`${configPath}/explain`, {}, signal),
    ])
    return { flag, explained }
  })
  return (
    <>
      <p class="back">
        <a href={link("flags")}>All flags</a>
      </p>
      {live.data === null && (
        <h1>
          <code>{flagKey}</code>
        </h1>
      )}
      <Loaded live={live} what="the flag">
        {(read) => <FlagShown read={read} onDone={() => void live.refresh()} />}
      </Loaded>
    </>
  )
}
