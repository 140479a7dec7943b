import type { Role } from "../../../core/access.ts"
import type { Actor } from "../../../core/change/change.ts"
import type { TokenId } from "../../../core/ids.ts"

export interface Person {
  actor: Actor
  roles: readonly Role[]
}

const ALL: readonly Role[] = ["engineer", "manager", "compliance"]

const person = (
  subject: string,
  roles: readonly Role[] = ALL,
  ancestors: readonly string[] = [],
): Person => ({
  actor: { subject, tokenId: `acme-corp:tok_${subject}` as TokenId, ancestors },
  roles,
})

export const alice = person("alice")
export const bob = person("bob")
export const carol = person("carol")
export const dan = person("dan")
/** Her token was issued by alice. */
export const alicesHelper = person("alices-helper", ALL, ["alice"])
/** His token was issued by somebody whose token bob issued. */
export const bobsHelper = person("bobs-helper", ALL, ["somebody", "bob"])
export const engineer = person("erin", ["engineer"])
export const manager = person("mike", ["manager"])
export const officer = person("cleo", ["compliance"])
export const admin = person("root", ["platform_admin"])
