import { useCallback, useEffect, useMemo, useRef, useState } from "preact/hooks"
import type { Client } from "./client.ts"
import { type Console, ConsoleContext, isProduction } from "./console.tsx"
import { useLive } from "./live.ts"
import { Menu, nameOf } from "./menu.tsx"
import { ApprovalsPage } from "./pages/approvals.tsx"
import { AuditPage } from "./pages/audit.tsx"
import { BackupsPage } from "./pages/backups.tsx"
import { ChangePage } from "./pages/change.tsx"
import { ChangesPage } from "./pages/changes.tsx"
import { ConfigPage } from "./pages/config.tsx"
import { ConfigsPage } from "./pages/configs.tsx"
import { DeploymentsPage } from "./pages/deployments.tsx"
import { FlagPage } from "./pages/flag.tsx"
import { FlagsPage } from "./pages/flags.tsx"
import { NotificationsPage } from "./pages/notifications.tsx"
import { PolicyPage } from "./pages/policy.tsx"
import { RolloutsPage } from "./pages/rollouts.tsx"
import { TenantsPage } from "./pages/tenants.tsx"
import { TokensPage } from "./pages/tokens.tsx"
import { Field } from "./parts/field.tsx"
import { Empty } from "./parts/loaded.tsx"
import { hrefOf, type Place, parsePlace } from "./place.ts"
import { keepLast, lastLookedAt } from "./session.ts"
import type { Page, Tenant, Who } from "./shapes.ts"
import { roleOf, scopeOf } from "./words.ts"

const SHARED = ["~platform", "~tier.Free", "~tier.Pro", "~tier.Enterprise"]
const TENANTS_EVERY_MS = 60_000

const usePlace = (): Place => {
  const [place, setPlace] = useState(() => parsePlace(location.hash))
  useEffect(() => {
    const onMove = (): void => setPlace(parsePlace(location.hash))
    addEventListener("hashchange", onMove)
    return () => removeEventListener("hashchange", onMove)
  }, [])
  return place
}

const PageShown = ({ place: { page, id } }: { place: Place }) => {
  switch (page) {
    case "flags":
      return id === null ? <FlagsPage /> : <FlagPage key={id} flagKey={id} />
    case "configs":
      return id === null ? <ConfigsPage /> : <ConfigPage key={id} configKey={id} />
    case "changes":
      return id === null ? <ChangesPage /> : <ChangePage key={id} changeId={id} />
    case "approvals":
      return <ApprovalsPage />
    case "rollouts":
      return <RolloutsPage />
    case "audit":
      return <AuditPage />
    case "policy":
      return <PolicyPage />
    case "tokens":
      return <TokensPage />
    case "notifications":
      return <NotificationsPage />
    case "backups":
      return <BackupsPage />
    case "deployments":
      return <DeploymentsPage />
    case "tenants":
      return <TenantsPage />
  }
}

/** Which tenant and which environment: always in sight, as everything on the page is about them. */
const Switches = ({ console }: { console: Console }) => {
  const { who, place, tenant, environment, tenants } = console
  // What one looks at belongs to where one was; a list is there in every environment.
  const page =
    place.id === null || place.page === "flags" || place.page === "configs" ? place : { ...place, id: null }
  const go = (to: Partial<Place>): void => {
    location.hash = hrefOf({ ...page, tenant, environment, ...to })
  }
  const known = who.tenants === "*" ? (tenants ?? []).map(({ tenantId }) => tenantId) : who.tenants
  const listed = known.includes(tenant) || tenant.startsWith("~") ? known : [tenant, ...known]
  const environments = who.environment === null ? who.environments : [who.environment]
  return (
    <div class="switches">
      <Field label="Tenant" inline>
        {(ids) => (
          <select
            {...ids}
            value={tenant}
            onChange={(event) => go({ tenant: event.currentTarget.value, id: null })}
          >
            <optgroup label="Tenants">
              {listed.map((id) => (
                <option key={id} value={id}>
                  {id}
                </option>
              ))}
            </optgroup>
            {who.tenants === "*" && who.roles.includes("platform_admin") && (
              <optgroup label="What they inherit">
                {SHARED.map((id) => (
                  <option key={id} value={id}>
                    {scopeOf(id)}
                  </option>
                ))}
              </optgroup>
            )}
          </select>
        )}
      </Field>
      <fieldset class="environments">
        <legend>Environment</legend>
        {environments.map((name) => (
          <label key={name} class={isProduction(console, name) ? "is-production" : ""}>
            <input
              type="radio"
              name="environment"
              value={name}
              checked={name === environment}
              onChange={() => go({ environment: name })}
            />
            <span>{name}</span>
          </label>
        ))}
      </fieldset>
    </div>
  )
}

const Notice = ({ text, onClose }: { text: string; onClose: () => void }) => (
  <div class={text === "" ? "notice" : "notice shown"}>
    <p role="status">{text}</p>
    {text !== "" && (
      <button type="button" class="plain" aria-label="Close the message" onClick={onClose}>
        ✕
      </button>
    )}
  </div>
)

/** A page's beginning has the focus after a move, so that whoever does not see the page knows where they are. */
const useArrival = (place: Place, tenant: string, environment: string, isReady: boolean): void => {
  const isFirst = useRef(true)
  useEffect(() => {
    if (!isReady) return
    document.title = `${place.id ?? nameOf(place.page)} · ${scopeOf(tenant)} · ${environment} · Hotswap`
  }, [place.page, place.id, tenant, environment, isReady])
  useEffect(() => {
    if (!isReady) return
    // Who moves by a switch goes on with the switch.
    const isSwitching = document.activeElement?.closest(".switches")
    if (!isFirst.current && !isSwitching) document.getElementById("main")?.focus({ preventScroll: true })
    isFirst.current = false
  }, [place.page, place.id, isReady])
  useEffect(() => {
    // On a small screen the menu is a row that goes beyond it.
    document.querySelector("nav [aria-current]")?.scrollIntoView({ block: "nearest", inline: "nearest" })
    scrollTo(0, 0)
  }, [place.page, place.id, isReady])
}

/** What is said belongs to the page that it was said on. */
const pageIn = ({ page, id }: Place): string => `${page} ${id}`

export const Shell = ({ client, who, onSignOut }: { client: Client; who: Who; onSignOut: () => void }) => {
  const place = usePlace()
  const [notice, setNotice] = useState({ text: "", at: "" })
  const last = useMemo(lastLookedAt, [])
  const seesAll = who.tenants === "*"
  const found = useLive(
    seesAll ? "all tenants" : null,
    (signal) => client.get<Page<Tenant>>("/api/v1/tenants", { limit: 200, status: "active" }, signal),
    () => TENANTS_EVERY_MS,
  )
  const tenants = found.data?.items ?? null
  const first =
    who.tenants === "*" ? (tenants?.[0]?.tenantId ?? (tenants ? "~platform" : null)) : who.tenants[0]!
  const mayChoose = (tenant: string | null): boolean =>
    tenant !== null && (who.tenants === "*" || who.tenants.includes(tenant))
  const tenant = [place.tenant, last.tenant].find(mayChoose) ?? first
  const named = [place.environment, last.environment].find(
    (one) => one !== null && who.environments.includes(one),
  )
  const environment = who.environment ?? named ?? who.environments[0]!

  useEffect(() => {
    if (tenant !== null) keepLast({ tenant, environment })
    last.tenant = tenant
    last.environment = environment
  }, [tenant, environment])
  useArrival(place, tenant ?? "", environment, tenant !== null)
  const say = useCallback((text: string) => setNotice({ text, at: pageIn(parsePlace(location.hash)) }), [])

  const console = useMemo(
    (): Console | null =>
      tenant === null
        ? null
        : { client, who, place, tenant, environment, tenants, say, refreshTenants: found.refresh },
    [client, who, place, tenant, environment, tenants, say, found.refresh],
  )
  if (console === null)
    return found.problem ? (
      <Empty title={found.problem.title}>
        <p>{found.problem.detail}</p>
        <button type="button" onClick={onSignOut}>
          Sign out
        </button>
      </Empty>
    ) : (
      <p class="loading" role="status">
        Reading the tenants…
      </p>
    )
  return (
    <ConsoleContext.Provider value={console}>
      <button type="button" class="skip" onClick={() => document.getElementById("main")?.focus()}>
        Skip to the page
      </button>
      <header class={isProduction(console, environment) ? "top production" : "top"}>
        <p class="brand">Hotswap</p>
        <Switches console={console} />
        <div class="me">
          <p>
            <span class="person">{who.subject}</span>{" "}
            <span class="quiet">{who.roles.map(roleOf).join(", ")}</span>
          </p>
          <button type="button" onClick={onSignOut}>
            Sign out
          </button>
        </div>
      </header>
      <div class="frame">
        <Menu console={console} />
        <main id="main" tabIndex={-1}>
          <Notice
            text={notice.at === pageIn(place) ? notice.text : ""}
            onClose={() => setNotice({ text: "", at: "" })}
          />
          <PageShown key={`${tenant} ${environment}`} place={place} />
        </main>
      </div>
    </ConsoleContext.Provider>
  )
}
