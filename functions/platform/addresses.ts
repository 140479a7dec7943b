import ipaddr from "ipaddr.js"

type Address = ReturnType<typeof ipaddr.process>
/** A block of addresses: its first one, and how many leading bits are the block's. */
export type Block = readonly [Address, number]

/** From texts like `10.0.0.0/8`, which have been checked to be such. */
export const blocksOf = (texts: readonly string[]): readonly Block[] =>
  texts.map((text) => ipaddr.parseCIDR(text))

/** What is given to the world at large; the rest of the space is not, whatever has been reserved in it so far. */
const GLOBAL_V6: Block = ipaddr.parseCIDR("2000::/3")
/** RFC 6052: an IPv4 address in its last 32 bits. A network without IPv4 reaches every such host through it. */
const NAT64: Block = ipaddr.parseCIDR("64:ff9b::/96")

const isIn = (address: Address, [first, bits]: Block): boolean =>
  address.kind() === first.kind() && address.match(first, bits)

/** The IPv4 address that packets to this one end at, where it stands for one. */
const lookedThrough = (address: Address): Address =>
  isIn(address, NAT64) ? ipaddr.fromByteArray(address.toByteArray().slice(12)) : address

const isPublic = (address: Address): boolean =>
  address.range() === "unicast" && (address.kind() === "ipv4" || isIn(address, GLOBAL_V6))

/**
 * May a message be sent to this address? `public`: it is unicast of the internet. `allowed`: the operator has named it.
 * Tunnels (6to4, Teredo) are never public: where they end is not for us to say.
 */
export const judgeAddress = (text: string, allowed: readonly Block[]): "allowed" | "public" | "forbidden" => {
  if (!ipaddr.isValid(text)) return "forbidden"
  const address = lookedThrough(ipaddr.process(text))
  if (allowed.some((block) => isIn(address, block))) return "allowed"
  return isPublic(address) ? "public" : "forbidden"
}
