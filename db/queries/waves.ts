import { NO_WAVE_EVIDENCE, type TenantEvidence, type WaveEvidence } from "../../core/gate/waves.ts"
import type { ChangeId, ScopeId, TenantId } from "../../core/ids.ts"
import { toInstant } from "../instant.ts"
import type { Runner } from "../open.ts"
import { textQuery } from "../text-query.ts"

type Side = "reached" | "control"

/** As the database writes it: times in its own format, `null` for a side that nobody is on. */
export type WaveEvidenceRow = Omit<WaveEvidence, Side> & { [side in Side]: WaveEvidence[side] | null }

const read = textQuery<{ evidence: string }>("select hotswap.read_waves($1, $2, $3) as evidence", [
  "scope",
  "changeId",
  "tenantId",
])

/**
 * All that is known of the step that a change of the platform or a tier is at, and of that one tenant: which is `null`
 * unless a wave has reached it, it has reported in this step, and it is not among the tripped.
 */
export const readWaves = async (
  runner: Runner,
  scope: ScopeId,
  changeId: ChangeId,
  tenantId?: TenantId,
): Promise<WaveEvidence> => {
  const [row] = await runner.run(read, { scope, changeId, tenantId: tenantId ?? null })
  return waveEvidenceOf(JSON.parse(row!.evidence) as WaveEvidenceRow)
}

export const waveEvidenceOf = ({
  since,
  reached,
  control,
  unheard,
  tenant,
}: WaveEvidenceRow): WaveEvidence => ({
  since: since && toInstant(since),
  reached: reached
    ? { ...reached, lastAt: reached.lastAt && toInstant(reached.lastAt), sample: reached.sample.map(timed) }
    : NO_WAVE_EVIDENCE.reached,
  control: control
    ? { ...control, lastAt: control.lastAt && toInstant(control.lastAt) }
    : NO_WAVE_EVIDENCE.control,
  unheard,
  tenant: tenant && timed(tenant),
})

const timed = (tenant: TenantEvidence): TenantEvidence => ({
  ...tenant,
  lastAt: tenant.lastAt && toInstant(tenant.lastAt),
})
