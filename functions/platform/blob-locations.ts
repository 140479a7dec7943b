import { Refusal } from "../../core/errors.ts"
import { BLOBS_A_PAGE, type BlobNames, type BlobStore, type Removal } from "./blob-store.ts"

export interface BlobLocation {
  name: string
  store: BlobStore
}

/** Several places for the same names. */
export interface Locations extends BlobStore {
  locations: readonly BlobLocation[]
  /**
   * Looks at each copy of a name, and puts a whole one where there is none or a damaged one. In the order of the locations.
   */
  mend(name: string, isWhole: (bytes: Uint8Array) => boolean): Promise<BlobCopy[]>
}

/** `missing` and `damaged`: and could not be put right, as the problem says. */
export interface BlobCopy {
  name: string
  state: "whole" | "mended" | "missing" | "damaged" | "unreachable"
  problem?: string
}

export interface LocationFailure {
  name: string
  reason: unknown
}

/** Some locations did not do what was asked; all others have. */
export class LocationsFailed extends Error {
  readonly failed: readonly LocationFailure[]
  /** Those that have. */
  readonly done: readonly string[]

  constructor(what: string, failed: readonly LocationFailure[], done: readonly string[]) {
    const reasons = failed.map(({ name, reason }) => `${name}: ${messageOf(reason)}`)
    super(`${what}: ${reasons.join("; ")}`, { cause: failed[0]?.reason })
    this.name = "LocationsFailed"
    this.failed = failed
    this.done = done
  }
}

const messageOf = (reason: unknown): string => (reason instanceof Error ? reason.message : String(reason))

/** Where a location could not be asked, and the others answered for it. */
export type TellFailure = (failure: LocationFailure & { doing: string }) => void

interface Answered<T> {
  answers: { name: string; answer: T }[]
  failed: LocationFailure[]
}

/**
 * Keeps each name at every location: written to all before it returns, read from the first that has it whole. One that
 * fails is told of, and holds up nothing that another can answer; with a single location its own errors come through.
 */
export const severalLocations = (
  locations: readonly BlobLocation[],
  tell: TellFailure = () => {},
): Locations => {
  const each = async <T>(ask: (store: BlobStore) => Promise<T>): Promise<Answered<T>> => {
    const told = await Promise.allSettled(locations.map(({ store }) => ask(store)))
    const all: Answered<T> = { answers: [], failed: [] }
    for (const [nth, one] of told.entries()) {
      const { name } = locations[nth]!
      if (one.status === "fulfilled") all.answers.push({ name, answer: one.value })
      else all.failed.push({ name, reason: one.reason })
    }
    return all
  }

  /** What somebody has to put right everywhere is told as that, not as a failure that may pass. */
  const failure = (what: string, { answers, failed }: Answered<unknown>): Error => {
    const [first] = failed
    if (answers.length === 0 && first?.reason instanceof Refusal) return first.reason
    if (locations.length === 1 && first?.reason instanceof Error) return first.reason
    return new LocationsFailed(
      what,
      failed,
      answers.map(({ name }) => name),
    )
  }

  const tellAll = (doing: string, failed: readonly LocationFailure[]): void => {
    for (const one of failed) tell({ ...one, doing })
  }

  const everywhere = async <T>(what: string, ask: (store: BlobStore) => Promise<T>): Promise<T[]> => {
    const all = await each(ask)
    if (all.failed.length > 0) throw failure(what, all)
    return all.answers.map(({ answer }) => answer)
  }

  const get: BlobStore["get"] = async (name, isWhole) => {
    const failed: LocationFailure[] = []
    let first: Uint8Array | null = null
    for (const { name: location, store } of locations)
      try {
        const found = await store.get(name)
        if (found && (isWhole?.(found) ?? true)) {
          tellAll("read", failed)
          return found
        }
        if (found) tell({ name: location, reason: new Error(`${name} is damaged`), doing: "read" })
        first ??= found
      } catch (reason) {
        failed.push({ name: location, reason })
      }
    // What one that did not answer may have is not said to be missing or damaged.
    if (failed.length > 0) throw failure(`${name} could not be read`, { answers: [], failed })
    return first
  }

  return {
    locations,
    get,
    async putOnce(name, bytes) {
      // What the first says counts, as it is read from there: of two who write at once, another may keep the other's.
      const [told = "there"] = await everywhere(`${name} was not kept everywhere`, (store) =>
        store.putOnce(name, bytes),
      )
      return told
    },
    async size(name) {
      const { answers, failed } = await each((store) => store.size(name))
      if (answers.length === 0) throw failure(`the size of ${name} is not known`, { answers, failed })
      tellAll("size", failed)
      const [first] = answers
      // One that does not answer counts as one that lacks it, so that it is written again, and the failure told.
      const isEverywhere = failed.length === 0 && answers.every(({ answer }) => answer === first?.answer)
      return isEverywhere ? (first?.answer ?? null) : null
    },
    async list(folder, page = {}) {
      const { limit = BLOBS_A_PAGE } = page
      const all = await each((store) => store.list(folder, page))
      const isEnough = page.isComplete ? all.failed.length === 0 : all.answers.length > 0
      if (!isEnough) throw failure(`${folder} could not be listed`, all)
      tellAll("list", all.failed)
      return merged(
        all.answers.map(({ answer }) => answer),
        limit,
      )
    },
    async remove(name, options) {
      const told = await everywhere(`${name} was not removed everywhere`, (store) =>
        store.remove(name, options),
      )
      const strongest: readonly Removal[] = ["kept", "removed"]
      return strongest.find((one) => told.includes(one)) ?? "absent"
    },
    mend: async (name, isWhole) => await mend(locations, name, isWhole),
  }
}

/** One page out of those of all locations. What lies beyond where one of them breaks off is left to the next page. */
const merged = (pages: readonly BlobNames[], limit: number): BlobNames => {
  const ends = pages.flatMap(({ after }) => after ?? []).sort()
  const [end] = ends
  const all = [...new Set(pages.flatMap(({ names }) => names))].sort()
  const within = end === undefined ? all : all.filter((name) => name <= end)
  const names = within.slice(0, limit)
  if (names.length < within.length) return { names, after: names.at(-1) ?? null }
  return { names, after: end ?? null }
}

type Look =
  | { state: "whole"; bytes: Uint8Array }
  | { state: "damaged" | "missing" | "unreachable"; problem?: string }

const look = async (
  { store }: BlobLocation,
  name: string,
  isWhole: (bytes: Uint8Array) => boolean,
): Promise<Look> => {
  try {
    const bytes = await store.get(name)
    if (bytes === null) return { state: "missing" }
    return isWhole(bytes) ? { state: "whole", bytes } : { state: "damaged" }
  } catch (error) {
    return { state: "unreachable", problem: messageOf(error) }
  }
}

const mend = async (
  locations: readonly BlobLocation[],
  name: string,
  isWhole: (bytes: Uint8Array) => boolean,
): Promise<BlobCopy[]> => {
  const looks = await Promise.all(locations.map((location) => look(location, name, isWhole)))
  const whole = looks.find((one) => one.state === "whole")
  return await Promise.all(
    looks.map(async (found, nth) => {
      const { name: location, store } = locations[nth]!
      if (found.state === "whole") return { name: location, state: "whole" }
      if (found.state === "unreachable") return { name: location, ...found }
      if (whole === undefined)
        return { name: location, state: found.state, problem: "no location has a whole copy" }
      const problem = await replace(store, name, found.state, whole.bytes)
      return problem === null
        ? { name: location, state: "mended" }
        : { name: location, state: found.state, problem }
    }),
  )
}

export const LOCKED = "the damaged copy is locked"

/** Puts a whole copy in the place of none or a damaged one; `null`, or why not. */
const replace = async (
  store: BlobStore,
  name: string,
  state: "damaged" | "missing",
  bytes: Uint8Array,
): Promise<string | null> => {
  try {
    if (state === "damaged" && (await store.remove(name)) === "kept") return LOCKED
    await store.putOnce(name, bytes)
    return null
  } catch (error) {
    return messageOf(error)
  }
}
