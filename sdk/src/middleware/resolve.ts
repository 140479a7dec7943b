import { TenantRefusal } from "./refusal.ts"

export { TenantRefusal } from "./refusal.ts"

/** A request, as far as it can tell whose it is, whatever serves it. */
export interface Incoming<Raw = unknown> {
  method: string
  /** As it was sent, without the query. */
  path: string
  /** Of one header, by its name in lower case. */
  header(name: string): string | undefined
  /** What the middleware was called with: Hono's `c`, Express's or Node's `req`. */
  raw: Raw
}

/**
 * Whose request is it? `null`: it does not say. May throw {@link TenantRefusal}. What comes out is checked to be a tenant's id
 * by the middleware.
 */
export type TenantResolver<Raw = unknown> = (
  request: Incoming<Raw>,
) => string | null | undefined | Promise<string | null | undefined>

/** The tenants that whoever asks was authenticated for; `"*"` is every one, `null` none. */
export type TenantClaim<Raw = unknown> = (
  request: Incoming<Raw>,
) => string | readonly string[] | null | undefined | Promise<string | readonly string[] | null | undefined>

/** What `resolver` finds, if whoever asks was authenticated for it; else refused with `TENANT_FORBIDDEN`. */
export const claimed =
  <Raw>(resolver: TenantResolver<Raw>, claim: TenantClaim<Raw>): TenantResolver<Raw> =>
  async (request) => {
    const tenantId = await resolver(request)
    if (tenantId === null || tenantId === undefined) return null
    const claims = await claim(request)
    if (claims !== "*" && !listed(claims).includes(tenantId))
      throw new TenantRefusal(
        "TENANT_FORBIDDEN",
        "Whoever asks was not authenticated for the tenant it names.",
      )
    return tenantId
  }

/**
 * By `X-Tenant-ID` (or another header), which anybody can send: only what `claim` allows is taken. Without the header it is the
 * tenant claimed, where that is one.
 */
export const byHeader =
  <Raw>(options: { claim: TenantClaim<Raw>; header?: string }): TenantResolver<Raw> =>
  async (request) => {
    const named = request.header((options.header ?? "x-tenant-id").toLowerCase())
    if (named !== undefined) return await claimed<Raw>(() => named, options.claim)(request)
    const [only, ...others] = listed(await options.claim(request))
    return others.length === 0 && only !== "*" ? (only ?? null) : null
  }

const listed = (claims: string | readonly string[] | null | undefined): readonly string[] =>
  typeof claims === "string" ? [claims] : (claims ?? [])

/** By the first label of the host: `acme.example.com` with the suffix `.example.com`. */
export const byHost =
  <Raw>(suffix: string): TenantResolver<Raw> =>
  (request) => {
    const host = (request.header("host") ?? "").toLowerCase().replace(/:\d+$/, "")
    if (!host.endsWith(suffix)) return null
    const label = host.slice(0, -suffix.length)
    return label === "" || label.includes(".") ? null : label
  }

/** By the segment of the path that follows `prefix`: `/t/acme/orders` with the prefix `/t/`. */
export const byPath =
  <Raw>(prefix: string): TenantResolver<Raw> =>
  ({ path }) => {
    if (!path.startsWith(prefix)) return null
    const [segment = ""] = path.slice(prefix.length).split("/")
    return segment === "" ? null : segment
  }

/**
 * By an id of somebody else's, such as a guild's or a shop's, that `lookUp` knows the tenant of. One that it does not know is
 * refused with `TENANT_NOT_FOUND`.
 */
export const byExternalId =
  <Raw>(
    externalId: (request: Incoming<Raw>) => string | null | undefined,
    lookUp: (externalId: string) => string | null | undefined | Promise<string | null | undefined>,
  ): TenantResolver<Raw> =>
  async (request) => {
    const id = externalId(request)
    if (id === null || id === undefined || id === "") return null
    const tenantId = await lookUp(id)
    if (tenantId === null || tenantId === undefined)
      throw new TenantRefusal("TENANT_NOT_FOUND", "No tenant has the id that the request names.")
    return tenantId
  }

/** The first that says anything. */
export const firstOf =
  <Raw>(...resolvers: readonly TenantResolver<Raw>[]): TenantResolver<Raw> =>
  async (request) => {
    for (const resolver of resolvers) {
      const tenantId = await resolver(request)
      if (tenantId !== null && tenantId !== undefined) return tenantId
    }
    return null
  }
