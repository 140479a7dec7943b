import type { ProblemCode } from "../../core/errors.ts"
import { PROBLEMS } from "../../core/errors.ts"
import type { Claims, Parts } from "./forge.ts"
import type { Sent, WhoWorld } from "./who-world.ts"

/** One way in that must not be one. */
export interface Attack {
  family: string
  name: string
  code: ProblemCode
  send: (world: WhoWorld) => Sent | Promise<Sent>
  /** The same made right: it passes, so that the attack is refused for its fault and nothing else. */
  right?: (world: WhoWorld) => Sent | Promise<Sent>
}

type Forge = (world: WhoWorld) => string
export type Right = NonNullable<Attack["right"]>

export const bearer = (token: string): Sent => ({ headers: { authorization: `Bearer ${token}` } })

const withBearer = (sent: Sent, token: string): Sent => ({
  ...sent,
  headers: { ...sent.headers, ...bearer(token).headers },
})

/** What most attacks are one fault away from: somebody looks at her own tenant. */
const rightToken: Right = ({ corp }) => bearer(corp.token())

/** Attacks of one kind: a name, and the token it sends. Refused with 401 unless told otherwise. */
export const tokens = (
  family: string,
  forges: Readonly<Record<string, Forge>>,
  code: ProblemCode = "UNAUTHENTICATED",
  sent: Sent = {},
  right: Right = rightToken,
): Attack[] =>
  Object.entries(forges).map(([name, forge]) => ({
    family,
    name,
    code,
    send: (world) => withBearer(sent, forge(world)),
    right,
  }))

/** Tokens of the issuer `corp` that are right but for these parts. */
export const corpTokens = (
  family: string,
  parts: Readonly<Record<string, Parts | ((world: WhoWorld) => Parts)>>,
  code?: ProblemCode,
  sent?: Sent,
  right?: Right,
): Attack[] =>
  tokens(
    family,
    Object.fromEntries(
      Object.entries(parts).map(([name, part]): [string, Forge] => [
        name,
        (world) => world.corp.token(typeof part === "function" ? part(world) : part),
      ]),
    ),
    code,
    sent,
    right,
  )

export const headers = (family: string, members: Readonly<Record<string, Claims>>): Attack[] =>
  corpTokens(family, Object.fromEntries(Object.entries(members).map(([name, header]) => [name, { header }])))

export const claims = (
  family: string,
  members: Readonly<Record<string, Claims>>,
  code?: ProblemCode,
  sent?: Sent,
  right?: Right,
): Attack[] =>
  corpTokens(
    family,
    Object.fromEntries(Object.entries(members).map(([name, some]) => [name, { claims: some }])),
    code,
    sent,
    right,
  )

export const statusOf = (code: ProblemCode): number => PROBLEMS[code].status
