import type { Decision } from "../../../core/change/command.ts"
import type { ChangeId, ConfigKey, ReleaseId } from "../../../core/ids.ts"

/** What to load besides what is always there. */
export interface More {
  keys: readonly ConfigKey[]
  changeIds: readonly ChangeId[]
  releases: readonly ReleaseId[]
  all: boolean
  /** Of these it is told what the layers have that the scope stands on. */
  inherited?: readonly ConfigKey[]
}

/** With what a decision asks for; `null`: it asks for nothing. */
export const moreFor = (decision: Decision, more: More): More | null => {
  switch (decision.kind) {
    case "needs_all_chunks":
      return { ...more, all: true }
    case "needs_keys":
      return { ...more, keys: [...more.keys, ...decision.keys] }
    case "needs_releases":
      return { ...more, releases: [...more.releases, ...decision.releases] }
    case "needs_changes":
      return { ...more, changeIds: [...more.changeIds, ...decision.changes] }
    case "needs_inherited":
      return { ...more, inherited: decision.keys }
    default:
      return null
  }
}
