import { parseJwtIssuers } from "../../functions/platform/jwt-issuers.ts"
import { CONTEXT, createWorld, eventOf, must } from "../functions/manage/world.ts"
import { createIssuer, startIssuerServer } from "./forge.ts"
import { createStrayKeys } from "./stray-keys.ts"

const EDGE_SECRET = "what-the-edge-shows-of-this-test"

interface Kept {
  tokenId: string
  token: string
}

export interface Sent {
  method?: string
  path?: string
  headers?: Record<string, string>
  body?: unknown
  /** Sent as it is, in place of `body`. */
  raw?: string
}

/** A service with three issuers, found in three ways, and tokens of every kind that an attacker may hold or know of. */
export const createWhoWorld = async () => {
  const server = await startIssuerServer()
  // The issuers' clock is the service's, which stands still however long the tests take.
  let clock = { nowMs: () => Date.now() }
  const nowMs = () => clock.nowMs()
  const corp = createIssuer(`${server.url}/corp`, "hotswap-people", "rsa", nowMs)
  const partner = createIssuer("https://partner.example", "hotswap-people", "ec", nowMs)
  const ops = createIssuer("https://ops.example", "hotswap-people", "ed25519", nowMs)
  const stray = createStrayKeys()
  server.discover(corp.issuer, [corp.jwk, ...stray.shown.corp])
  server.documents.set("/partner/keys", { keys: [partner.jwk, ...stray.shown.partner] })
  const { audience } = corp
  const jwtIssuers = parseJwtIssuers(
    JSON.stringify([
      { name: "corp", issuer: corp.issuer, audience, algorithms: ["RS256"] },
      {
        name: "partner",
        issuer: partner.issuer,
        audience,
        algorithms: ["ES256"],
        jwksUrl: `${server.url}/partner/keys`,
        tenants: ["globex"],
      },
      {
        name: "ops",
        issuer: ops.issuer,
        audience,
        algorithms: ["EdDSA"],
        jwks: { keys: [ops.jwk, ...stray.shown.ops] },
        platformAdmins: true,
      },
    ]),
  )
  const settings = { jwtIssuers, outboundAllow: ["127.0.0.0/8"], edgeSecret: EDGE_SECRET }
  const world = await createWorld({ settings })
  clock = world.platform.clock
  const acme = await world.tenant("acme")
  const globex = await world.tenant("globex")
  await world.tenant("asleep")
  await must(world.call("POST", "/api/v1/tenants/asleep/suspend"), 200)
  const keep = async (body: object): Promise<Kept> =>
    (
      await must(
        world.call<Kept & Record<string, unknown>>("POST", "/api/v1/tenants/acme/tokens", { body }),
        201,
      )
    ).body
  const revoke = async ({ tokenId }: Kept) =>
    await must(world.call("DELETE", `/api/v1/tenants/acme/tokens/${tokenId}`), 200)
  const reader = { subject: "shop", roles: ["reader"], environment: "QA" }
  const kept = {
    good: await keep({ subject: "ci", roles: ["viewer"] }),
    bound: await keep({ subject: "ci-qa", roles: ["tenant_admin"], environment: "QA" }),
    revoked: await keep({ subject: "gone", roles: ["viewer"] }),
    reader: await keep(reader),
    revokedReader: await keep(reader),
  }
  await revoke(kept.revoked)
  await revoke(kept.revokedReader)

  /** As the deployed function is called, from an address. */
  const from = async (address: string, headers: Record<string, string>) => {
    const event = eventOf("GET", "/api/v1/tenants/acme", { headers })
    const http = { ...event.requestContext.http, sourceIp: address }
    const sent = { ...event, requestContext: { ...event.requestContext, http } }
    const { statusCode, body, headers: given } = await world.manage.handler(sent, CONTEXT)
    return { status: statusCode, code: (JSON.parse(body) as { code?: string }).code ?? null, headers: given }
  }
  const send = async ({ method = "GET", path = "/api/v1/tenants/acme", headers = {}, body, raw }: Sent) => {
    const ask = { token: null, headers, ...(raw === undefined ? { body } : { raw }) }
    const answer = await world.call<{ code?: string }>(method, path, ask)
    return { status: answer.status, code: answer.body.code ?? null, text: answer.text }
  }
  return {
    ...world,
    server,
    corp,
    partner,
    ops,
    stray,
    acme,
    globex,
    kept,
    keep,
    from,
    send,
    edgeSecret: EDGE_SECRET,
    close: async () => {
      await world.close()
      await server.close()
    },
  }
}
export type WhoWorld = Awaited<ReturnType<typeof createWhoWorld>>
