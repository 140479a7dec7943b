import { isIP, type LookupFunction } from "node:net"
import { type Block, judgeAddress } from "../addresses.ts"
import { UrlRefused } from "../outbound.ts"
import type { Resolve } from "../resolve.ts"

/** Public addresses are spoken to at ports where backends of these kinds, or a proxy before them, listen. */
const PORTS = new Set([
  "",
  "443",
  "8080",
  "8427",
  "8428",
  "8443",
  "8480",
  "8481",
  "9428",
  "9481",
  "10428",
  "10481",
])

const bare = (hostname: string): string => hostname.replace(/^\[(.*)\]$/, "$1")

/** Throws {@link UrlRefused} unless every one of the addresses may be connected to. */
const mustBeReachable = (url: URL, addresses: readonly string[], allowed: readonly Block[]): void => {
  const judged = new Set(addresses.map((address) => judgeAddress(address, allowed)))
  // One of several is enough: which of them is connected to is not for us to choose.
  if (judged.has("forbidden"))
    throw new UrlRefused("address", "The host does not resolve to addresses that may be reached.")
  if (!judged.has("public")) return
  if (url.protocol !== "https:") throw new UrlRefused("url", "Over the internet it has to be https.")
  if (!PORTS.has(url.port)) throw new UrlRefused("url", "Its port is none that backends have.")
}

/** What stands between a target's name and a connection. */
export interface Reach {
  /** For a host that is an address: no name is looked up then. Throws {@link UrlRefused}. */
  check(): void
  /** For every connection anew: it goes to what was judged, and to nothing that the name leads to by then. */
  lookup: LookupFunction
}

export const reachOf = (url: URL, allowed: readonly Block[], resolve: Resolve): Reach => {
  const host = bare(url.hostname)
  const judged = async (name: string): Promise<readonly string[]> => {
    const addresses = await resolve(name)
    mustBeReachable(url, addresses, allowed)
    return addresses
  }
  return {
    check: () => {
      if (isIP(host) !== 0) mustBeReachable(url, [host], allowed)
    },
    lookup: (name, options, answer) => {
      judged(name).then(
        (addresses) => {
          const found = addresses.map((address) => ({ address, family: isIP(address) }))
          if (options.all) answer(null, found)
          else answer(null, found[0]!.address, found[0]!.family)
        },
        (error: NodeJS.ErrnoException) => answer(error, ""),
      )
    },
  }
}

/** Not longer than who sets it can wait. */
const RESOLVE_MS = 1_000

/**
 * Throws {@link UrlRefused} for a target that would never be connected to, as far as can be told now. A name that leads nowhere
 * yet may do so later.
 */
export const checkReach = async (
  text: string,
  allowed: readonly Block[],
  resolve: Resolve,
): Promise<void> => {
  const url = new URL(text)
  const host = bare(url.hostname)
  const found = isIP(host) === 0 ? await orNothing(resolve(host)) : [host]
  if (found.length > 0) mustBeReachable(url, found, allowed)
}

const orNothing = async (resolving: Promise<readonly string[]>): Promise<readonly string[]> => {
  const late = Promise.withResolvers<readonly string[]>()
  const timer = setTimeout(() => late.resolve([]), RESOLVE_MS)
  try {
    return await Promise.race([resolving, late.promise])
  } catch {
    return []
  } finally {
    clearTimeout(timer)
  }
}
