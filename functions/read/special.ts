import { may, type Principal, sees } from "../../core/access.ts"
import type { Change } from "../../core/change/change.ts"
import type { Environment } from "../../core/environment.ts"
import { Refusal } from "../../core/errors.ts"
import {
  type ConfigKey,
  type Layer,
  layerOf,
  PLATFORM,
  parseChangeId,
  type ScopeId,
  type TenantId,
  tierScope,
} from "../../core/ids.ts"
import { type Arm, armOf, viewsOf } from "../../core/release/arms.ts"
import type { Entry as ReleaseEntry } from "../../core/release/release.ts"
import { formatRevision } from "../../core/release/revision.ts"
import { compileView, type Merged, mergeLayers, viewText } from "../../core/release/view.ts"
import type { FunctionUrlResult } from "../http/events.ts"
import type { Clock } from "../platform/clock.ts"
import type { Log } from "../platform/log.ts"
import type { PointerBuilder } from "../platform/pointers.ts"
import type { LayersRead, PointerRead, Reading } from "../platform/reading.ts"
import { parseAsOf } from "./as-of.ts"
import { headersOf, headOf, okOf } from "./entry.ts"
import { type Query, queryRefusal } from "./query.ts"
import { configNotFound, tenantNotFound } from "./refusals.ts"
import { unavailable } from "./unavailable.ts"

export interface Address {
  tenantId: TenantId
  environment: Environment
}

/** The reads that are asked of PostgreSQL each time and kept nowhere: the past, provenance, previews. */
export interface SpecialReads {
  answer(address: Address, query: Query, principal: Principal): Promise<FunctionUrlResult>
  /** The platform's or a tier's own view, for the platform's admins: nobody else sees that scope. */
  ofScope(scope: ScopeId, environment: Environment, query: Query): Promise<FunctionUrlResult>
}

const LAYERS: readonly Layer[] = ["platform", "tier", "tenant"]

const check = (query: Query, address: Address, principal: Principal): void => {
  const where = { scope: address.tenantId, environment: address.environment }
  if (query.detail !== null && query.detail !== "full") throw queryRefusal("detail", 'is not "full"')
  if (query.arms !== null) throw queryRefusal("arms", "cannot be combined with asOf, detail or preview")
  if (query.asOf !== null && query.preview !== null)
    throw queryRefusal("preview", "cannot be combined with asOf")
  if (query.detail !== null && !may(principal, "config.read", where))
    throw new Refusal("FORBIDDEN", "Provenance takes one of the roles viewer and above.")
  if (query.preview !== null && !may(principal, "view.preview", where))
    throw new Refusal(
      "FORBIDDEN",
      "A preview takes one of the roles engineer, manager, compliance and tenant_admin.",
    )
}

const changeNotFound = (text: string): Refusal =>
  new Refusal("CHANGE_NOT_FOUND", `There is no change "${text.slice(0, 100)}".`)

/** The entries with the change's edits made. A version that no start has given yet reads 0. */
const edited = (
  entries: ReadonlyMap<ConfigKey, ReleaseEntry>,
  change: Change,
): ReadonlyMap<ConfigKey, ReleaseEntry> => {
  const result = new Map(entries)
  for (const { key, value, locked } of change.content.edits) {
    if (value === undefined) result.delete(key)
    else result.set(key, { value, version: change.versions?.[key] ?? 0, ...(locked ? { locked } : {}) })
  }
  return result
}

interface Selected {
  arm: Arm
  merged: Merged
}

export const createSpecialReads = (deps: {
  clock: Clock
  log: Log
  reading: Reading
  builder: PointerBuilder
}): SpecialReads => {
  const { reading, builder } = deps

  const findChange = async (
    text: string,
    address: Address,
    read: PointerRead,
    principal: Principal,
  ): Promise<{ change: Change; scope: ScopeId }> => {
    const id = parseChangeId(text)
    const scopes: readonly ScopeId[] = [address.tenantId, PLATFORM, tierScope(read.tenant.tier)]
    if (!id || !scopes.includes(id.scope) || !sees(principal, id.scope)) throw changeNotFound(text)
    const change = await reading.findChange(id.scope, id.changeId)
    if (change?.content.environment !== address.environment) throw changeNotFound(text)
    return { change, scope: id.scope }
  }

  /** Stable, with the change's edits made in the layer they are for. */
  const preview = async (
    text: string,
    address: Address,
    read: PointerRead,
    principal: Principal,
  ): Promise<Selected> => {
    const { change, scope } = await findChange(text, address, read, principal)
    const { stable } = viewsOf(read.layers, address.tenantId, read.tenant.tier)
    const layers = []
    for (const layer of LAYERS) {
      const entries = await builder.entries(address.tenantId, read, stable[layer])
      layers.push({ layer, entries: layer === layerOf(scope) ? edited(entries, change) : entries })
    }
    return { arm: "candidate", merged: mergeLayers(layers) }
  }

  const select = async (address: Address, read: PointerRead, unit: string | null): Promise<Selected> => {
    const { stable, candidate } = viewsOf(read.layers, address.tenantId, read.tenant.tier)
    const arm = armOf(candidate, unit)
    const releases = arm === "candidate" && candidate ? candidate.releases : stable
    return { arm, merged: await builder.merge(address.tenantId, read, releases) }
  }

  const readAt = async ({ tenantId, environment }: Address, query: Query): Promise<PointerRead | null> => {
    if (query.asOf === null) return await reading.readPointer(tenantId, environment, [])
    return await reading.readPointerAsOf(tenantId, environment, parseAsOf(query.asOf, deps.clock.nowMs()))
  }

  const selectAt = async (address: Address, query: Query, principal: Principal) => {
    const read = await readAt(address, query)
    if (!read) throw tenantNotFound(address.tenantId)
    const selected =
      query.preview === null
        ? await select(address, read, query.targetingKey)
        : await preview(query.preview, address, read, principal)
    return { read, ...selected }
  }

  return {
    async answer(address, query, principal) {
      check(query, address, principal)
      const { read, arm, merged } = await selectAt(address, query, principal).catch((error: unknown) => {
        throw unavailable(error, deps.log)
      })
      return resultOf(address, query, read, arm, merged)
    },
    async ofScope(scope, environment, query) {
      for (const name of ["arms", "asOf", "preview"] as const)
        if (query[name] !== null) throw queryRefusal(name, "is for tenants only")
      const address = { tenantId: scope as TenantId, environment }
      try {
        const read = await reading.readLayers(scope, environment)
        if (!read) throw tenantNotFound(scope)
        const { platform, tier, tenant } = read.layers
        const releases = { platform: platform.stable, tier: tier.stable, tenant: tenant.stable }
        return resultOf(address, query, read, "stable", await builder.merge(scope, read, releases))
      } catch (error) {
        throw unavailable(error, deps.log)
      }
    },
  }
}

const resultOf = (
  address: Address,
  query: Query,
  { epoch, layers: { platform, tier, tenant } }: LayersRead,
  arm: Arm,
  merged: Merged,
): FunctionUrlResult => {
  const revision = formatRevision({ epoch, platform: platform.seq, tier: tier.seq, tenant: tenant.seq })
  const view = compileView(address.tenantId, address.environment, merged)
  const shown = query.key === null ? merged : only(merged, query.key as ConfigKey)
  const ofKey = () => viewText(compileView(address.tenantId, address.environment, shown))
  const plain = () => (query.key === null ? viewText(view) : ofKey())
  const configs = query.detail === null ? plain() : JSON.stringify(Object.fromEntries(shown))
  const headers = { ...headersOf(`W/"${view.id}"`, revision, arm), "cache-control": "no-store" }
  return okOf(headers, `${headOf({ ...address, revision }, view.id, arm)}${configs}}`)
}

const only = (merged: Merged, key: ConfigKey): Merged => {
  const entry = merged.get(key)
  if (!entry) throw configNotFound(key)
  return new Map([[key, entry]])
}
