import { useCallback, useState } from "preact/hooks"
import { pathPart } from "../client.ts"
import { useConsole, useLinks, useMay } from "../console.tsx"
import { useLive } from "../live.ts"
import { LayerBadge } from "../parts/badge.tsx"
import { Field } from "../parts/field.tsx"
import { FlagSwitch } from "../parts/flag-switch.tsx"
import { Empty, Loaded } from "../parts/loaded.tsx"
import { MoreButton, useMore } from "../parts/more.tsx"
import { NewFlag } from "../parts/new-flag.tsx"
import { changesOf, useOpenChanges } from "../parts/open-changes.tsx"
import { Time } from "../parts/time.tsx"
import type { ChangeListed, Flag, Page } from "../shapes.ts"
import { countOf, reachOf } from "../words.ts"

const FlagRow = ({
  flag,
  open,
  onDone,
}: {
  flag: Flag
  open: readonly ChangeListed[]
  onDone: () => void
}) => {
  const link = useLinks()
  return (
    <tr>
      <th scope="row">
        <a href={link("flags", flag.key)}>{flag.key}</a>
        {flag.description && <span class="quiet">{flag.description}</span>}
      </th>
      <td>
        <FlagSwitch flag={flag} onDone={onDone} />
      </td>
      <td>
        {reachOf(flag)}
        {open.length > 0 && (
          <a class="waits" href={link("changes", open[0]!.changeId)}>
            {countOf(open.length, "change")} on the way
          </a>
        )}
      </td>
      <td>
        <LayerBadge {...flag} />
      </td>
      <td>
        {flag.updatedBy && <span class="person">{flag.updatedBy}</span>}{" "}
        {flag.updatedAt && <Time at={flag.updatedAt} />}
      </td>
    </tr>
  )
}

export const FlagsPage = () => {
  const { client, tenant, environment } = useConsole()
  const may = useMay()
  const [filter, setFilter] = useState("")
  const [isNew, setNew] = useState(false)
  const path = `/api/v1/tenants/${pathPart(tenant)}/flags`
  const key = `flags ${tenant} ${environment}`
  const live = useLive(key, (signal) => client.get<Page<Flag>>(path, { environment, limit: 100 }, signal))
  const read = useCallback(
    (cursor: string) => client.get<Page<Flag>>(path, { environment, limit: 100, cursor }),
    [client, path, environment],
  )
  const { items, ...rest } = useMore(key, live.data, read)
  const open = useOpenChanges()
  const reload = (): void => {
    void live.refresh()
    void open.refresh()
  }
  const shown = items.filter((flag) =>
    `${flag.key} ${flag.description ?? ""}`.toLowerCase().includes(filter.toLowerCase()),
  )
  return (
    <>
      <div class="page-head">
        <h1>Flags</h1>
        {may("change.submit", environment) && (
          <button type="button" class="primary" onClick={() => setNew(true)}>
            New flag
          </button>
        )}
      </div>
      <p class="lead">What decides, for each of whoever asks, which variant they get in {environment}.</p>
      <Loaded live={live} what="the flags">
        {() =>
          items.length === 0 ? (
            <Empty title={`There are no flags in ${environment} yet`}>
              <p>A new flag starts switched off, so nobody sees anything else until you switch it on.</p>
            </Empty>
          ) : (
            <>
              <Field label="Filter by name" inline>
                {(ids) => (
                  <input
                    {...ids}
                    type="search"
                    value={filter}
                    onInput={(event) => setFilter(event.currentTarget.value)}
                  />
                )}
              </Field>
              <div class="table-frame">
                <table class="list">
                  <caption class="hidden">Flags</caption>
                  <thead>
                    <tr>
                      <th scope="col">Flag</th>
                      <th scope="col">State</th>
                      <th scope="col">Who gets it</th>
                      <th scope="col">From</th>
                      <th scope="col">Last changed</th>
                    </tr>
                  </thead>
                  <tbody>
                    {shown.map((flag) => (
                      <FlagRow
                        key={flag.key}
                        flag={flag}
                        open={changesOf(open.data, flag.key)}
                        onDone={reload}
                      />
                    ))}
                  </tbody>
                </table>
              </div>
              {shown.length === 0 && <p>None of {countOf(items.length, "flag")} is called that.</p>}
              <MoreButton {...rest} label="More flags" />
            </>
          )
        }
      </Loaded>
      {isNew && (
        <NewFlag
          onClose={() => setNew(false)}
          onDone={() => {
            setNew(false)
            reload()
          }}
        />
      )}
    </>
  )
}
