import { exportJWK, generateKeyPair, SignJWT } from "jose"
import postgres from "postgres"
import type { Environment } from "../../core/environment.ts"
import { type TenantId, tokenIdOf } from "../../core/ids.ts"
import { readerSigner } from "../../functions/http/tokens.ts"
import { parseJwtIssuers } from "../../functions/platform/jwt-issuers.ts"
import { must } from "../functions/manage/world.ts"
import { type Filled, fill, fillPlatform, ROLES } from "./filling.ts"
import type { Names } from "./names.ts"
import { createWorker, type Worker } from "./worker.ts"

/** Whose names are foreign to an identity: of an active tenant, of a suspended one, of one that was deleted. */
export const WHOSE = ["active", "suspended", "deleted"] as const
export type Whose = (typeof WHOSE)[number]

/** Who asks: whose it is, and how. */
export interface Identity {
  name: string
  /** The tenant whose own it is. */
  home: string
  /** Every tenant it may lawfully read of. */
  sees: readonly string[] | "*"
  /** `null`: without a token. */
  token: string | null
}

const ISSUER = "https://people.example"

/** Somebody who vouches for people, with claims for a tenant of theirs. */
const createIssuer = async () => {
  const { privateKey, publicKey } = await generateKeyPair("EdDSA", { crv: "Ed25519" })
  const jwks = { keys: [{ ...(await exportJWK(publicKey)), kid: "people", alg: "EdDSA" }] }
  const settings = [
    { name: "people", issuer: ISSUER, audience: "hotswap", algorithms: ["EdDSA"], jwks },
    {
      name: "cedars",
      issuer: `${ISSUER}/cedar`,
      audience: "hotswap",
      algorithms: ["EdDSA"],
      jwks,
      tenants: ["cedar"],
    },
  ]
  return {
    jwtIssuers: parseJwtIssuers(JSON.stringify(settings)),
    sign: (issuer: string, tenant: string) =>
      new SignJWT({ tenant, roles: [...ROLES] })
        .setProtectedHeader({ alg: "EdDSA", kid: "people" })
        .setIssuer(issuer)
        .setAudience("hotswap")
        .setSubject("pat")
        .setIssuedAt()
        .setExpirationTime("12h")
        .sign(privateKey),
  }
}

type Issuer = Awaited<ReturnType<typeof createIssuer>>

const identitiesOf = async (
  worker: Worker,
  issuer: Issuer,
  tokens: Readonly<Record<string, Filled["tokens"]>>,
  ended: string,
): Promise<Identity[]> => {
  const sign = await readerSigner(worker.world.readerKeys)
  const now = Math.floor(Date.now() / 1_000)
  const reader = (tenants: readonly string[] | "*", lifetimeSeconds = 86_400) =>
    sign({
      tokenId: tokenIdOf("~platform" as TenantId, crypto.randomUUID()),
      subject: "many",
      tenants: tenants as readonly TenantId[] | "*",
      environment: "Production" as Environment,
      issuedAt: now - 100_000,
      expiresAt: now + lifetimeSeconds,
    })
  const own = (home: string, names: readonly string[]): Identity[] =>
    names.map((name) => ({ name: `${home} ${name}`, home, sees: [home], token: tokens[home]![name]! }))
  const alder = (name: string, token: string | null, sees: Identity["sees"] = ["alder"]): Identity => ({
    name,
    home: "alder",
    sees,
    token,
  })
  const [, , id, secret] = tokens.alder!.tenant_admin!.split("_")
  return [
    ...own("alder", [
      ...[...ROLES, "all", "build", "bound", "reader", "stagingReader", "revoked", "revokedReader"],
    ]),
    alder("reader of alder and cedar", await reader(["alder", "cedar"]), ["alder", "cedar"]),
    alder("reader of all", await reader("*"), "*"),
    alder("person of alder", await issuer.sign(ISSUER, "alder")),
    alder("person of an issuer for cedar", await issuer.sign(`${ISSUER}/cedar`, "alder"), []),
    alder("expired", ended, []),
    alder("expired reader", await reader(["alder"], -10), []),
    alder("nobody", null, []),
    alder("a made-up token", `hs_birch_${"0".repeat(32)}_${"A".repeat(43)}`, []),
    alder("a token under another tenant's name", `hs_birch_${id}_${secret}`, []),
    ...own("birch", [...ROLES, "all", "build", "bound", "reader"]),
    ...own("dunes", ["tenant_admin", "reader"]),
    ...own("elder", ["tenant_admin", "reader"]),
  ]
}

/** A word that could be known only from a row: long enough not to be there by chance. */
const WORD = /[A-Za-z0-9_.~-]{12,}/g

/** An hour that something of one tenant's is due in is no secret of theirs: something else of anybody's may be. */
const HOUR = /^\d{4}-\d\d-\d\dT\d\d$/

export const wordsOf = (text: string): string[] => (text.match(WORD) ?? []).filter((word) => !HOUR.test(word))

export type Scene = Awaited<ReturnType<typeof createScene>>

/** Five tenants, one of them suspended, one deleted, and everybody who may ask. */
export const createScene = async () => {
  const issuer = await createIssuer()
  const worker: Worker = await createWorker({ jwtIssuers: issuer.jwtIssuers })
  const { world } = worker
  await fillPlatform(world)
  const names: Record<string, Names> = {}
  const tokens: Record<string, Filled["tokens"]> = {}
  for (const slug of ["alder", "birch", "cedar", "dunes", "elder"]) {
    const filled = await fill(world, slug)
    names[slug] = filled.names
    tokens[slug] = filled.tokens
    filled.names.part = await worker.backUp(slug)
    filled.names.view = await worker.report(slug, filled.tokens.reader!)
  }
  const ended = await must(
    world.call<{ token: string; tokenId: string }>("POST", "/api/v1/tenants/alder/tokens", {
      body: { subject: "ended", roles: ["tenant_admin"] },
    }),
    201,
  )
  await must(world.call("POST", "/api/v1/tenants/dunes/suspend", {}), 200)
  await must(world.call("DELETE", "/api/v1/tenants/elder", {}), 200)
  await worker.sign()
  await worker.notify()

  const admin = postgres(world.url("postgres"), { max: 1, onnotice: () => {} })
  await admin`update hotswap.tokens set expires_at = now() - interval '1 minute' where token_id = ${ended.body.tokenId}`
  const identities = await identitiesOf(worker, issuer, tokens, ended.body.token)

  const rows =
    await admin`select tablename from pg_tables where schemaname = 'hotswap' and tablename <> 'epoch' order by 1`
  const tables = rows.map(({ tablename }) => tablename as string)
  /** Everything the database holds of a scope, as text, one row a line. */
  const rowsOf = async (scope: string): Promise<string> => {
    const parts = await Promise.all(
      tables.map((table) =>
        admin.unsafe(
          `select '${table} ' || to_jsonb(t)::text as line from hotswap.${table} t where tenant_id = $1 order by 1`,
          [scope],
        ),
      ),
    )
    return parts
      .flat()
      .map(({ line }) => line as string)
      .join("\n")
  }

  /** Each word that stands in one tenant's rows and in nobody else's, with that tenant. */
  const marks = async (): Promise<ReadonlyMap<string, string>> => {
    const owners = new Map<string, string | null>()
    for (const scope of [...Object.keys(names), "~platform"])
      for (const word of new Set(wordsOf(await rowsOf(scope))))
        owners.set(word, owners.has(word) || scope === "~platform" ? null : scope)
    return new Map([...owners].filter((entry): entry is [string, string] => entry[1] !== null))
  }

  return {
    worker,
    identities,
    names,
    tables,
    marks,
    rowsOf,
    admin,
    close: async () => {
      await admin.end()
      await worker.close()
    },
  }
}
