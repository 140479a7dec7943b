/** What a read of a view may ask for. */
export const VIEW_PARAMETERS = [
  "environment",
  "key",
  "targetingKey",
  "arms",
  "asOf",
  "detail",
  "preview",
] as const
export type ViewParameter = (typeof VIEW_PARAMETERS)[number]

const bare = (name: string): string => name.replaceAll(/[-_]/g, "").toLowerCase()

const BY_BARE_NAME: ReadonlyMap<string, ViewParameter> = new Map(
  VIEW_PARAMETERS.map((name) => [bare(name), name]),
)

/**
 * The parameter that somebody meant who wrote `asof` or `targeting_key`; `null` where it is written right, or means nothing here.
 * Others are let pass, but an answer of now to whoever asked for then would be wrong in silence.
 */
export const misspeltParameter = (name: string): ViewParameter | null => {
  const meant = BY_BARE_NAME.get(bare(name))
  return meant === undefined || meant === name ? null : meant
}
