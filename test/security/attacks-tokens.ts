import { type Attack, bearer, type Right, tokens } from "./attack.ts"
import { asked, CONFIG, TO_CONFIGS } from "./rights.ts"
import type { WhoWorld } from "./who-world.ts"

const cutSecret = (token: string): string => token.slice(0, token.lastIndexOf("_") + 1)
const STARTUP = "the-start-up-token-of-a-test"
const rightKept: Right = ({ kept }) => bearer(kept.good.token)
const apiTokens: Attack[] = [
  ...tokens(
    "API token",
    {
      revoked: ({ kept }) => kept.revoked.token,
      "with another's secret": ({ kept }) =>
        cutSecret(kept.good.token) + kept.bound.token.slice(cutSecret(kept.bound.token).length),
      "without its secret": ({ kept }) => cutSecret(kept.good.token),
      "with one character altered": ({ kept: { good } }) =>
        good.token.slice(0, -1) + (good.token.endsWith("A") ? "B" : "A"),
      "with one character more": ({ kept }) => `${kept.good.token}A`,
      "with one character less": ({ kept }) => kept.good.token.slice(0, -1),
      "under another tenant": ({ kept }) => kept.good.token.replace("hs_acme_", "hs_globex_"),
      "under the platform": ({ kept }) => kept.good.token.replace("hs_acme_", "hs_~platform_"),
      "under a tier": ({ kept }) => kept.good.token.replace("hs_acme_", "hs_~tier.Free_"),
      "under a tenant that begins alike": ({ kept }) => kept.good.token.replace("hs_acme_", "hs_acme-2_"),
      "with its id in capitals": ({ kept }) =>
        kept.good.token.replace(/_([0-9a-f]{32})_/, (id) => id.toUpperCase()),
      "in capitals": ({ kept }) => kept.good.token.toUpperCase(),
      "its hash in the place of its secret": ({ kept }) => `${cutSecret(kept.good.token)}${"0".repeat(64)}`,
      "its id alone": ({ kept }) => kept.good.tokenId,
      "SQL for its id": () => `hs_acme_' or 1=1 --_${"A".repeat(43)}`,
      "the start-up token and a letter": () => `${STARTUP}x`,
      "the start-up token less a letter": () => STARTUP.slice(0, -1),
      "the start-up token in capitals": () => STARTUP.toUpperCase(),
      "`undefined`": () => "undefined",
      "`null`": () => "null",
      "`[object Object]`": () => "[object%20Object]",
    },
    undefined,
    undefined,
    rightKept,
  ),
  ...tokens(
    "Reader token",
    {
      revoked: ({ kept }) => kept.revokedReader.token,
      "without its prefix": ({ kept }) => kept.reader.token.slice(4),
      "with another signature": ({ kept }) =>
        kept.reader.token.replace(/[^.]+$/, (text) =>
          Buffer.alloc(64).toString("base64url").slice(0, text.length),
        ),
      "with the algorithm none": ({ kept }) => {
        const [, payload] = kept.reader.token.slice(4).split(".")
        return `hsr_${Buffer.from('{"alg":"none","typ":"hotswap-reader+jwt"}').toString("base64url")}.${payload}.`
      },
      "made of a person's token": ({ corp }) => `hsr_${corp.token()}`,
      "made by an issuer of people's tokens": ({ ops }) =>
        `hsr_${ops.token({ header: { typ: "hotswap-reader+jwt" }, claims: { iss: "hotswap", aud: "hotswap" } })}`,
    },
    undefined,
    undefined,
    ({ kept }) => bearer(kept.reader.token),
  ),
  ...tokens(
    "Reader token",
    { "where people administer": ({ kept }) => kept.reader.token },
    "FORBIDDEN",
    {},
    rightKept,
  ),
  ...tokens(
    "API token",
    { "bound to an environment, in another": ({ kept }) => kept.bound.token },
    "FORBIDDEN",
    { method: "POST", path: "/api/v1/configs", body: CONFIG },
    ({ kept }) => ({
      ...asked({ ...TO_CONFIGS, config: { ...CONFIG, environment: "QA" } }),
      ...bearer(kept.bound.token),
    }),
  ),
  ...tokens(
    "API token",
    { "at another tenant": ({ kept }) => kept.good.token },
    "TENANT_NOT_FOUND",
    {
      path: "/api/v1/tenants/globex",
    },
    rightKept,
  ),
]

const header = (name: string, send: Attack["send"]): Attack => ({
  family: "Authorization header",
  name,
  code: "UNAUTHENTICATED",
  send,
  right: rightKept,
})
const said =
  (write: (token: string) => string) =>
  ({ kept }: WhoWorld) => ({
    headers: { authorization: write(kept.good.token) },
  })
const authorization: Attack[] = [
  header("none", () => ({})),
  header(
    "empty",
    said(() => ""),
  ),
  header(
    "the scheme alone",
    said(() => "Bearer"),
  ),
  header(
    "no scheme",
    said((token) => token),
  ),
  header(
    "Basic",
    said((token) => `Basic ${btoa(`${token}:`)}`),
  ),
  header(
    "Token",
    said((token) => `Token ${token}`),
  ),
  header(
    "the scheme twice",
    said((token) => `Bearer Bearer ${token}`),
  ),
  header(
    "no blank between",
    said((token) => `Bearer${token}`),
  ),
  header(
    "a tab between",
    said((token) => `Bearer\t${token}`),
  ),
  header(
    "two tokens",
    said((token) => `Bearer ${token} ${token}`),
  ),
  header(
    "two headers folded into one",
    said((token) => `Bearer ${token}, Bearer ${token}`),
  ),
  header(
    "two headers, a right one last",
    said((token) => `Basic Zm9v, Bearer ${token}`),
  ),
  header(
    "in quotes",
    said((token) => `Bearer "${token}"`),
  ),
  header(
    "in angle brackets",
    said((token) => `Bearer <${token}>`),
  ),
  header(
    "as a parameter",
    said((token) => `Bearer token="${token}"`),
  ),
  header(
    "followed by a comma",
    said((token) => `Bearer ${token},`),
  ),
  header(
    "followed by a comment",
    said((token) => `Bearer ${token} # mine`),
  ),
  header("in another header", ({ kept }) => ({
    headers: { "x-authorization": `Bearer ${kept.good.token}` },
  })),
  header("in Proxy-Authorization", ({ kept }) => ({
    headers: { "proxy-authorization": `Bearer ${kept.good.token}` },
  })),
  header("in a cookie", ({ kept }) => ({ headers: { cookie: `authorization=Bearer ${kept.good.token}` } })),
  header("in X-Api-Key", ({ kept }) => ({ headers: { "x-api-key": kept.good.token } })),
  header("in the query", ({ kept }) => ({
    path: `/api/v1/tenants/acme?access_token=${encodeURIComponent(kept.good.token)}`,
  })),
  header("in a form", ({ kept }) => ({
    method: "POST",
    path: "/api/v1/configs",
    raw: `access_token=${kept.good.token}`,
    headers: { "content-type": "application/x-www-form-urlencoded" },
  })),
  header("in a method override", ({ kept }) => ({
    headers: { "x-http-method-override": "POST", "x-original-authorization": `Bearer ${kept.good.token}` },
  })),
]

/** Tokens of our own making, and the header that any token comes in. */
export const TOKEN_ATTACKS: readonly Attack[] = [...apiTokens, ...authorization]
