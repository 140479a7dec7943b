import { useCallback, useEffect, useRef, useState } from "preact/hooks"
import { pathPart } from "../client.ts"
import { useConsole, useLinks, useMay } from "../console.tsx"
import { useLive } from "../live.ts"
import type { EditBody, Page, Version, VersionDiff } from "../shapes.ts"
import { Differences, Value } from "./diff.tsx"
import { Field } from "./field.tsx"
import { Loaded } from "./loaded.tsx"
import { MoreButton, useMore } from "./more.tsx"
import { Review } from "./review.tsx"
import { Time } from "./time.tsx"

const versionsPath = (configId: string): string => `/api/v1/configs/${pathPart(configId)}/versions`

/** Brings a version back in full. */
const restoring = (key: string, { version, deleted, ...was }: Version): EditBody => {
  if (deleted) return { key, delete: true, restores: version }
  const { value, schema, description, owner, locked } = was
  return { key, value, schema, description, owner, locked, restores: version }
}

const Compared = ({ configId, from, to }: { configId: string; from: number; to: number }) => {
  const { client } = useConsole()
  const live = useLive(
    `${configId} ${from} ${to}`,
    (signal) => client.get<VersionDiff>(`/api/v1/configs/${pathPart(configId)}/diff`, { from, to }, signal),
    () => null,
  )
  return (
    <Loaded live={live} what="the difference">
      {({ values }) =>
        values.length === 0 ? <p>Their values are the same.</p> : <Differences values={values} />
      }
    </Loaded>
  )
}

const Compare = ({ configId, versions }: { configId: string; versions: readonly Version[] }) => {
  const [latest, before] = versions
  const [from, setFrom] = useState<number | null>(null)
  const [to, setTo] = useState<number | null>(null)
  if (!latest || !before) return null
  const [one, other] = [from ?? before.version, to ?? latest.version]
  const choice = (label: string, value: number, set: (version: number) => void) => (
    <Field label={label} inline>
      {(ids) => (
        <select {...ids} value={value} onChange={(event) => set(Number(event.currentTarget.value))}>
          {versions.map(({ version }) => (
            <option key={version} value={version}>
              {version}
            </option>
          ))}
        </select>
      )}
    </Field>
  )
  return (
    <details>
      <summary>Compare two versions</summary>
      <div class="toolbar">
        {choice("From version", one, setFrom)}
        {choice("to version", other, setTo)}
      </div>
      <Compared configId={configId} from={one} to={other} />
    </details>
  )
}

/** Every value a key has had, who gave it and why; two of them compared, or one brought back. */
export const History = ({
  configId,
  version,
  keyName,
  environment,
  onDone,
}: {
  configId: string
  /** The one that is stable: with another, there is more to read. */
  version: number
  keyName: string
  environment: string
  onDone: () => void
}) => {
  const { client } = useConsole()
  const may = useMay()
  const link = useLinks()
  const [restored, setRestored] = useState<Version | null>(null)
  const live = useLive(`versions ${configId}`, (signal) =>
    client.get<Page<Version>>(versionsPath(configId), { limit: 20 }, signal),
  )
  const known = useRef(version)
  useEffect(() => {
    if (known.current !== version) void live.refresh()
    known.current = version
  }, [version])
  const read = useCallback(
    (cursor: string) => client.get<Page<Version>>(versionsPath(configId), { limit: 20, cursor }),
    [client, configId],
  )
  const { items, ...rest } = useMore(configId, live.data, read)
  const mayRestore = may("change.submit", environment)
  return (
    <Loaded live={live} what="its history">
      {() => (
        <>
          <Compare configId={configId} versions={items} />
          <ol class="history">
            {items.map((version, index) => (
              <li key={version.version}>
                <p>
                  <strong>Version {version.version}</strong> by <span class="person">{version.author}</span>{" "}
                  <Time at={version.at} />, <a href={link("changes", version.changeId)}>its change</a>
                  {version.restores !== null && `, brings back version ${version.restores}`}
                  {version.reason && <q>{version.reason}</q>}
                </p>
                {version.deleted ? (
                  <p class="quiet">Deleted: what lies below shows.</p>
                ) : (
                  <Value value={version.value} />
                )}
                {index > 0 && mayRestore && (
                  <button type="button" onClick={() => setRestored(version)}>
                    Bring back version {version.version}
                  </button>
                )}
              </li>
            ))}
          </ol>
          <MoreButton {...rest} label="Older versions" />
          {restored && (
            <Review
              title={`Bring back version ${restored.version} of ${keyName}`}
              environment={environment}
              wanted={{ edits: [restoring(keyName, restored)] }}
              onClose={() => setRestored(null)}
              onReload={() => {
                setRestored(null)
                void live.refresh()
              }}
              onDone={() => {
                setRestored(null)
                void live.refresh()
                onDone()
              }}
            />
          )}
        </>
      )}
    </Loaded>
  )
}
