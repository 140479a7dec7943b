import type { ScopeState } from "../../core/change/scope-state.ts"
import type { Environment } from "../../core/environment.ts"
import type { ConfigKey, ScopeId } from "../../core/ids.ts"
import { readEntry } from "../../core/release/compile.ts"
import type { Entry } from "../../core/release/release.ts"

/** One scope in one environment. */
export interface Target {
  scope: ScopeId
  environment: Environment
}

/** What the stable release holds of these keys. Their chunks must have been loaded. */
export const stableEntries = (state: ScopeState, keys: readonly ConfigKey[]): Map<ConfigKey, Entry> => {
  const manifest = state.manifests.get(state.pointer.stable)
  const entries = new Map<ConfigKey, Entry>()
  for (const key of manifest ? keys : []) {
    const entry = readEntry(manifest!, state.chunks, key)
    if (entry) entries.set(key, entry)
  }
  return entries
}
