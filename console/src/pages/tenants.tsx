import { useCallback, useState } from "preact/hooks"
import { pathPart } from "../client.ts"
import { useConsole, useLinks, useMay } from "../console.tsx"
import { useLive } from "../live.ts"
import { Confirm, Dialog, DialogFoot } from "../parts/dialog.tsx"
import { Choice, Field } from "../parts/field.tsx"
import { Empty, Loaded } from "../parts/loaded.tsx"
import { MoreButton, useMore } from "../parts/more.tsx"
import { ProblemShown } from "../parts/problem.tsx"
import { Time } from "../parts/time.tsx"
import { problemOf } from "../problem.ts"
import type { Page, Problem, Tenant } from "../shapes.ts"

const TIERS = ["Free", "Pro", "Enterprise"] as const
const TIER_CHOICES = [["", "All tiers"], ...TIERS.map((tier) => [tier, tier] as const)] as const
const STATUS_CHOICES = [
  ["", "Any status"],
  ["active", "Active"],
  ["suspended", "Suspended"],
  ["deleted", "Deleted"],
] as const

const NewTenant = ({ onClose, onDone }: { onClose: () => void; onDone: (tenant: Tenant) => void }) => {
  const { client } = useConsole()
  const [problem, setProblem] = useState<Problem | null>(null)
  const create = async (form: HTMLFormElement): Promise<void> => {
    const data = new FormData(form)
    const tenantId = String(data.get("tenantId")).trim()
    const body = {
      name: String(data.get("name")).trim(),
      tier: data.get("tier"),
      ...(tenantId === "" ? {} : { tenantId }),
    }
    try {
      onDone(await client.send<Tenant>("POST", "/api/v1/tenants", body))
    } catch (error) {
      setProblem(problemOf(error))
    }
  }
  return (
    <Dialog title="New tenant" onClose={onClose}>
      <form
        class="dialog-body"
        onSubmit={(event) => {
          event.preventDefault()
          void create(event.currentTarget)
        }}
      >
        <Field label="Name">{(ids) => <input {...ids} name="name" required maxLength={200} />}</Field>
        <Field
          label="Id"
          hint="Left empty, it is made of the name. It stays, and is given to nobody else afterwards."
        >
          {(ids) => (
            <input
              {...ids}
              name="tenantId"
              pattern="[a-z0-9](?:[a-z0-9\-]*[a-z0-9])?"
              maxLength={63}
              autocapitalize="none"
            />
          )}
        </Field>
        <Field label="Tier">
          {(ids) => (
            <select {...ids} name="tier">
              {TIERS.map((tier) => (
                <option key={tier}>{tier}</option>
              ))}
            </select>
          )}
        </Field>
        {problem && <ProblemShown problem={problem} />}
        <DialogFoot verb="Create" onCancel={onClose} />
      </form>
    </Dialog>
  )
}

type Wish = { kind: "suspend" | "resume" } | { kind: "tier"; tier: string }

const WISHES = {
  suspend: ["Suspend", "Its people and applications are refused from now on; what is stored stays."],
  resume: ["Resume", "Its people and applications are let in again."],
  tier: [
    "Change the tier",
    "Limits, features and what the tier's layer says follow at once, in every environment.",
  ],
} as const

const Wished = ({
  tenant,
  wish,
  onClose,
  onDone,
}: {
  tenant: Tenant
  wish: Wish
  onClose: () => void
  onDone: () => void
}) => {
  const { client, say } = useConsole()
  const [verb, says] = WISHES[wish.kind]
  const path = `/api/v1/tenants/${pathPart(tenant.tenantId)}`
  return (
    <Confirm
      title={wish.kind === "tier" ? `Move ${tenant.tenantId} to ${wish.tier}` : `${verb} ${tenant.tenantId}`}
      verb={verb}
      isDangerous={wish.kind === "suspend"}
      {...(wish.kind === "resume" ? {} : { typed: tenant.tenantId })}
      onClose={onClose}
      onReload={onDone}
      run={async () => {
        if (wish.kind === "tier") {
          // Held to what is shown: whoever moved it meanwhile is not overruled unseen.
          const read = await client.fetch(path)
          const now = (await read.json()) as Tenant
          if (now.updatedAt !== tenant.updatedAt)
            throw new Error(`${tenant.tenantId} has changed since this page was read.`)
          await client.send("PATCH", path, { tier: wish.tier }, read.headers.get("etag") ?? undefined)
        } else await client.send("POST", `${path}/${wish.kind}`)
        say(`${tenant.tenantId}: done.`)
        onDone()
      }}
    >
      <p>{says}</p>
    </Confirm>
  )
}

const TenantRow = ({ tenant, onWish }: { tenant: Tenant; onWish: (wish: Wish) => void }) => {
  const link = useLinks()
  const isGone = tenant.status === "deleted"
  return (
    <tr>
      <th scope="row">
        {isGone ? (
          tenant.tenantId
        ) : (
          <a href={link("flags", null, { tenant: tenant.tenantId })}>{tenant.tenantId}</a>
        )}
        <span class="quiet">{tenant.displayName ?? tenant.name}</span>
      </th>
      <td>
        <select
          aria-label={`Tier of ${tenant.tenantId}`}
          value={tenant.tier}
          disabled={isGone}
          onChange={(event) => {
            const tier = event.currentTarget.value
            // It shows what is; what is wished is asked about first.
            event.currentTarget.value = tenant.tier
            onWish({ kind: "tier", tier })
          }}
        >
          {TIERS.map((tier) => (
            <option key={tier}>{tier}</option>
          ))}
        </select>
      </td>
      <td>
        <span class={`badge status-${tenant.status}`}>{tenant.status}</span>
      </td>
      <td>
        <Time at={tenant.createdAt} />
      </td>
      <td>
        {tenant.status === "active" && (
          <button type="button" class="danger" onClick={() => onWish({ kind: "suspend" })}>
            Suspend<span class="hidden"> {tenant.tenantId}</span>
          </button>
        )}
        {tenant.status === "suspended" && (
          <button type="button" onClick={() => onWish({ kind: "resume" })}>
            Resume<span class="hidden"> {tenant.tenantId}</span>
          </button>
        )}
      </td>
    </tr>
  )
}

const TenantsShown = () => {
  const { client, refreshTenants } = useConsole()
  const [tier, setTier] = useState("")
  const [status, setStatus] = useState("")
  const [isNew, setNew] = useState(false)
  const [wished, setWished] = useState<{ tenant: Tenant; wish: Wish } | null>(null)
  const query = { tier, status, limit: 50 }
  const key = `tenants ${tier} ${status}`
  const live = useLive(key, (signal) => client.get<Page<Tenant>>("/api/v1/tenants", query, signal))
  const read = useCallback(
    (cursor: string) => client.get<Page<Tenant>>("/api/v1/tenants", { ...query, cursor }),
    [client, key],
  )
  const { items, ...rest } = useMore(key, live.data, read)
  const done = (): void => {
    setNew(false)
    setWished(null)
    void live.refresh()
    void refreshTenants()
  }
  return (
    <>
      <div class="toolbar">
        <Choice label="Tier" value={tier} options={TIER_CHOICES} onChange={setTier} />
        <Choice label="Status" value={status} options={STATUS_CHOICES} onChange={setStatus} />
        <button type="button" class="primary" onClick={() => setNew(true)}>
          New tenant
        </button>
      </div>
      <Loaded live={live} what="the tenants">
        {() =>
          items.length === 0 ? (
            <Empty title="There are no such tenants">
              <p>
                A new tenant gets all environments at once, and inherits what the platform and its tier say.
              </p>
            </Empty>
          ) : (
            <>
              <div class="table-frame">
                <table class="list">
                  <caption class="hidden">Tenants</caption>
                  <thead>
                    <tr>
                      <th scope="col">Tenant</th>
                      <th scope="col">Tier</th>
                      <th scope="col">Status</th>
                      <th scope="col">Since</th>
                      <th scope="col">
                        <span class="hidden">What can be done</span>
                      </th>
                    </tr>
                  </thead>
                  <tbody>
                    {items.map((tenant) => (
                      <TenantRow
                        key={tenant.tenantId}
                        tenant={tenant}
                        onWish={(wish) => setWished({ tenant, wish })}
                      />
                    ))}
                  </tbody>
                </table>
              </div>
              <MoreButton {...rest} label="More tenants" />
            </>
          )
        }
      </Loaded>
      {isNew && <NewTenant onClose={() => setNew(false)} onDone={done} />}
      {wished && <Wished {...wished} onClose={() => setWished(null)} onDone={done} />}
    </>
  )
}

export const TenantsPage = () => {
  const { who } = useConsole()
  const may = useMay()
  return (
    <>
      <div class="page-head">
        <h1>Tenants</h1>
      </div>
      <p class="lead">Who has their configuration here, on which tier, and who is let in.</p>
      {may("tenant.list") ? (
        <TenantsShown />
      ) : (
        <Empty title="Your token is for one tenant">
          <p>Platform admins see them all. Yours: {who.tenants === "*" ? "all" : who.tenants.join(", ")}.</p>
        </Empty>
      )}
    </>
  )
}
