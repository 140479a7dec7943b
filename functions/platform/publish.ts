import type { Environment } from "../../core/environment.ts"
import { isTenant, layerOf, type ScopeId, type TenantId, type ViewId } from "../../core/ids.ts"
import type { ReloadType } from "../../core/release/reload.ts"
import { formatRevision } from "../../core/release/revision.ts"
import { unhurried } from "../../db/deadline.ts"
import { type CachePort, CacheUnavailable, type MoveEvent } from "./cache.ts"
import type { Clock } from "./clock.ts"
import { createLru } from "./lru.ts"
import { createPointerBuilder } from "./pointers.ts"
import type { PointerReading, ScopeReading } from "./reading.ts"
import { createTrailing } from "./trailing.ts"

/** Brings what is cached up to date with PostgreSQL. */
export interface Publisher {
  /**
   * Reads the pointer again and tells Redis and whoever listens. Twice is harmless, and so is never: then
   * things are a little later. `false`: Redis did not take it. Throws DATABASE_UNAVAILABLE.
   */
  publish(scope: ScopeId, environment: Environment): Promise<boolean>
  /**
   * The same, with everything that Redis keeps of it written anew, and has all who listen look again, although nothing
   * need have moved. `false`: Redis did not take it, and nobody heard. Throws DATABASE_UNAVAILABLE.
   */
  reload(scope: ScopeId, environment: Environment, type: ReloadType): Promise<boolean>
}

/** Why it is told. */
type Cause = Pick<MoveEvent, "type" | "reload">
const OWN_MOVE: Cause = { type: "tenant_config" }
const SHARED_MOVE: Cause = { type: "global_config" }

const PUBLISHED_MAX = 10_000

export const createPublisher = (deps: {
  reading: PointerReading & ScopeReading
  cache: CachePort
  clock: Clock
}): Publisher => {
  const { reading, cache } = deps
  const builder = createPointerBuilder(deps)
  /** Views that were handed to Redis already; should it have lost one, a reader puts it back. */
  const published = createLru<ViewId, true>(PUBLISHED_MAX)
  const trailing = createTrailing<boolean>()

  const publishTenant = async (tenantId: TenantId, environment: Environment, cause: Cause): Promise<void> => {
    const isThere = (viewId: ViewId): boolean => !cause.reload && published.get(viewId) === true
    const built = await builder.build(tenantId, environment, isThere)
    // Deleted since: its documents run out, and nobody is told.
    if (!built) return
    const { pointer, views } = built
    const event = { ...cause, scope: tenantId, environment, revision: pointer.revision }
    await cache.store(tenantId, environment, { views: [...views.values()], pointer, event })
    for (const viewId of views.keys()) published.set(viewId, true)
  }

  const publishShared = async (scope: ScopeId, environment: Environment, cause: Cause): Promise<void> => {
    const read = await reading.readLayers(scope, environment)
    if (!read) return
    const { epoch } = read
    const pointer = read.layers[layerOf(scope)]
    const none = { epoch, platform: 0, tier: 0, tenant: 0 }
    const revision = formatRevision(
      scope.startsWith("~tier.") ? { ...none, tier: pointer.seq } : { ...none, platform: pointer.seq },
    )
    const mark = { scope, environment, epoch, seq: pointer.seq }
    await cache.raiseMark(mark, { ...cause, scope, environment, revision })
  }

  const publish = async (scope: ScopeId, environment: Environment, reload?: Cause): Promise<boolean> => {
    try {
      await (isTenant(scope)
        ? publishTenant(scope, environment, reload ?? OWN_MOVE)
        : publishShared(scope, environment, reload ?? SHARED_MOVE))
      return true
    } catch (error) {
      if (error instanceof CacheUnavailable) return false
      throw error
    }
  }

  return {
    // It outlives the request that moved something, and whoever comes in between waits for it, too.
    publish: (scope, environment) =>
      trailing(`${environment}/${scope}`, () => unhurried(() => publish(scope, environment))),
    reload: (scope, environment, type) => publish(scope, environment, { type, reload: true }),
  }
}
