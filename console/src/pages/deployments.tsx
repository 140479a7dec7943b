import { useState } from "preact/hooks"
import { pathPart } from "../client.ts"
import { useConsole, useMay, useMayWhole } from "../console.tsx"
import { useLive } from "../live.ts"
import { Empty, Loaded } from "../parts/loaded.tsx"
import { ProblemShown } from "../parts/problem.tsx"
import { Time } from "../parts/time.tsx"
import { problemOf } from "../problem.ts"
import type { BackendHealth, Problem, TenantHealth } from "../shapes.ts"
import { bytesOf, percentOf, withinOf } from "../words.ts"

const BACKEND_WORDS = { metrics: "Metrics", logs: "Logs", traces: "Traces" } as const
const STATE_WORDS = {
  healthy: "Healthy",
  degraded: "Degraded: some targets answer",
  unhealthy: "Unhealthy",
  unknown: "Nobody has looked yet",
} as const

const StateShown = ({ state }: Pick<BackendHealth, "state">) => (
  <span class={`badge health-${state}`}>{STATE_WORDS[state]}</span>
)

const Backend = ({ name, backend }: { name: keyof typeof BACKEND_WORDS; backend: BackendHealth }) => (
  <section class="card" aria-labelledby={`backend-${name}`}>
    <div class="card-head">
      <h2 id={`backend-${name}`}>{BACKEND_WORDS[name]}</h2>
      <StateShown state={backend.state} />
    </div>
    <ul class="targets">
      {backend.targets.map(({ url, region, state, since, checkedAt, latencyMs, words }) => (
        <li key={url}>
          <p>
            <code>{url}</code> {region && <span class="badge">{region}</span>} <StateShown state={state} />
          </p>
          <p class="quiet">
            {words}{" "}
            {since && checkedAt && (
              <>
                So since <Time at={since} />; looked at <Time at={checkedAt} />, in {latencyMs} ms.
              </>
            )}
          </p>
        </li>
      ))}
    </ul>
  </section>
)

const Requests = ({ service }: Pick<TenantHealth, "service">) => {
  const { errorRate, responseMs, uptime, lastSecurityAlertAt, databaseBytes, storageBytes } = service
  const share = (part: number | null): string => (part === null ? "no requests" : percentOf(part * 10_000))
  return (
    <section class="card" aria-labelledby="requests">
      <h2 id="requests">Its requests to Hotswap</h2>
      <dl class="numbers">
        <div>
          <dt>Failed, in 24 hours</dt>
          <dd>{share(errorRate)}</dd>
        </div>
        <div>
          <dt>Answered in, the last hour</dt>
          <dd>{responseMs === null ? "no requests" : `${Math.round(responseMs)} ms on average`}</dd>
        </div>
        <div>
          <dt>Up, in 24 hours</dt>
          <dd>{share(uptime)}</dd>
        </div>
        <div>
          <dt>Last security alert</dt>
          <dd>{lastSecurityAlertAt ? <Time at={lastSecurityAlertAt} /> : "none"}</dd>
        </div>
        <div>
          <dt>Kept</dt>
          <dd>
            {bytesOf(databaseBytes)} in the database, {bytesOf(storageBytes)} of archives
          </dd>
        </div>
      </dl>
    </section>
  )
}

const DeploymentsShown = () => {
  const { client, tenant, say } = useConsole()
  const mayWhole = useMayWhole()
  const [problem, setProblem] = useState<Problem | null>(null)
  const [isBusy, setBusy] = useState(false)
  const path = `/api/v1/tenants/${pathPart(tenant)}`
  const live = useLive(`health ${tenant}`, (signal) => client.get<TenantHealth>(`${path}/health`, {}, signal))
  const check = async (): Promise<void> => {
    setBusy(true)
    setProblem(null)
    try {
      await client.send("POST", `${path}/deployments/check`)
      await live.refresh()
      say("Every target was looked at now.")
    } catch (error) {
      setProblem(problemOf(error))
    }
    setBusy(false)
  }
  return (
    <Loaded live={live} what="how they are">
      {({ deployments, service }) => {
        const backends = Object.entries(deployments) as [keyof typeof BACKEND_WORDS, BackendHealth][]
        return (
          <>
            {backends.length === 0 ? (
              <Empty title={`${tenant} has no backends of its own`}>
                <p>
                  Backends for metrics, logs and traces are set by an admin, with{" "}
                  <code>PUT {path}/deployments</code>; how they are shows here.
                </p>
              </Empty>
            ) : (
              <>
                {mayWhole("backend.check") && (
                  <div class="toolbar">
                    <button type="button" disabled={isBusy} onClick={() => void check()}>
                      {isBusy ? "Looking…" : "Check now"}
                    </button>
                  </div>
                )}
                {problem && <ProblemShown problem={problem} />}
                {backends.map(([name, backend]) => (
                  <Backend key={name} name={name} backend={backend} />
                ))}
              </>
            )}
            <Requests service={service} />
          </>
        )
      }}
    </Loaded>
  )
}

export const DeploymentsPage = () => {
  const { tenant } = useConsole()
  const may = useMay()
  return (
    <>
      <div class="page-head">
        <h1>Deployments</h1>
      </div>
      <p class="lead">How the backends of {withinOf(tenant)} are, and how its requests fare.</p>
      {tenant.startsWith("~") ? (
        <Empty title="Backends are a tenant's">
          <p>The platform and the tiers have none.</p>
        </Empty>
      ) : may("usage.read") ? (
        <DeploymentsShown />
      ) : (
        <Empty title="Your roles do not look at a tenant's health" />
      )}
    </>
  )
}
