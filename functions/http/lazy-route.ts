import { lazily } from "./lazily.ts"
import type { Route, RouteReply } from "./route.ts"

/** A route that is declared elsewhere: how it is called, and the way to it. */
export interface LazyRoute {
  method: string
  path: string
  /** The route itself, loaded when it is first asked for. */
  load(): Promise<Route>
  /** What it answers whoever gives no query, where that needs nothing to be loaded. */
  plain?: (() => Promise<RouteReply>) | undefined
}

/** `METHOD /path`, with `{name}` for each parameter. */
export const nameOf = ({ method, path }: Pick<Route | LazyRoute, "method" | "path">): string =>
  `${method.toUpperCase()} ${path}`

/** The route of that name among those that `declared` gives; throws where it is not. */
export const lazyRoute = (name: string, declared: () => Promise<readonly Route[]>): LazyRoute => {
  const [method, path] = name.split(" ") as [string, string]
  return {
    method,
    path,
    load: lazily(async () => {
      const route = (await declared()).find((each) => nameOf(each) === name)
      if (route === undefined) throw new Error(`${name} is declared nowhere`)
      return route
    }),
  }
}
