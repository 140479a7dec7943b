import type { Environment } from "../../core/environment.ts"
import { isTenant, layerOf, type ScopeId, type TenantId, type ViewId } from "../../core/ids.ts"
import { formatRevision } from "../../core/release/revision.ts"
import { unhurried } from "../../db/deadline.ts"
import { type CachePort, CacheUnavailable } from "./cache.ts"
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
}

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

  const publishTenant = async (tenantId: TenantId, environment: Environment): Promise<void> => {
    const built = await builder.build(tenantId, environment, (viewId) => published.get(viewId) === true)
    // Deleted since: its documents run out, and nobody is told.
    if (!built) return
    const { pointer, views } = built
    await cache.store(tenantId, environment, { views: [...views.values()], pointer })
    for (const viewId of views.keys()) published.set(viewId, true)
    await cache.publish({ type: "tenant_config", scope: tenantId, environment, revision: pointer.revision })
  }

  const publishShared = async (scope: ScopeId, environment: Environment): Promise<void> => {
    const read = await reading.readLayers(scope, environment)
    if (!read) return
    const { epoch } = read
    const pointer = read.layers[layerOf(scope)]
    await cache.raiseMark({ scope, environment, epoch, seq: pointer.seq })
    const none = { epoch, platform: 0, tier: 0, tenant: 0 }
    const revision = formatRevision(
      scope.startsWith("~tier.") ? { ...none, tier: pointer.seq } : { ...none, platform: pointer.seq },
    )
    await cache.publish({ type: "global_config", scope, environment, revision })
  }

  const publish = async (scope: ScopeId, environment: Environment): Promise<boolean> => {
    try {
      await (isTenant(scope) ? publishTenant(scope, environment) : publishShared(scope, environment))
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
  }
}
