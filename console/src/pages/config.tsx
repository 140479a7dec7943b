import { useState } from "preact/hooks"
import { pathPart } from "../client.ts"
import { useConsole, useLinks, useMay } from "../console.tsx"
import { useLive } from "../live.ts"
import { ConfigForm } from "../parts/config-form.tsx"
import { Value } from "../parts/diff.tsx"
import { History } from "../parts/history.tsx"
import { Loaded } from "../parts/loaded.tsx"
import { changesOf, OnTheWay, useOpenChanges } from "../parts/open-changes.tsx"
import { OriginShown } from "../parts/origin.tsx"
import { Promote } from "../parts/promote.tsx"
import { Review } from "../parts/review.tsx"
import { SecretShown } from "../parts/secret-shown.tsx"
import { Time } from "../parts/time.tsx"
import { ProblemError } from "../problem.ts"
import type { Config, ConfigExplanation, EditBody } from "../shapes.ts"
import { isMarker } from "../words.ts"

interface Read {
  /** `null`: this scope has none of its own. */
  own: Config | null
  explained: ConfigExplanation
}

const OwnConfig = ({ config, onDone }: { config: Config; onDone: () => void }) => {
  const { environment } = useConsole()
  const may = useMay()
  const [edit, setEdit] = useState<EditBody | null>(null)
  const mayEdit = may("change.submit", environment)
  const done = (): void => {
    setEdit(null)
    onDone()
  }
  const deletion: EditBody = { key: config.key, delete: true, ifMatch: config.version }
  return (
    <>
      {mayEdit && (
        <section class="card" aria-labelledby="edit">
          <div class="card-head">
            <h2 id="edit">Edit</h2>
            <Promote keyName={config.key} onReload={done} />
            <button type="button" class="danger" onClick={() => setEdit(deletion)}>
              Delete
            </button>
          </div>
          <ConfigForm key={config.version} config={config} verb="Review the change" onEdit={setEdit} />
        </section>
      )}
      <section class="card" aria-labelledby="history">
        <h2 id="history">History</h2>
        <History
          configId={config.configId}
          version={config.version}
          keyName={config.key}
          environment={environment}
          onDone={done}
        />
      </section>
      {edit && (
        <Review
          title={edit.delete ? `Delete ${config.key}` : `Change ${config.key}`}
          environment={environment}
          wanted={{ edits: [edit] }}
          onClose={() => setEdit(null)}
          onReload={done}
          onDone={done}
        />
      )}
    </>
  )
}

const ConfigShown = ({ read, onDone }: { read: Read; onDone: () => void }) => {
  const { environment } = useConsole()
  const may = useMay()
  const open = useOpenChanges()
  const { own, explained } = read
  const value = own ? own.value : explained.value
  return (
    <>
      <div class="page-head">
        <h1>
          <code>{explained.key}</code>
        </h1>
      </div>
      <p class="lead">
        {own?.description ?? "A config"} in {environment}
        {own?.owner && `, owned by ${own.owner}`}
        {own && (
          <>
            , version {own.version}, changed by <span class="person">{own.updatedBy}</span>{" "}
            <Time at={own.updatedAt} />
          </>
        )}
        .
      </p>
      <OnTheWay changes={changesOf(open.data, explained.key)} />
      <div class="columns">
        <section class="card" aria-labelledby="value">
          <h2 id="value">Value</h2>
          <Value value={value} />
          {isMarker(value) && own && may("secret.read", environment) && (
            <SecretShown configId={own.configId} environment={environment} />
          )}
        </section>
        <section class="card" aria-labelledby="origin">
          <h2 id="origin">Where readers have it from</h2>
          <OriginShown origin={explained} />
        </section>
      </div>
      {own ? (
        <OwnConfig config={own} onDone={onDone} />
      ) : (
        <p class="note">It is inherited. A new config of the same key would take its place here.</p>
      )}
    </>
  )
}

export const ConfigPage = ({ configKey }: { configKey: string }) => {
  const { client, tenant, environment } = useConsole()
  const link = useLinks()
  const path = `/api/v1/configs/${pathPart(`${tenant}:${environment}:${configKey}`)}`
  const live = useLive(`config ${path}`, async (signal): Promise<Read> => {
    const own = client.get<Config>(path, {}, signal).catch((error: unknown) => {
      if (error instanceof ProblemError && error.problem.code === "CONFIG_NOT_FOUND") return null
      throw error
    })
    const explained = client.get<ConfigExplanation>(`${path}/explain`, {}, signal)
    const [found, why] = await Promise.all([own, explained])
    return { own: found, explained: why }
  })
  return (
    <>
      <p class="back">
        <a href={link("configs")}>All configs</a>
      </p>
      {live.data === null && (
        <h1>
          <code>{configKey}</code>
        </h1>
      )}
      <Loaded live={live} what="the config">
        {(read) => <ConfigShown read={read} onDone={() => void live.refresh()} />}
      </Loaded>
    </>
  )
}
