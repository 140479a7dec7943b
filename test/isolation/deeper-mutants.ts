import { sql } from "drizzle-orm"
import type { Database } from "../../db/client.ts"
import type * as Tenant from "../../db/tenant.ts"
import type * as RedisEvents from "../../functions/edge/redis-events.ts"
import type * as Parse from "../../functions/manage/parse.ts"
import { armed, inModule, type Mutant } from "./mutant.ts"

/** Every table without its policies: what then keeps tenants apart are the conditions of each query. */
export const WITHOUT_POLICIES = `do $$ declare name text; begin
  for name in select tablename from pg_tables where schemaname = 'hotswap' loop
    execute format('alter table hotswap.%I disable row level security', name);
  end loop; end $$`

const without = (name: string, condition: string): string => `do $$
  declare definition text := pg_get_functiondef('hotswap.${name}'::regproc);
  begin
    if strpos(definition, '${condition}') = 0 then raise 'it has no such condition'; end if;
    execute replace(definition, '${condition}', '');
  end $$`

/** Conditions of SQL functions that say whose rows are meant, and through which operations one would see them missing. */
export const CONDITIONS: Readonly<Record<string, { drop: string; operations: readonly string[] }>> = {
  "the keys of repeated requests": {
    drop: without("load_scope", "i.tenant_id = p_scope and "),
    operations: ["submitChange", "createConfig"],
  },
  "the pointer that a change begins with": {
    drop: without("load_scope", "p.tenant_id = p_scope and "),
    operations: ["previewChange", "rollBackConfig", "promoteConfig"],
  },
}

const dropped = Object.entries(CONDITIONS).map(([name, { drop, operations }]): [string, Mutant] => [
  `no policies, and no condition for ${name}`,
  { holes: [], sql: [WITHOUT_POLICIES, drop], by: "probes", operations },
])

const setForSession = (database: Database, scope: string) =>
  database.transaction(({ db }) => db.execute(sql`select set_config('hotswap.tenant', ${scope}, false)`))

/** Ways through more than one layer, or found by something else than requests. */
export const DEEPER_MUTANTS: Readonly<Record<string, Mutant>> = {
  ...Object.fromEntries(dropped),
  "an id that is allowed as one's own and looked up as whose it is": inModule(
    "../../functions/manage/parse.ts",
    (parse: typeof Parse) => ({
      changeNamed: (text: string) => ({
        ...parse.changeNamed(text),
        ...(armed.now ? { scope: "alder" } : {}),
      }),
      configNamed: (...given: Parameters<typeof Parse.configNamed>) => ({
        ...parse.configNamed(...given),
        scope: armed.now ? "birch" : parse.configNamed(...given).scope,
      }),
    }),
    ["getChange", "cancelChange", "getConfig", "listVersions", "explainConfig"],
  ),
  "a log that says whose an external id is": inModule(
    "../../functions/manage/parse.ts",
    (parse: typeof Parse) => ({
      scopeNamed: async (...[text, principal, find]: Parameters<typeof Parse.scopeNamed>) => {
        const scope = await parse.resolveScope(text, find)
        console.warn(`asked for ${scope}`)
        return await parse.scopeNamed(text, principal, find)
      },
    }),
    ["getTenant", "listConfigs"],
  ),
  "a hub that tells everybody of each tenant's moves": {
    holes: [
      {
        module: "../../functions/edge/redis-events.ts",
        alter: (events: typeof RedisEvents) => ({
          hearMoves: (...[redis, heard, over]: Parameters<typeof RedisEvents.hearMoves>) =>
            events.hearMoves(
              redis,
              { ...heard, moved: (move) => heard.moved({ ...move, scope: "~platform" }) },
              over,
            ),
        }),
      },
    ],
    by: "streams",
  },
  "a tenant that is set for the session": {
    holes: [
      {
        module: "../../db/tenant.ts",
        alter: (tenant: typeof Tenant) => ({
          withTenant: async (...[database, scope, work]: Parameters<typeof Tenant.withTenant>) => {
            await setForSession(database, scope)
            return await tenant.withTenant(database, scope, work)
          },
        }),
      },
    ],
    by: "pooled",
  },
  "a tenant that is set before the transaction it is for": {
    holes: [
      {
        module: "../../db/tenant.ts",
        alter: () => ({
          withTenant: async (...[database, scope, work]: Parameters<typeof Tenant.withTenant>) => {
            await setForSession(database, scope)
            return await database.transaction(({ db, run }) => work({ scope, db, run } as never))
          },
        }),
      },
    ],
    by: "pooled",
  },
}
