import { useCallback, useState } from "preact/hooks"
import { useConsole, useMay } from "../console.tsx"
import { useLive } from "../live.ts"
import { Field } from "../parts/field.tsx"
import { Empty, Loaded } from "../parts/loaded.tsx"
import { MoreButton, useMore } from "../parts/more.tsx"
import { ProblemShown } from "../parts/problem.tsx"
import { Time } from "../parts/time.tsx"
import { problemOf } from "../problem.ts"
import type { AuditEntry, AuditVerdict, Page, Problem } from "../shapes.ts"
import { countOf } from "../words.ts"

const TEXTS = [
  ["actor", "Who"],
  ["action", "Did what"],
  ["target", "To what"],
] as const
const TIMES = [
  ["from", "From"],
  ["to", "Until"],
] as const
const FILTERS = [...TEXTS, ...TIMES]
type Wanted = Partial<Record<(typeof FILTERS)[number][0], string>>

/** Local times as the API takes them. */
const instant = (text: string | undefined): string | undefined =>
  text ? new Date(text).toISOString() : undefined

const wantedOf = (form: HTMLFormElement): Wanted => {
  const data = new FormData(form)
  const given = FILTERS.map(([name]) => [name, String(data.get(name) ?? "").trim()] as const)
  return Object.fromEntries(given.filter(([, text]) => text !== ""))
}

const Verify = () => {
  const { client, tenant } = useConsole()
  const [verdict, setVerdict] = useState<AuditVerdict | null>(null)
  const [problem, setProblem] = useState<Problem | null>(null)
  const [isBusy, setBusy] = useState(false)
  const verify = async (): Promise<void> => {
    setBusy(true)
    setVerdict(null)
    setProblem(null)
    try {
      setVerdict(await client.send<AuditVerdict>("POST", "/api/v1/audit/verify", { tenantId: tenant }))
    } catch (error) {
      setProblem(problemOf(error))
    }
    setBusy(false)
  }
  return (
    <section class="card" aria-labelledby="chain">
      <div class="card-head">
        <h2 id="chain">The chain</h2>
        <button type="button" disabled={isBusy} onClick={() => void verify()}>
          {isBusy ? "Checking every entry…" : "Verify"}
        </button>
      </div>
      <div role="status">
        {verdict &&
          (verdict.ok ? (
            <p class="good">
              All {countOf(verdict.entries, "entry", "entries")} are as they were written; up to number{" "}
              {verdict.signed} they are signed, too. It ends with{" "}
              <code class="hash">{verdict.head.hash.slice(0, 16)}</code>.
            </p>
          ) : (
            <p class="bad">
              The chain is broken at entry {verdict.firstBroken}: {verdict.reason}. Tell whoever is
              responsible before anything else.
            </p>
          ))}
      </div>
      {problem && <ProblemShown problem={problem} />}
      {!verdict && !problem && !isBusy && (
        <p class="quiet">
          Each entry holds the hash of the one before. This checks them all, and what was signed of them.
        </p>
      )}
    </section>
  )
}

const Export = () => {
  const { client, tenant } = useConsole()
  const [problem, setProblem] = useState<Problem | null>(null)
  const save = async (format: "jsonl" | "csv"): Promise<void> => {
    try {
      const response = await client.fetch("/api/v1/audit/export", { tenantId: tenant, format })
      const link = document.createElement("a")
      link.href = URL.createObjectURL(await response.blob())
      link.download = `${tenant.replace("~", "")}-audit.${format}`
      link.click()
      setTimeout(() => URL.revokeObjectURL(link.href), 10_000)
      setProblem(null)
    } catch (error) {
      setProblem(problemOf(error))
    }
  }
  return (
    <>
      <button type="button" onClick={() => void save("jsonl")}>
        Export as JSON lines
      </button>
      <button type="button" onClick={() => void save("csv")}>
        Export as CSV
      </button>
      {problem && <ProblemShown problem={problem} />}
    </>
  )
}

const Entries = ({ items }: { items: readonly AuditEntry[] }) => (
  <div class="table-frame">
    <table class="list">
      <caption class="hidden">Audit entries, newest first</caption>
      <thead>
        <tr>
          <th scope="col">No.</th>
          <th scope="col">When</th>
          <th scope="col">Who</th>
          <th scope="col">Did what</th>
          <th scope="col">To what</th>
        </tr>
      </thead>
      <tbody>
        {items.map((entry) => (
          <tr key={entry.seq}>
            <td>{entry.seq}</td>
            <td>
              <Time at={entry.at} />
            </td>
            <td>
              <span class="person">{entry.actor.subject}</span>
            </td>
            <td>
              <code>{entry.action}</code>
              {entry.environment && <span class="quiet">{entry.environment}</span>}
            </td>
            <td>
              <code class="target">{entry.target}</code>
              <details>
                <summary>More</summary>
                {entry.detail !== undefined && (
                  <pre class="value">{JSON.stringify(entry.detail, null, 2)}</pre>
                )}
                <p class="quiet">
                  Token {entry.actor.tokenId}, hash <code class="hash">{entry.hash}</code>
                </p>
              </details>
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  </div>
)

const AuditShown = () => {
  const { client, tenant } = useConsole()
  const may = useMay()
  const [wanted, setWanted] = useState<Wanted>({})
  const query = { ...wanted, from: instant(wanted.from), to: instant(wanted.to), tenantId: tenant, limit: 50 }
  const key = `audit ${JSON.stringify(query)}`
  const live = useLive(key, (signal) => client.get<Page<AuditEntry>>("/api/v1/audit", query, signal))
  const read = useCallback(
    (cursor: string) => client.get<Page<AuditEntry>>("/api/v1/audit", { ...query, cursor }),
    [client, key],
  )
  const { items, ...rest } = useMore(key, live.data, read)
  return (
    <>
      <Verify />
      <form
        class="toolbar filters"
        aria-label="Filter the audit"
        onSubmit={(event) => {
          event.preventDefault()
          setWanted(wantedOf(event.currentTarget))
        }}
        onReset={() => setWanted({})}
      >
        {TEXTS.map(([name, label]) => (
          <Field key={name} label={label}>
            {(ids) => <input {...ids} name={name} type="search" autocomplete="off" spellcheck={false} />}
          </Field>
        ))}
        {TIMES.map(([name, label]) => (
          <Field key={name} label={label}>
            {(ids) => <input {...ids} name={name} type="datetime-local" />}
          </Field>
        ))}
        <button type="submit">Filter</button>
        <button type="reset">All</button>
        {may("audit.export") && <Export />}
      </form>
      <Loaded live={live} what="the audit">
        {() =>
          items.length === 0 ? (
            <Empty title="There is no such entry">
              <p>
                Filters are exact: an action is written as change.approve, a target as the id of what it was
                done to.
              </p>
            </Empty>
          ) : (
            <>
              <Entries items={items} />
              <MoreButton {...rest} label="Older entries" />
            </>
          )
        }
      </Loaded>
    </>
  )
}

export const AuditPage = () => {
  const { who } = useConsole()
  const may = useMay()
  return (
    <>
      <div class="page-head">
        <h1>Audit</h1>
      </div>
      <p class="lead">
        Who did what, when: each entry chained to the one before, so that nothing is altered unseen.
      </p>
      {may("audit.read") ? (
        <AuditShown />
      ) : (
        <Empty title="Your roles do not read the audit">
          <p>Compliance officers and tenant admins do. Yours: {who.roles.join(", ").replaceAll("_", " ")}.</p>
        </Empty>
      )}
    </>
  )
}
