/** What is told to readers: that something of a tenant's own moved, of the layers under it, or of its flags. */
export const RELOAD_TYPES = ["tenant_config", "global_config", "feature_flag"] as const
export type ReloadType = (typeof RELOAD_TYPES)[number]

export const parseReloadType = (value: unknown): ReloadType | null =>
  RELOAD_TYPES.find((type) => type === value) ?? null
