import type { EditBody, Flag, Json } from "../shapes.ts"

/** What a flag is shown with besides its definition. */
const BESIDE = new Set([
  ...["key", "tenantId", "environment", "configId", "layer", "scope", "version", "locked"],
  ...["description", "owner", "updatedAt", "updatedBy", "changeId", "affected"],
])

/** A flag's definition as somebody would write it. */
export const definitionOf = (flag: Flag): Record<string, Json> =>
  Object.fromEntries(Object.entries(flag).filter(([name]) => !BESIDE.has(name))) as Record<string, Json>

/** The short form as any config takes it: what makes a value a flag is said along with it. */
export const keptForm = (definition: Record<string, Json>): Record<string, Json> =>
  typeof definition.enabled === "boolean"
    ? {
        ...definition,
        state: definition.enabled ? "ENABLED" : "DISABLED",
        variants: { on: true, off: false },
      }
    : definition

/** Is it this scope's own, so that an edit replaces it? Otherwise an edit makes one. */
export const isOwn = (flag: Flag, tenant: string): boolean => flag.scope === tenant

/** The edit that gives a flag this definition, if it still is what was read. */
export const editOf = (flag: Flag, definition: Record<string, Json>, tenant: string): EditBody => ({
  key: flag.key,
  value: keptForm(definition),
  ifMatch: isOwn(flag, tenant) ? flag.version : 0,
})

/** The definition with the flag switched over. */
export const switched = (flag: Flag): Record<string, Json> => {
  const definition = definitionOf(flag)
  if (typeof definition.enabled === "boolean") return { ...definition, enabled: !definition.enabled }
  return { ...definition, state: definition.state === "ENABLED" ? "DISABLED" : "ENABLED" }
}

/** Why a flag is not to be edited here, if it is not. */
export const lockOn = (flag: Flag, tenant: string): string | undefined =>
  flag.locked && !isOwn(flag, tenant)
    ? "It is locked by a layer that this one inherits from: what is written here would not be read."
    : undefined

/** What should be known before a flag that is inherited is edited. */
export const noteOn = (flag: Flag, tenant: string): string | undefined =>
  isOwn(flag, tenant)
    ? undefined
    : `It is inherited until now. This makes a flag of ${tenant}'s own, which no longer follows the other.`
