import type { EvaluationContext } from "@openfeature/core"
import { murmur3 } from "../../../../core/release/bucket.ts"
import { formatRevision, parseRevision } from "../../../../core/release/revision.ts"
import { type Answer, type Flags, resolvableOf } from "./bulk.ts"
import { toContext } from "./context.ts"

/** Of the page's `localStorage`, what is used. */
export type PageStorage = Pick<Storage, "getItem" | "setItem">

/** What was answered, without what is of no use any more the next day. */
export interface Kept extends Pick<Answer, "etag" | "revision"> {
  flags: Flags
}

const FORMAT = 1
const AGE_MAX_MS = 30 * 24 * 3_600_000

/**
 * The last flags that the service gave, of one subject at a time: the next one's take their place. What they were given for is kept as
 * a hash only. Trouble with the storage is no trouble for the page.
 */
export class LastKnownGood {
  readonly #storage: PageStorage | null
  readonly #key: string

  /** `source` is whatever the flags depend on besides the subject: the address, the token. */
  constructor(storage: PageStorage | null, source: readonly (string | undefined)[]) {
    this.#storage = storage
    this.#key = `hotswap.flags.${hashOf(JSON.stringify(source))}`
  }

  save(context: EvaluationContext, { flags, etag, revision }: Kept, now: number): void {
    const kept = {
      format: FORMAT,
      at: now,
      subject: subjectOf(context),
      etag,
      revision: revision && formatRevision(revision),
      flags: [...flags].map(([key, { errorMessage, ...flag }]) => ({
        key,
        errorDetails: errorMessage,
        ...flag,
      })),
    }
    try {
      this.#storage?.setItem(this.#key, JSON.stringify(kept))
    } catch {
      // Full, or forbidden.
    }
  }

  load(context: EvaluationContext, now: number): Kept | null {
    try {
      const kept = JSON.parse(this.#storage?.getItem(this.#key) ?? "null")
      if (kept?.format !== FORMAT || kept.subject !== subjectOf(context)) return null
      if (!(now - kept.at <= AGE_MAX_MS)) return null
      const flags: [string, ReturnType<typeof resolvableOf>][] = []
      for (const flag of kept.flags) flags.push([String(flag.key), resolvableOf(flag)])
      return { flags: new Map(flags), etag: kept.etag ?? null, revision: parseRevision(kept.revision ?? "") }
    } catch {
      // Not ours, or damaged.
      return null
    }
  }
}

/** Is it the same subject, with the same attributes? */
const subjectOf = (context: EvaluationContext): string => {
  const members = Object.entries(toContext(context)).sort(([one], [other]) => (one < other ? -1 : 1))
  return hashOf(JSON.stringify(members))
}

/** 64 bits, where the page need not be a secure one. */
const hashOf = (text: string): string =>
  [0, 1].map((seed) => murmur3(text, seed).toString(16).padStart(8, "0")).join("")
