import { isWeakAdminToken } from "../functions/platform/settings.ts"

/** What the start-up screen tells. */
export interface ScreenFacts {
  url: string
  originUrl: string
  home: string
  environments: readonly string[]
  /** Blocks of addresses that webhooks reach although they are not public; empty: none. */
  outboundAllow: string
  database: string
  redis: string
  adminToken: string
  /** Was the token handed in by whoever started it? Then it is not shown again. */
  tokenGiven: boolean
  startedInMs: number
}

const line = (name: string, text: string): string => `  ${name.padEnd(12)}${text}`

/** All that somebody needs who has just started it for the first time. */
export const startScreen = (facts: ScreenFacts): string => {
  const token = facts.tokenGiven ? "$HOTSWAP_ADMIN_TOKEN" : facts.adminToken
  const call = (method: string, path: string, body: string): string =>
    [
      `    curl -sS -X ${method} ${facts.url}${path} \\`,
      '      -H "Authorization: Bearer $ADMIN" \\',
      `      -d '${body}'`,
    ].join("\n")
  return [
    "",
    `  Hotswap is ready, after ${(facts.startedInMs / 1_000).toFixed(1)} s`,
    "",
    line("service", `${facts.url}  (the edge: give this to clients)`),
    line("console", `${facts.url}/  (for people: sign in with the token)`),
    line("reference", `${facts.url}/docs`),
    line("errors", `${facts.url}/docs/errors`),
    line("origin", `${facts.originUrl}  (the functions, without the edge)`),
    line("PostgreSQL", facts.database),
    line("Redis", facts.redis),
    line(
      "webhooks",
      facts.outboundAllow === ""
        ? "reach public addresses only; HOTSWAP_OUTBOUND_ALLOW=127.0.0.0/8 lets them reach this machine"
        : `reach public addresses, and those of ${facts.outboundAllow}`,
    ),
    line("promotion", facts.environments.join(" → ")),
    line("data", facts.home),
    line(
      "token",
      facts.tokenGiven
        ? "the one in HOTSWAP_ADMIN_TOKEN"
        : `${token}  (a platform admin; kept in secrets.json)`,
    ),
    ...(isWeakAdminToken(facts.adminToken)
      ? [
          line(
            "WARNING",
            "that token has fewer than 20 characters: good enough to try things out, and to guess",
          ),
        ]
      : []),
    "",
    "  The first calls:",
    "",
    `    ADMIN="${token}"`,
    call("POST", "/api/v1/tenants", '{"tenantId":"acme-corp","name":"ACME Corporation","tier":"Enterprise"}'),
    call(
      "POST",
      "/api/v1/configs",
      '{"tenantId":"acme-corp","key":"feature.new_dashboard","value":"true","environment":"Staging"}',
    ),
    `    curl -sS '${facts.url}/api/v1/configs/tenant/acme-corp?environment=Staging' -H "Authorization: Bearer $ADMIN"`,
    "",
    "  Stop it with Ctrl-C. What is stored is there again the next time.",
    "",
  ].join("\n")
}
