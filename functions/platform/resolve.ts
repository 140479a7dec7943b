import { lookup, Resolver } from "node:dns/promises"

/** Every address a name has, as the connection would get them. */
export type Resolve = (hostname: string) => Promise<readonly string[]>

const TRY_MS = 1_500
const TRIES = 2

/**
 * Asks name servers, those of the system if none are given. Not the way connections do it, which waits in one of a few threads
 * that everything else in the process needs: some names whose servers never answer would hold up everybody's.
 */
export const createResolve = (servers: readonly string[] = []): Resolve => {
  const resolver = new Resolver({ timeout: TRY_MS, tries: TRIES })
  if (servers.length > 0) resolver.setServers(servers)
  return async (hostname) => {
    // A name of this machine or its network: nobody outside has a say in how long it takes.
    if (!hostname.includes("."))
      return (await lookup(hostname, { all: true, verbatim: true })).map(({ address }) => address)
    const [v4, v6] = await Promise.allSettled([resolver.resolve4(hostname), resolver.resolve6(hostname)])
    if (v4.status === "rejected" && v6.status === "rejected") throw v4.reason
    return [v4, v6].flatMap((found) => (found.status === "fulfilled" ? found.value : []))
  }
}
