import { isNewer, parseRevision } from "../../core/release/revision.ts"

/** Is `next` a revision, and newer than `held`? What is none is newer than nothing. */
export const isLater = (next: string, held: string): boolean => {
  const [one, other] = [parseRevision(next), parseRevision(held)]
  return one !== null && (other === null || isNewer(one, other))
}
