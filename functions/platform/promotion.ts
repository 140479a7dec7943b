import type { Submit } from "../../core/change/command.ts"
import { editsOfPromotion } from "../../core/change/edits.ts"
import { isReserved } from "../../core/change/policy.ts"
import type { ScopeState } from "../../core/change/scope-state.ts"
import { Refusal } from "../../core/errors.ts"
import { type ConfigKey, isTenant } from "../../core/ids.ts"
import { isEntitlement } from "../../core/limits/entitlement.ts"
import { allEntries } from "../../core/release/compile.ts"
import type { Entry } from "../../core/release/release.ts"
import type { Database } from "../../db/client.ts"
import { loadScope } from "../../db/queries/scope.ts"
import { stableEntries, type Target } from "./stable.ts"

type Db = { db: Database }

/** The state of a scope × environment with these keys, or with every key's entry. */
export const stateWith = async (
  { db }: Db,
  target: Target,
  keys: readonly ConfigKey[] | "all",
): Promise<ScopeState> => {
  const loaded = await loadScope(db, {
    ...target,
    keys: keys === "all" ? [] : keys,
    allChunks: keys === "all",
  })
  if (!loaded) throw new Refusal("TENANT_NOT_FOUND", `There is no tenant "${target.scope}".`)
  return loaded.state
}

/** Everything the stable release holds for readers. All its chunks must have been loaded. */
export const allStable = (state: ScopeState): ReadonlyMap<ConfigKey, Entry> => {
  const manifest = state.manifests.get(state.pointer.stable)
  if (!manifest) return new Map()
  return new Map([...allEntries(manifest, state.chunks)].filter(([key]) => !isReserved(key)))
}

/** What a tenant is granted goes by itself, by name: a promotion of everything leaves it where it is. */
const everyKey = async (deps: Db, source: Target): Promise<readonly ConfigKey[]> => {
  const keys = [...allStable(await stateWith(deps, source, "all")).keys()]
  return isTenant(source.scope) ? keys.filter((key) => !isEntitlement(key)) : keys
}

/** Edits that bring these keys (all, unless named) over as they are stable in `source`. */
export const promotionFrom = async (
  deps: Db,
  source: Target,
  named?: readonly ConfigKey[],
): Promise<Required<Pick<Submit, "edits" | "promotedFrom">>> => {
  const keys = named ?? (await everyKey(deps, source))
  const state = await stateWith(deps, source, keys)
  const entries = stableEntries(state, keys)
  const promoted = [...entries].map(([key, entry]) => ({ key, entry, ...state.metadata.get(key) }))
  const versions = Object.fromEntries([...entries].map(([key, { version }]) => [key, version]))
  return {
    edits: editsOfPromotion(promoted, source.environment),
    promotedFrom: { environment: source.environment, release: state.pointer.stable, versions },
  }
}
