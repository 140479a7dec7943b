import { useConsole, useMay } from "../console.tsx"
import { useLive } from "../live.ts"
import type { ChangeListed, Page } from "../shapes.ts"

/** The changes that wait for whoever is signed in. */
export const useApprovals = () => {
  const { client, tenant } = useConsole()
  const may = useMay()
  return useLive(may("change.approve") ? `approvals ${tenant}` : null, (signal) =>
    client.get<Page<ChangeListed>>("/api/v1/approvals", { tenantId: tenant, limit: 100 }, signal),
  )
}
