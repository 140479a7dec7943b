import { useCallback, useState } from "preact/hooks"
import { pathPart } from "../client.ts"
import { useConsole, useLinks, useMay } from "../console.tsx"
import { useLive } from "../live.ts"
import { LayerBadge } from "../parts/badge.tsx"
import { Field } from "../parts/field.tsx"
import { Empty, Loaded } from "../parts/loaded.tsx"
import { MoreButton, useMore } from "../parts/more.tsx"
import { NewConfig } from "../parts/new-config.tsx"
import { changesOf, useOpenChanges } from "../parts/open-changes.tsx"
import { Time } from "../parts/time.tsx"
import type { Config, Json, Layer, Merged, Page } from "../shapes.ts"
import { countOf, isFlagValue, isMarker } from "../words.ts"

const SHORT_MAX = 80

/** A value in one line. */
const Short = ({ value }: { value: Json }) => {
  if (isMarker(value)) return <span class="secret">a secret, sealed</span>
  const text = JSON.stringify(value)
  return <code class="short">{text.length > SHORT_MAX ? `${text.slice(0, SHORT_MAX)}…` : text}</code>
}

const Waiting = ({ keyName, open }: { keyName: string; open: ReturnType<typeof useOpenChanges> }) => {
  const link = useLinks()
  const [first, ...others] = changesOf(open.data, keyName)
  return first ? (
    <a class="waits" href={link("changes", first.changeId)}>
      {countOf(others.length + 1, "change")} on the way
    </a>
  ) : null
}

const Own = ({ prefix }: { prefix: string }) => {
  const { client, tenant, environment } = useConsole()
  const link = useLinks()
  const query = { tenantId: tenant, environment, prefix, limit: 100 }
  const key = `configs ${tenant} ${environment} ${prefix}`
  const live = useLive(key, (signal) => client.get<Page<Config>>("/api/v1/configs", query, signal))
  const read = useCallback(
    (cursor: string) => client.get<Page<Config>>("/api/v1/configs", { ...query, cursor }),
    [key],
  )
  const { items, ...rest } = useMore(key, live.data, read)
  const open = useOpenChanges()
  const configs = items.filter(({ value }) => !isFlagValue(value))
  const flags = items.length - configs.length
  return (
    <Loaded live={live} what="the configs">
      {() => (
        <>
          {configs.length === 0 ? (
            <Empty
              title={
                prefix === ""
                  ? `There are no configs in ${environment} yet`
                  : `No config begins with “${prefix}”`
              }
            >
              {prefix === "" && (
                <p>A config is a key with a JSON value, which readers get a moment after it is live.</p>
              )}
            </Empty>
          ) : (
            <div class="table-frame">
              <table class="list">
                <caption class="hidden">Configs</caption>
                <thead>
                  <tr>
                    <th scope="col">Key</th>
                    <th scope="col">Value</th>
                    <th scope="col">Version</th>
                    <th scope="col">Last changed</th>
                  </tr>
                </thead>
                <tbody>
                  {configs.map((config) => (
                    <tr key={config.key}>
                      <th scope="row">
                        <a href={link("configs", config.key)}>{config.key}</a>
                        {config.description && <span class="quiet">{config.description}</span>}
                      </th>
                      <td>
                        <Short value={config.value} />
                        <Waiting keyName={config.key} open={open} />
                      </td>
                      <td>
                        {config.version}
                        {config.locked && " (locked)"}
                      </td>
                      <td>
                        <span class="person">{config.updatedBy}</span> <Time at={config.updatedAt} />
                      </td>
                    </tr>
                  ))}
                </tbody>
              </table>
            </div>
          )}
          {flags > 0 && (
            <p class="quiet">
              {countOf(flags, "flag")} {flags === 1 ? "is" : "are"} among{" "}
              <a href={link("flags")}>the flags</a>.
            </p>
          )}
          <MoreButton {...rest} label="More configs" />
        </>
      )}
    </Loaded>
  )
}

const SCOPES: Readonly<Record<Layer, string>> = { platform: "~platform", tier: "its tier", tenant: "" }
const VIEW_EVERY_MS = 15_000

/** What readers get: the layers merged, each key with the layer that it is from. */
const AsRead = ({ prefix }: { prefix: string }) => {
  const { client, tenant, environment } = useConsole()
  const link = useLinks()
  const live = useLive(
    `view ${tenant} ${environment}`,
    (signal) =>
      client.get<{ revision: string; configs: Record<string, Merged> }>(
        `/api/v1/configs/tenant/${pathPart(tenant)}`,
        { environment, detail: "full" },
        signal,
      ),
    () => VIEW_EVERY_MS,
  )
  return (
    <Loaded live={live} what="what readers get">
      {({ revision, configs }) => {
        const found = Object.entries(configs).filter(([key]) => key.startsWith(prefix))
        return (
          <>
            <p class="quiet">Revision {revision}: what a reader without a targeting key gets.</p>
            {found.length === 0 ? (
              <Empty title="Readers get nothing" />
            ) : (
              <div class="table-frame">
                <table class="list">
                  <caption class="hidden">What readers get</caption>
                  <thead>
                    <tr>
                      <th scope="col">Key</th>
                      <th scope="col">Value</th>
                      <th scope="col">From</th>
                    </tr>
                  </thead>
                  <tbody>
                    {found.map(([key, { value, layer, locked, version }]) => (
                      <tr key={key}>
                        <th scope="row">
                          <a href={link(isFlagValue(value) ? "flags" : "configs", key)}>{key}</a>
                        </th>
                        <td>
                          <Short value={value} />
                        </td>
                        <td>
                          <LayerBadge layer={layer} scope={SCOPES[layer]} locked={locked} /> version {version}
                        </td>
                      </tr>
                    ))}
                  </tbody>
                </table>
              </div>
            )}
          </>
        )
      }}
    </Loaded>
  )
}

const VIEWS = [
  ["own", "Own"],
  ["read", "As readers get them"],
] as const

export const ConfigsPage = () => {
  const { environment } = useConsole()
  const may = useMay()
  const [prefix, setPrefix] = useState("")
  const [view, setView] = useState<"own" | "read">("own")
  const [isNew, setNew] = useState(false)
  const [made, setMade] = useState(0)
  return (
    <>
      <div class="page-head">
        <h1>Configs</h1>
        {may("change.submit", environment) && (
          <button type="button" class="primary" onClick={() => setNew(true)}>
            New config
          </button>
        )}
      </div>
      <p class="lead">Keys and values of {environment}, as they are stable now.</p>
      <div class="toolbar">
        <Field label="Keys that begin with" inline>
          {(ids) => (
            <input
              {...ids}
              type="search"
              value={prefix}
              spellcheck={false}
              autocapitalize="none"
              onInput={(event) => setPrefix(event.currentTarget.value.trim())}
            />
          )}
        </Field>
        <fieldset class="segments">
          <legend class="hidden">Which configs</legend>
          {VIEWS.map(([name, text]) => (
            <label key={name}>
              <input type="radio" name="view" checked={view === name} onChange={() => setView(name)} />
              <span>{text}</span>
            </label>
          ))}
        </fieldset>
      </div>
      {view === "own" ? <Own key={made} prefix={prefix} /> : <AsRead prefix={prefix} />}
      {isNew && (
        <NewConfig
          onClose={() => setNew(false)}
          onDone={() => {
            setNew(false)
            setMade(made + 1)
          }}
        />
      )}
    </>
  )
}
