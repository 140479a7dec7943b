import postgres from "postgres"
import { afterAll, beforeAll, expect, test } from "vitest"
import { must } from "../functions/manage/world.ts"
import { type AuditWorld, auditWorld } from "./world.ts"

let world: AuditWorld
let admin: ReturnType<typeof postgres>
let ids: Record<"waiting" | "live" | "commented", string>
let tokens: Awaited<ReturnType<AuditWorld["tenant"]>>["tokens"]
let tokenId: string
let rollingOut: string

const at = (environment: string) => ({ tenantId: "acme", environment })

beforeAll(async () => {
  world = await auditWorld()
  admin = postgres(world.url("postgres"), { max: 1, onnotice: () => {} })
  const acme = await world.tenant("acme")
  await world.tenant("idle")
  await must(world.call("POST", "/api/v1/tenants/idle/suspend", { body: {} }), 200)
  tokens = acme.tokens
  const submit = async (environment: string, key: string) => {
    const body = { ...at(environment), edits: [{ key, value: 1 }] }
    return (await must(world.call<{ changeId: string }>("POST", "/api/v1/changes", { body }), 202)).body
      .changeId
  }
  ids = {
    waiting: await submit("Production", "w"),
    live: await submit("Development", "l"),
    commented: await submit("Production", "c"),
  }
  await submit("QA", "k")
  const canary = { type: "canary", steps: [{ weightBp: 1_000, holdMs: 1_000 }] }
  const body = { ...at("Staging"), edits: [{ key: "s", value: 1 }], strategy: canary }
  rollingOut = (await must(world.call<{ changeId: string }>("POST", "/api/v1/changes", { body }), 202)).body
    .changeId
  const issued = await must(
    world.call<{ tokenId: string }>("POST", "/api/v1/tenants/acme/tokens", {
      body: { subject: "one", roles: ["viewer"] },
    }),
    201,
  )
  tokenId = issued.body.tokenId
})
afterAll(async () => {
  await admin.end()
  await world.close()
})

type Mutation = [method: string, path: string, body?: object, token?: () => string]

const MUTATIONS = (): Mutation[] => [
  ["POST", "/api/v1/tenants", { tenantId: "new", name: "New" }],
  ["PATCH", "/api/v1/tenants/acme", { displayName: "Other" }],
  ["POST", "/api/v1/tenants/acme/tokens", { subject: "two", roles: ["viewer"] }],
  ["DELETE", `/api/v1/tenants/acme/tokens/${tokenId}`],
  ["POST", "/api/v1/tokens", { subject: "edge", roles: ["reader"], tenants: "*", environment: "QA" }],
  ["POST", "/api/v1/configs", { ...at("QA"), key: "made", value: 1 }],
  ["PUT", "/api/v1/configs/acme:QA:k", { value: 2 }],
  ["POST", "/api/v1/configs/acme:QA:k/promote", { targetEnvironment: "Staging" }],
  ["POST", "/api/v1/changes", { ...at("Production"), edits: [{ key: "x", value: 1 }] }],
  ["POST", `/api/v1/approvals/${ids.waiting}/approve`, {}, () => tokens.engineer],
  ["POST", `/api/v1/changes/${ids.commented}/comments`, { text: "hello" }],
  ["POST", `/api/v1/changes/${ids.commented}/cancel`, {}],
  ["POST", `/api/v1/changes/${ids.live}/rollback`, {}],
  ["PUT", "/api/v1/tenants/acme/environments/QA/policy", { remindEveryMs: null }],
  ["PUT", "/api/v1/tenants/acme/audit-retention", { days: 365 }],
  ["DELETE", "/api/v1/configs/acme:QA:k"],
  ["POST", "/api/v1/tenants/acme/suspend", {}],
  ["POST", "/api/v1/tenants/idle/resume", {}],
  ["DELETE", "/api/v1/tenants/idle"],
  ["GET", "/api/v1/audit/export?tenantId=acme"],
]

/** Every row of every table, but for how often the sweeper looked at what it could not move. */
const everything = async (): Promise<string> => {
  const tables = await admin<{ name: string }[]>`
    select relname as name from pg_class where relnamespace = 'hotswap'::regnamespace and relkind = 'r' order by 1`
  const sums: string[] = []
  for (const { name } of tables) {
    const [row] = await admin.unsafe(
      `select md5(string_agg(r, '|' order by r)) as sum from (select (to_jsonb(t) - 'looks')::text as r from hotswap.${name} t)`,
    )
    sums.push(`${name} ${row?.sum}`)
  }
  return sums.join("\n")
}

const attempt = async ([method, path, body, token]: Mutation): Promise<number> => {
  try {
    return (
      await world.call(method, path, { ...(body ? { body } : {}), ...(token ? { token: token() } : {}) })
    ).status
  } catch {
    return 500
  }
}

const BLOCKS: [name: string, block: string, unblock: string][] = [
  [
    "nobody may insert entries",
    "revoke insert on hotswap.audit_entries from hotswap_app",
    "grant insert on hotswap.audit_entries to hotswap_app",
  ],
  [
    "every entry is refused",
    `create function hotswap.no() returns trigger language plpgsql as $$ begin raise exception 'no'; end $$;
     grant execute on function hotswap.no to public;
     create trigger no before insert on hotswap.audit_entries for each row execute function hotswap.no()`,
    "drop trigger no on hotswap.audit_entries; drop function hotswap.no",
  ],
  [
    "the head of the chain cannot be moved",
    "revoke update (seq, hash, at), update on hotswap.audit_heads from hotswap_app",
    "grant update (seq, hash, at) on hotswap.audit_heads to hotswap_app",
  ],
]

test.each(BLOCKS)("where %s, nothing is altered at all", async (_, block, unblock) => {
  const before = await everything()
  await admin.unsafe(block)
  try {
    const succeeded: string[] = []
    for (const mutation of MUTATIONS())
      if ((await attempt(mutation)) < 400) succeeded.push(`${mutation[0]} ${mutation[1]}`)
    expect(succeeded).toEqual([])
    world.moveClock(60_000)
    await world.advance.tick().catch(() => {})
    expect(await everything()).toBe(before)
  } finally {
    await admin.unsafe(unblock)
  }
})

test("and where it is not, each of them succeeds", async () => {
  await world.advance.tick()
  const { body } = await must(world.call("GET", `/api/v1/changes/${rollingOut}`), 200)
  expect(body.state).toBe("live")
  for (const mutation of MUTATIONS())
    expect(await attempt(mutation), mutation.slice(0, 2).join(" ")).toBeLessThan(300)
})
