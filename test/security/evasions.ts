import type { WhoWorld } from "./who-world.ts"

/** A way to guess a hundred tokens and more without being counted as one. */
export interface Evasion {
  name: string
  /** From where the guess of that number comes. */
  address: (at: number) => string
  /** What else it says; a header of the same name replaces the usual. */
  headers?: (at: number, world: WhoWorld) => Record<string, string>
}

const hex = (number: number): string => number.toString(16)

/** Each from addresses of its own, so that none stands on what another did. */
export const EVASIONS: readonly Evasion[] = [
  { name: "from one address", address: () => "198.51.100.1" },
  {
    name: "from one address, written as IPv6 every other time",
    address: (at) => (at % 2 === 0 ? "198.51.100.2" : "::ffff:198.51.100.2"),
  },
  {
    name: "from one address of IPv6, spelt in many ways",
    address: (at) =>
      ["2001:db8:2::1", "2001:DB8:2::1", "2001:0db8:0002::0001", "2001:db8:2:0:0:0:0:1"][at % 4]!,
  },
  {
    name: "from a network of IPv6, another address each time",
    address: (at) => `2001:db8:3:4::${hex(at + 1)}`,
  },
  {
    name: "with another X-Forwarded-For each time",
    address: () => "198.51.100.3",
    headers: (at) => ({ "x-forwarded-for": `203.0.113.${at}`, "x-real-ip": `203.0.113.${at}` }),
  },
  {
    name: "with another Forwarded each time",
    address: () => "198.51.100.4",
    headers: (at) => ({ forwarded: `for=203.0.113.${at}` }),
  },
  {
    name: "with what only the edge may say of a caller",
    address: () => "198.51.100.5",
    headers: (at) => ({ "hotswap-client": `203.0.113.${at}`, "cf-connecting-ip": `203.0.113.${at}` }),
  },
  {
    name: "with a guess at the edge's secret as well",
    address: () => "198.51.100.6",
    headers: (at) => ({ "hotswap-client": `203.0.113.${at}`, "hotswap-edge": "what-the-edge-shows" }),
  },
  {
    name: "through the edge, from many of its addresses",
    address: (at) => `198.51.100.${100 + (at % 100)}`,
    headers: (_at, { edgeSecret }) => ({ "hotswap-client": "203.0.113.200", "hotswap-edge": edgeSecret }),
  },
  {
    name: "with the scheme in another case each time",
    address: () => "198.51.100.7",
    headers: (at) => ({ authorization: `${["Bearer", "bearer", "BEARER", "bEaReR"][at % 4]} guess-${at}` }),
  },
  {
    name: "with people's tokens of an issuer each time",
    address: () => "198.51.100.8",
    headers: (at, { corp }) => ({
      authorization: `Bearer ${corp.build(corp.usualHeader, { iss: `${at}` })}`,
    }),
  },
  {
    name: "at one token's secret, from another address each time",
    address: (at) => `192.0.2.${at}`,
    headers: (at, { kept }) => ({
      authorization: `Bearer ${kept.bound.token.slice(0, -3)}${String(at).padStart(3, "A")}`,
    }),
  },
]
