import { type SQL, sql } from "drizzle-orm"
import { type AnyPgColumn, pgPolicy } from "drizzle-orm/pg-core"
import { appRole, readRole, systemRole } from "./schema.ts"

// `missing_ok` and nullif make an absent and an emptied setting null, and null equals nothing: closed by default.
const ownTenant = (tenantId: AnyPgColumn): SQL =>
  sql`${tenantId} = nullif(current_setting('hotswap.tenant', true), '')`

/** Rows of the transaction's own tenant, to read and to write as far as grants go. */
export const ownRows = (tenantId: AnyPgColumn) =>
  pgPolicy("own_tenant", {
    as: "permissive",
    for: "all",
    to: [appRole, readRole],
    using: ownTenant(tenantId),
    withCheck: ownTenant(tenantId),
  })

/**
 * What a tenant inherits: rows of the platform and the tiers named in `hotswap.read_scopes`, to read only. The
 * tilde keeps the setting from ever opening another tenant, whatever is written into it.
 */
export const inheritedRows = (tenantId: AnyPgColumn, also?: SQL) =>
  pgPolicy("inherited", {
    as: "permissive",
    for: "select",
    to: [appRole, readRole],
    using: sql`${tenantId} like '~%' and ${tenantId} = any(string_to_array(current_setting('hotswap.read_scopes', true), ','))${also ? sql` and ${also}` : sql``}`,
  })

/** The one row whose external id `hotswap.external_id` names: whoever knows the name may know whose it is. */
export const rowNamed = (externalId: AnyPgColumn) =>
  pgPolicy("named", {
    as: "permissive",
    for: "select",
    to: readRole,
    using: sql`${externalId} = nullif(current_setting('hotswap.external_id', true), '')`,
  })

/** Every tenant's rows, for the system role; its grants say which columns and whether to delete. */
export const systemRows = (use: "select" | "update" | "delete" = "select") =>
  pgPolicy(`system_${use}`, { as: "permissive", for: use, to: systemRole, using: sql`true` })

/** The same to be read, added and altered, by who adds up statistics of all tenants at once. */
export const systemWrites = () => [
  systemRows(),
  systemRows("update"),
  pgPolicy("system_insert", { as: "permissive", for: "insert", to: systemRole, withCheck: sql`true` }),
]
