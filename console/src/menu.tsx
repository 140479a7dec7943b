import type { Console } from "./console.tsx"
import { useApprovals } from "./parts/approvals.ts"
import { hrefOf, type PageName } from "./place.ts"
import type { Action } from "./shapes.ts"

type Entries = readonly (readonly [page: PageName, name: string, needs?: Action, isWhole?: true])[]

/** What people come for each day. */
const DAILY: Entries = [
  ["flags", "Flags"],
  ["configs", "Configs"],
  ["changes", "Changes"],
  ["approvals", "Approvals"],
  ["rollouts", "Rollouts"],
  ["audit", "Audit"],
]
/** What is set once, and looked at when something is wrong. */
const SETTINGS: Entries = [
  ["policy", "Policy"],
  ["tokens", "Tokens", "token.list"],
  ["notifications", "Notifications", "channel.read"],
  // Of all environments: for no token that is bound to one.
  ["backups", "Backups", "backup.read", true],
  ["deployments", "Deployments"],
  ["tenants", "Tenants", "tenant.list"],
]

export const nameOf = (page: PageName): string =>
  [...DAILY, ...SETTINGS].find(([one]) => one === page)?.[1] ?? page

const Waiting = () => {
  const { data } = useApprovals()
  const many = data?.items.length ?? 0
  return many === 0 ? null : (
    <span class="count">
      {many}
      <span class="hidden"> waiting for you</span>
    </span>
  )
}

const Links = ({ console, entries, named }: { console: Console; entries: Entries; named?: string }) => (
  <ul aria-labelledby={named}>
    {entries
      .filter(([, , needs]) => needs === undefined || console.who.actions.includes(needs))
      .filter(([, , , isWhole]) => !isWhole || console.who.environment === null)
      .map(([page, name]) => (
        <li key={page}>
          <a
            href={hrefOf({ page, id: null, tenant: console.tenant, environment: console.environment })}
            aria-current={console.place.page === page ? "page" : undefined}
          >
            {name}
            {page === "approvals" && <Waiting />}
          </a>
        </li>
      ))}
  </ul>
)

/** The pages there are for whoever is signed in. */
export const Menu = ({ console }: { console: Console }) => (
  <nav aria-label="Pages">
    <div class="menu">
      <Links console={console} entries={DAILY} />
      <p class="menu-part" id="settings">
        Settings
      </p>
      <Links console={console} entries={SETTINGS} named="settings" />
    </div>
  </nav>
)
