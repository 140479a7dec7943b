import type { Environment } from "../../core/environment.ts"
import { parseChangeId, parseTier, type TenantId } from "../../core/ids.ts"
import type { PointerDocument } from "../../core/release/pointer-document.ts"
import { parseRevision } from "../../core/release/revision.ts"
import { parseViewId } from "../../core/release/view-id.ts"

/**
 * How a pointer document is kept in Redis. The order of the members is part of the format: the script in
 * `cache-scripts.ts` finds whose it is, the revision and the time without a JSON parser.
 */
export const encodePointer = (pointer: PointerDocument): string =>
  JSON.stringify({
    tenantId: pointer.tenantId,
    environment: pointer.environment,
    revision: pointer.revision,
    readAtMs: pointer.readAtMs,
    tier: pointer.tier,
    status: pointer.status,
    moving: pointer.moving,
    stable: pointer.stable,
    candidate: pointer.candidate,
    revoked: pointer.revoked,
    flags: pointer.flags,
  } satisfies PointerDocument)

/** How every document of this tenant × environment begins. */
export const pointerPrefix = (tenantId: TenantId, environment: Environment): string =>
  `{"tenantId":${JSON.stringify(tenantId)},"environment":${JSON.stringify(environment)},`

const isCandidate = (value: unknown): boolean => {
  if (value === null) return true
  if (typeof value !== "object") return false
  const { view, changeId, step, weightBp } = value as Record<string, unknown>
  return (
    typeof view === "string" &&
    parseViewId(view) !== null &&
    typeof changeId === "string" &&
    parseChangeId(changeId) !== null &&
    Number.isInteger(step) &&
    Number.isInteger(weightBp)
  )
}

const isPointer = (value: Record<string, unknown>): boolean =>
  typeof value.revision === "string" &&
  parseRevision(value.revision) !== null &&
  Number.isSafeInteger(value.readAtMs) &&
  typeof value.tier === "string" &&
  parseTier(value.tier) === value.tier &&
  (value.status === "active" || value.status === "suspended") &&
  typeof value.moving === "boolean" &&
  typeof value.stable === "string" &&
  parseViewId(value.stable) !== null &&
  isCandidate(value.candidate) &&
  (value.flags === undefined || typeof value.flags === "string") &&
  Array.isArray(value.revoked) &&
  value.revoked.every((tokenId) => typeof tokenId === "string")

/** What the text says, if it is whole and about this tenant × environment. Whatever else Redis holds is not. */
export const decodePointer = (
  text: string,
  tenantId: TenantId,
  environment: Environment,
): PointerDocument | null => {
  if (!text.startsWith(pointerPrefix(tenantId, environment))) return null
  try {
    const value = JSON.parse(text) as Record<string, unknown>
    return isPointer(value) ? (value as unknown as PointerDocument) : null
  } catch {
    return null
  }
}
