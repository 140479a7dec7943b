import { Refusal } from "../errors.ts"
import type { ChangeId, ReleaseId } from "../ids.ts"
import type { Json } from "../json.ts"
import { grantedKeys, isGrant } from "../limits/entitlement.ts"
import type { Change, Instant } from "./change.ts"
import type { RollbackTo } from "./command.ts"
import { defined } from "./defined.ts"
import { draftOfRelease } from "./draft.ts"
import { happen, prepareReturn, returnStable } from "./happen.ts"
import { Needs } from "./needs.ts"
import { isPolicyChange } from "./policy-change.ts"
import type { Move } from "./scope-state.ts"
import { isReached } from "./time.ts"
import type { Worksheet } from "./worksheet.ts"

/** What stable was, and still would be if nothing had gone live since. */
interface Standing {
  stableChangeId: ChangeId | null
  /** The release, last; before it those it was until a policy that came later was put into it. */
  releases: ReleaseId[]
  /** When something went live on top of it; `null`: nothing has. */
  until: Instant | null
}

/** So many changes are taken back at once; for more there is the draft. */
const TAKEN_MAX = 200
/** So many are looked at for the newest that is no policy. */
const LOOKED_AT_MAX = 20

/**
 * Takes stable back to a release that it was within the window and that nothing has taken back, along with every
 * change that went live after it. Throws the Refusal of any other, with a draft that leads to it.
 */
export const rollbackTo = (sheet: Worksheet, command: RollbackTo): void => {
  const { moves } = sheet.context
  if (moves === undefined) throw new Error("rolling back to a release needs the pointer's moves")
  const stack = stackOf(moves)
  checkCurrent(sheet, stack.at(-1))
  const index = targetOf(sheet, command, moves, stack)
  const target = stack[index]!
  const release = target.releases.at(-1)!
  const above = changesOn(stack.slice(index + 1))
  if (above.length > TAKEN_MAX) throw buried(sheet, `${above.length} changes have gone live since.`, release)
  const changes = loaded(sheet, above)
  const taken = changes.filter((change) => !stays(change))
  if (taken.length === 0) throw nothing()
  const prepared = prepareReturn(sheet, sheet.release(release), taken, grantedKeys(changes))
  if (prepared.release.id === sheet.pointer.stable) throw nothing()
  for (const { content } of taken) must(sheet, content.changeId, prepared.release.id, command.comment)
  returnStable(sheet, prepared, target.stableChangeId, taken)
}

/** What is changed alone, and only by whoever may: going back leads past neither's rules. */
const stays = (change: Change): boolean => isPolicyChange(change) || isGrant(change)

const must = (
  sheet: Worksheet,
  changeId: ChangeId,
  release: ReleaseId,
  comment: string | undefined,
): void => {
  const event = { type: "returned", by: sheet.subject, ...defined({ comment }) } as const
  const result = happen(sheet, changeId, event, { release })
  if (!result.ok) throw new Error(`what is stable was not live: ${result.detail}`)
}

/**
 * The pointer's history as a stack: what goes live is put on top, what is rolled back is taken off. What was passed
 * through and rolled back is in it no more.
 */
const stackOf = (moves: readonly Move[]): Standing[] => {
  const stack: Standing[] = []
  for (const { at, stable, stableChangeId, cause } of moves) {
    if (cause === "rolled_back") {
      while (stack.length > 0 && stack.at(-1)!.stableChangeId !== stableChangeId) stack.pop()
      if (stack.length > 0) stack.at(-1)!.until = null
    }
    const top = stack.at(-1)
    if (top?.stableChangeId === stableChangeId) {
      if (top.releases.at(-1) !== stable) top.releases.push(stable)
      continue
    }
    if (top !== undefined) top.until = at
    stack.push({ stableChangeId, releases: [stable], until: null })
  }
  return stack
}

/** The moves are read after the state, and may know more. */
const checkCurrent = (sheet: Worksheet, top: Standing | undefined): void => {
  if (top === undefined) throw nothing()
  const { stable, stableChangeId } = sheet.pointer
  if (top.stableChangeId !== stableChangeId || top.releases.at(-1) !== stable)
    throw new Refusal("CHANGE_CONFLICT", "The configuration was changed at the same moment.")
}

const targetOf = (
  sheet: Worksheet,
  { toRelease, asOf }: RollbackTo,
  moves: readonly Move[],
  stack: readonly Standing[],
): number => {
  if (toRelease === sheet.pointer.stable) throw nothing()
  if (toRelease !== undefined) {
    if (!moves.some(({ stable }) => stable === toRelease))
      throw new Refusal("RELEASE_NOT_FOUND", `${toRelease} was not stable here within the rollback window.`)
    return standing(sheet, stack, toRelease, ({ releases }) => releases.includes(toRelease))
  }
  if (asOf === undefined) return beforeNewest(sheet, stack)
  const move = moves.findLast(({ at }) => isReached(at, asOf))
  if (move === undefined)
    throw new Refusal(
      "ROLLBACK_WINDOW",
      `Nothing that was stable here at ${asOf} is within the rollback window.`,
    )
  // A policy that was kept may make it what it was under another name.
  if (move.stable === sheet.pointer.stable) throw nothing()
  const index = standing(
    sheet,
    stack,
    move.stable,
    ({ stableChangeId, releases }) =>
      stableChangeId === move.stableChangeId && releases.includes(move.stable),
  )
  if (index === stack.length - 1) throw nothing()
  return index
}

const standing = (
  sheet: Worksheet,
  stack: readonly Standing[],
  release: ReleaseId,
  isIt: (one: Standing) => boolean,
): number => {
  const index = stack.findLastIndex(isIt)
  if (index === -1) throw buried(sheet, "It has been rolled back itself.", release)
  return index
}

/** What was stable before the newest change that does not stay anyway. */
const beforeNewest = (sheet: Worksheet, stack: readonly Standing[]): number => {
  const newest = stack.slice(-LOOKED_AT_MAX)
  const changes = new Map(loaded(sheet, changesOn(newest)).map((change) => [change.content.changeId, change]))
  const index = stack.findLastIndex(({ stableChangeId }) => {
    const change = stableChangeId === null ? undefined : changes.get(stableChangeId)
    return change !== undefined && !stays(change)
  })
  if (index === -1) throw nothing()
  if (index === 0)
    throw new Refusal("ROLLBACK_WINDOW", "What is stable has been so for longer than the rollback window.")
  return index - 1
}

const changesOn = (standings: readonly Standing[]): ChangeId[] =>
  standings.flatMap(({ stableChangeId }) => stableChangeId ?? [])

/** The changes, newest first. */
const loaded = (sheet: Worksheet, ids: readonly ChangeId[]): Change[] => {
  const missing = ids.filter((id) => sheet.find(id) === null)
  if (missing.length > 0) throw new Needs({ kind: "needs_changes", changes: missing })
  return ids.map((id) => sheet.change(id)).reverse()
}

const nothing = (): Refusal => new Refusal("ROLLBACK_NOTHING", "What is stable is that already.")

const buried = (sheet: Worksheet, detail: string, release: ReleaseId): Refusal =>
  new Refusal("ROLLBACK_BURIED", detail, {
    extra: { draft: draftOfRelease(sheet, release) as unknown as Json },
  })

/** The releases that {@link rollbackTo} would return to, the time being: in the window, and taken back by nobody. */
export const returnable = (
  moves: readonly Move[],
  stable: ReleaseId,
  windowStartsAt: Instant,
): ReadonlySet<ReleaseId> =>
  new Set(
    stackOf(moves)
      .filter(({ until }) => until === null || isReached(windowStartsAt, until))
      .flatMap(({ releases }) => releases)
      .filter((release) => release !== stable),
  )
