import type { Json } from "../json.ts"
import type { Change } from "./change.ts"
import type { Draft } from "./command.ts"
import { keysOf } from "./edits.ts"
import type { Worksheet } from "./worksheet.ts"

/**
 * The change that puts the keys of a live change back to what they were before it, for the user to submit.
 * Keys that are so already are left out.
 */
export const draftOf = (sheet: Worksheet, { content, status }: Change): Draft | null => {
  if (status.state !== "live") return null
  const keys = keysOf(content.edits)
  const stable = sheet.release(sheet.pointer.stable)
  const previous = sheet.release(status.previousStable)
  sheet.needKeys(stable, keys)
  sheet.needKeys(previous, keys)
  return {
    tenantId: content.scope,
    environment: content.environment,
    comment: `Puts back what ${content.changeId} changed`,
    edits: keys.flatMap((key): Draft["edits"] => {
      const now = sheet.entry(stable, key)
      const then = sheet.entry(previous, key)
      if (then === null) return now === null ? [] : [{ key, delete: true }]
      if (now?.version === then.version) return []
      const { value, version, schema = null as Json, locked = false } = then
      return [{ key, value, schema, locked, restores: version }]
    }),
  }
}
