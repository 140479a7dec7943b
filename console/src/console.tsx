import { createContext } from "preact"
import { useContext } from "preact/hooks"
import type { Client } from "./client.ts"
import { hrefOf, type PageName, type Place } from "./place.ts"
import type { Action, Tenant, Who } from "./shapes.ts"

/** What every page is handed. */
export interface Console {
  client: Client
  who: Who
  place: Place
  /** The scope that the pages are about; the platform and tiers are scopes too. */
  tenant: string
  environment: string
  /** `null` while it is read, and for a token that may not read it. */
  tenants: readonly Tenant[] | null
  /** Says aloud, and shows until the next page, what has happened. */
  say(text: string): void
  /** Forgets what was read of the tenants, which have changed. */
  refreshTenants(): Promise<void>
}

export const ConsoleContext = createContext<Console | null>(null)

export const useConsole = (): Console => {
  const console = useContext(ConsoleContext)
  if (console === null) throw new Error("a page stands outside of the console")
  return console
}

/** May this person's roles do that? What the service decides, it decides itself: this only says beforehand. */
export const useMay = (): ((action: Action, environment?: string) => boolean) => {
  const { who } = useConsole()
  return (action, environment) =>
    who.actions.includes(action) &&
    (who.environment === null || environment === undefined || who.environment === environment)
}

/** The same of what is about a tenant as a whole, which is for no token that is bound to an environment. */
export const useMayWhole = (): ((action: Action) => boolean) => {
  const { who } = useConsole()
  return (action) => who.environment === null && who.actions.includes(action)
}

/** The environment that customers use: the last in the order, whatever its name. */
export const isProduction = ({ who }: Pick<Console, "who">, environment: string): boolean =>
  who.environments.at(-1) === environment

/** Links to other pages of the same tenant and environment. */
export const useLinks = () => {
  const { tenant, environment } = useConsole()
  return (
    page: PageName,
    id: string | null = null,
    other: Partial<Pick<Place, "tenant" | "environment">> = {},
  ) => hrefOf({ page, id, tenant, environment, ...other })
}
