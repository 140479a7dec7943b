import type { Database } from "../../db/client.ts"
import { lagFigures } from "../../db/system-figures.ts"
import type { Metric } from "./metrics.ts"

/** How far behind the functions are that follow what was committed, and what goes on by the clock. */
export const lagMetrics = async (system: Database): Promise<Metric[]> => {
  const lag = await lagFigures(system)
  const metric = (name: string, help: string, value: number): Metric => ({
    name,
    help,
    values: new Map([["", value]]),
  })
  return [
    metric("hotswap_outbox_marks", "Moves that wait to be published.", lag.marks),
    metric("hotswap_outbox_age_seconds", "How long the oldest of them has waited.", lag.outboxAge),
    {
      name: "hotswap_changes_timed",
      help: "Open changes that the clock will look at.",
      label: "state",
      values: new Map([
        ["awaiting_approval", lag.awaitingApproval],
        ["scheduled", lag.scheduled],
        ["rolling_out", lag.rollingOut],
      ]),
    },
    metric(
      "hotswap_changes_late_seconds",
      "By how much the change is late that is latest.",
      lag.dueChangeAge,
    ),
    metric(
      "hotswap_deliveries_late_seconds",
      "By how much the message is late that is latest.",
      lag.dueDeliveryAge,
    ),
    metric("hotswap_deliveries_dead", "Messages given up within the last hour.", lag.deadDeliveries),
  ]
}
