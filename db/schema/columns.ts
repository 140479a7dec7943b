import { customType, text } from "drizzle-orm/pg-core"
import { toInstant } from "../instant.ts"

/** Microseconds matter (`at` orders history), and a JavaScript Date holds none: times travel as ISO 8601 text. */
export const instant = customType<{ data: string; driverData: string }>({
  dataType: () => "timestamptz",
  fromDriver: (value) => toInstant(value),
})

/** SHA-256 as bytes in the database and as hex here. */
export const hash = customType<{ data: string; driverData: Uint8Array }>({
  dataType: () => "bytea",
  // The driver makes bytea of bytes, and would take text for the bytes of its characters.
  fromDriver: (value) => Buffer.from(value).toString("hex"),
  toDriver: (value) => Buffer.from(value, "hex"),
})

/** First in every primary key of what a tenant owns. Holds any scope: a tenant, `~platform`, `~tier.Pro`. */
export const tenantId = () => text("tenant_id").notNull()
export const environment = () => text("environment").notNull()
