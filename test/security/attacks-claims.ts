import { type Attack, claims, corpTokens, tokens } from "./attack.ts"
import type { WhoWorld } from "./who-world.ts"

const issuer: Attack[] = [
  ...claims("Issuer", {
    none: { iss: undefined },
    null: { iss: null },
    "nobody known": { iss: "https://attacker.example" },
    "another one that is known": { iss: "https://ops.example" },
    "our own": { iss: "hotswap" },
    "a member of Object's prototype": { iss: "__proto__" },
  }),
  ...tokens("Issuer", {
    "a list with the right one": ({ corp }) => corp.token({ claims: { iss: [corp.issuer] } }),
    "the right one and a slash": ({ corp }) => corp.token({ claims: { iss: `${corp.issuer}/` } }),
    "the right one and a blank": ({ corp }) => corp.token({ claims: { iss: `${corp.issuer} ` } }),
    "in capitals": ({ corp }) => corp.token({ claims: { iss: corp.issuer.toUpperCase() } }),
    "with a user": ({ corp }) =>
      corp.token({ claims: { iss: corp.issuer.replace("http://", "http://corp@") } }),
    "with a fragment": ({ corp }) => corp.token({ claims: { iss: `${corp.issuer}#` } }),
    "the beginning of the right one": ({ corp }) => corp.token({ claims: { iss: corp.issuer.slice(0, -1) } }),
    "corp, by the partner's key and kid": ({ corp, partner }) =>
      partner.token({ claims: { iss: corp.issuer } }),
    "corp, by the partner's key under corp's kid": ({ corp, partner }) =>
      partner.token({ header: { alg: "RS256", kid: corp.jwk.kid }, claims: { iss: corp.issuer } }),
  }),
]

const audience: Attack[] = claims("Audience", {
  none: { aud: undefined },
  null: { aud: null },
  "another's": { aud: "billing" },
  "our own reader tokens'": { aud: "hotswap" },
  "the beginning of the right one": { aud: "hotswap-peopl" },
  "the right one and more": { aud: "hotswap-people-2" },
  "in capitals": { aud: "HOTSWAP-PEOPLE" },
  "two in one text": { aud: "billing hotswap-people" },
  "a list without it": { aud: ["billing", "mail"] },
  "an empty list": { aud: [] },
  "a list of lists": { aud: [["hotswap-people"]] },
  "an object": { aud: { "hotswap-people": true } },
  "a list of 1,000": { aud: [...Array.from({ length: 1_000 }, () => "x"), "hotswap-people"] },
  "a wildcard": { aud: "*" },
})

const seconds = ({ corp }: WhoWorld): number => corp.seconds()
const time: Attack[] = [
  ...claims("Time", {
    "no expiry": { exp: undefined },
    "an expiry of null": { exp: null },
    "an expiry in text": { exp: "9999999999" },
    "an expiry in a list": { exp: [9_999_999_999] },
    "an expiry below nought": { exp: -1 },
    "an expiry of 1e300": { exp: 1e300 },
    "in text: not before": { nbf: "0" },
    "in text: issued at": { iat: "0" },
    "issued at null": { iat: null },
  }),
  ...corpTokens("Time", {
    "expired by more than the leeway": (world) => ({ claims: { exp: seconds(world) - 61 } }),
    "expired a year ago": (world) => ({
      claims: { iat: seconds(world) - 31_540_000, exp: seconds(world) - 31_536_000 },
    }),
    "not to be used for two minutes yet": (world) => ({ claims: { nbf: seconds(world) + 120 } }),
    "issued in two minutes": (world) => ({ claims: { iat: seconds(world) + 120 } }),
    "good for a year": (world) => ({ claims: { exp: seconds(world) + 31_536_000 } }),
    "good for a year, without saying since when": (world) => ({
      claims: { iat: undefined, exp: seconds(world) + 31_536_000 },
    }),
    "good since a year": (world) => ({ claims: { iat: seconds(world) - 31_536_000 } }),
    "an expiry in milliseconds": (world) => ({ claims: { exp: (seconds(world) + 600) * 1_000 } }),
  }),
]

/** By whom a token is, for whom and for how long. */
export const CLAIM_ATTACKS: readonly Attack[] = [...issuer, ...audience, ...time]
