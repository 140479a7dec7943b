import type { ArchivePart, Manifest } from "./manifest.ts"

/** Every part that the manifest names, once. */
export const partsOf = ({ tables }: Pick<Manifest, "tables">): ArchivePart[] => [
  ...new Map(tables.flatMap(({ parts }) => parts).map((part) => [part.id, part])).values(),
]
