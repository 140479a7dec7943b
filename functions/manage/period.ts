import { Refusal } from "../../core/errors.ts"
import { compareInstants, type Period } from "../../core/report/period.ts"
import type { ManageDeps } from "./deps.ts"

/** A report that names no beginning is of this long. */
const REPORT_MS = 90 * 86_400_000

/** From the first and before the second; both may be left out. Throws QUERY_INVALID for one that holds no moment. */
export const periodOf = (
  { clock }: Pick<ManageDeps, "clock">,
  { from, to }: { from?: string | undefined; to?: string | undefined },
  usualMs = REPORT_MS,
): Period => {
  const until = to ?? clock.now().toISOString()
  const period = { from: from ?? new Date(Date.parse(until) - usualMs).toISOString(), to: until }
  if (compareInstants(period.from, period.to) >= 0)
    throw new Refusal("QUERY_INVALID", "Not as expected: to.", {
      errors: [{ path: "to", message: "It is not after `from`." }],
    })
  return period
}
