/** The console's pages. */
export const PAGES = [
  ...["flags", "configs", "changes", "approvals", "rollouts", "audit"],
  ...["policy", "tokens", "notifications", "backups", "deployments", "tenants"],
] as const
export type PageName = (typeof PAGES)[number]

/** Where somebody is: it stands behind the `#` of the address, which browsers keep to themselves. */
export interface Place {
  page: PageName
  /** A key, or the id of a change. */
  id: string | null
  tenant: string | null
  environment: string | null
}

const isPage = (text: string): text is PageName => (PAGES as readonly string[]).includes(text)

const decoded = (text: string): string | null => {
  try {
    return decodeURIComponent(text)
  } catch {
    return null
  }
}

/** The id of a change says whose it is. */
const tenantIn = (page: PageName, id: string | null): string | null =>
  page === "changes" && id?.includes(":") ? id.slice(0, id.indexOf(":")) : null

/** `#/flags/checkout?tenant=acme-corp&environment=Production`; what is none of ours leads to the flags. */
export const parsePlace = (hash: string): Place => {
  const [path = "", query = ""] = hash.replace(/^#\/?/, "").split("?")
  const [first = "", second] = path.split("/")
  const page = isPage(first) ? first : "flags"
  const id = second && isPage(first) ? decoded(second) : null
  const parameters = new URLSearchParams(query)
  return {
    page,
    id,
    tenant: tenantIn(page, id) ?? parameters.get("tenant"),
    environment: parameters.get("environment"),
  }
}

export const hrefOf = ({ page, id, tenant, environment }: Place): string => {
  const parameters = new URLSearchParams()
  if (tenant !== null && tenantIn(page, id) === null) parameters.set("tenant", tenant)
  if (environment !== null) parameters.set("environment", environment)
  const query = parameters.size > 0 ? `?${parameters}` : ""
  return `#/${page}${id === null ? "" : `/${encodeURIComponent(id)}`}${query}`
}
