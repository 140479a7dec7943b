import { useConsole, useLinks } from "../console.tsx"
import { useLive } from "../live.ts"
import type { ChangeListed, Page } from "../shapes.ts"
import { StateBadge } from "./badge.tsx"

const OPEN = "awaiting_approval,scheduled,rolling_out"

/** What is on its way in this environment: nothing of it is stable yet. */
export const useOpenChanges = () => {
  const { client, tenant, environment } = useConsole()
  return useLive(`open ${tenant} ${environment}`, (signal) =>
    client.get<Page<ChangeListed>>(
      "/api/v1/changes",
      { tenantId: tenant, environment, state: OPEN, limit: 100 },
      signal,
    ),
  )
}

export const changesOf = (page: Page<ChangeListed> | null, key: string): ChangeListed[] =>
  (page?.items ?? []).filter(({ keys }) => keys.includes(key))

/** The changes of a key that are on their way. */
export const OnTheWay = ({ changes }: { changes: readonly ChangeListed[] }) => {
  const link = useLinks()
  if (changes.length === 0) return null
  return (
    <section class="card on-the-way" aria-label="On its way">
      <h2>On its way</h2>
      <ul>
        {changes.map((change) => (
          <li key={change.changeId}>
            <a href={link("changes", change.changeId)}>
              A change by {change.author}
              {change.comment && `: ${change.comment}`}
            </a>{" "}
            <StateBadge change={change} />
          </li>
        ))}
      </ul>
    </section>
  )
}
