import { parseTenantId, type TenantId } from "../ids.ts"

const DRILL = /^drill-[0-9a-f]{32}$/

/** What a restore for trial is made under. Nobody's tenant is ever called so. */
export const drillIdOf = (uuid: string): TenantId => {
  const id = parseTenantId(`drill-${uuid.replaceAll("-", "")}`)
  if (!id || !DRILL.test(id)) throw new Error(`"${uuid}" is no UUID`)
  return id
}

/** Is it kept for restores for trial? Then no tenant may be made, cloned or restored under it. */
export const isDrillId = (text: string): boolean => DRILL.test(text)
