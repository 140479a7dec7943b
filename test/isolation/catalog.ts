import type postgres from "postgres"

type Sql = postgres.Sql | postgres.TransactionSql

export const RUNTIME_ROLES = ["hotswap_app", "hotswap_read", "hotswap_system"]
/** Of no tenant: one row that everyone may read. */
export const SHARED_TABLES = ["epoch"]
/** Has to be unique across tenants: the reason stands beside the table. */
const UNIQUE_ACROSS_TENANTS = ["external_ids_one_tenant"]

/** They write nothing, and refuse what alters more than names. */
const TRIGGERS = [
  "changes_names_only",
  "config_versions_author",
  "config_versions_names_only",
  "tokens_issuer",
  "tokens_subject",
]

const OWN = "(tenant_id = NULLIF(current_setting('hotswap.tenant'::text, true), ''::text))"
const INHERITED =
  "((tenant_id ~~ '~%'::text) AND (tenant_id = ANY (string_to_array(current_setting('hotswap.read_scopes'::text, true), ','::text)))"

/** A check of the catalog: every row it finds is a fault, and says which. */
type Check = (sql: Sql) => Promise<readonly { fault: string }[]>

/** Each asks the catalog for what must not be there; none asks for a list of what must. */
const CHECKS: readonly Check[] = [
  (sql) => sql`select c.relname || ' has no forced row security' as fault from pg_class c
    where c.relnamespace = 'hotswap'::regnamespace and c.relkind in ('r', 'p')
      and not (c.relrowsecurity and c.relforcerowsecurity)`,
  (sql) => sql`select c.relname || ' belongs to ' || pg_get_userbyid(c.relowner) as fault from pg_class c
    where c.relnamespace = 'hotswap'::regnamespace and pg_get_userbyid(c.relowner) <> 'hotswap_owner'`,
  (sql) => sql`select t.tablename || ' lacks its policy own_tenant' as fault from pg_tables t
    where t.schemaname = 'hotswap' and t.tablename <> all(${SHARED_TABLES}) and not exists (
      select from pg_policies p where p.schemaname = 'hotswap' and p.tablename = t.tablename
        and p.policyname = 'own_tenant' and p.permissive = 'PERMISSIVE' and p.cmd = 'ALL'
        and p.qual = ${OWN} and p.with_check = ${OWN})`,
  // What a policy may say besides: rows of the platform and tiers to read, the one row that is named, the system's.
  (sql) => sql`select tablename || ' has the policy ' || policyname as fault from pg_policies
    where schemaname = 'hotswap' and tablename <> all(${SHARED_TABLES}) and not (
      policyname = 'own_tenant'
      or (policyname = 'inherited' and cmd = 'SELECT' and with_check is null
        and starts_with(qual, ${INHERITED}))
      or (policyname = 'named' and cmd = 'SELECT' and roles = '{hotswap_read}'
        and qual = '(external_id = NULLIF(current_setting(''hotswap.external_id''::text, true), ''''::text))')
      or ((policyname, cmd) in (('system_select', 'SELECT'), ('system_insert', 'INSERT'), ('system_update', 'UPDATE'),
        ('system_delete', 'DELETE'), ('system_drop', 'DELETE')) and roles = '{hotswap_system}')
      or (policyname = 'system_erase' and cmd = 'ALL' and roles = '{hotswap_system}' and with_check = 'false'
        and qual like '%(e.due_at <= now()) AND (e.erased_at IS NULL) AND (e.evidence IS NOT NULL)%'))`,
  (sql) => sql`select rolname || ' may look past or alter what it should not' as fault from pg_roles
    where rolname = any(${RUNTIME_ROLES}) and (rolsuper or rolbypassrls or rolcreaterole or rolcreatedb
      or rolreplication or rolinherit or not rolcanlogin)`,
  (sql) => sql`select rolname || ' may look past policies' as fault from pg_roles
    where rolname = 'hotswap_owner' and (rolsuper or rolbypassrls)`,
  (
    sql,
  ) => sql`select m.member::regrole || ' is a member of ' || m.roleid::regrole as fault from pg_auth_members m
    where m.member::regrole::text = any(${RUNTIME_ROLES})`,
  (sql) => sql`select 'somebody may become ' || m.roleid::regrole as fault from pg_auth_members m
    where m.roleid::regrole::text = any(${RUNTIME_ROLES}) and m.member::regrole::text = any(${RUNTIME_ROLES})`,
  // A tenant that is set for a role, a database or a function outlives every transaction.
  (sql) => sql`select 'a setting stands for ' || coalesce(s.setrole::regrole::text, 'all') as fault
    from pg_db_role_setting s, unnest(s.setconfig) one
    where one like 'hotswap.%' or one like 'role=%' or one like 'row_security=%' or one like 'search_path=%'
      or one like 'session_replication_role=%'`,
  (sql) => sql`select c.conrelid::regclass || ' ' || c.conname || ' does not begin with the tenant' as fault
    from pg_constraint c join pg_attribute a on a.attrelid = c.conrelid and a.attnum = c.conkey[1]
    where c.connamespace = 'hotswap'::regnamespace and c.contype in ('p', 'u', 'f', 'x') and a.attname <> 'tenant_id'
      and c.conname <> all(${UNIQUE_ACROSS_TENANTS})
      and (select relname from pg_class where oid = c.conrelid) <> all(${SHARED_TABLES})`,
  (sql) => sql`select c.conrelid::regclass || ' ' || c.conname || ' does not lead to the same tenant' as fault
    from pg_constraint c join pg_attribute a on a.attrelid = c.confrelid and a.attnum = c.confkey[1]
    where c.connamespace = 'hotswap'::regnamespace and c.contype = 'f' and a.attname <> 'tenant_id'`,
  (sql) => sql`select i.indexrelid::regclass || ' is unique across tenants' as fault from pg_index i
    join pg_class c on c.oid = i.indrelid
    left join pg_attribute a on a.attrelid = i.indrelid and a.attnum = i.indkey[0]
    where c.relnamespace = 'hotswap'::regnamespace and i.indisunique and a.attname is distinct from 'tenant_id'
      and c.relname <> all(${SHARED_TABLES})
      and i.indexrelid::regclass::text <> all(${UNIQUE_ACROSS_TENANTS.map((name) => `hotswap.${name}`)})`,
  (sql) => sql`select c.relname || ' has no tenant in its primary key' as fault from pg_class c
    where c.relnamespace = 'hotswap'::regnamespace and c.relkind in ('r', 'p') and c.relname <> all(${SHARED_TABLES})
      and not exists (select from pg_constraint k where k.conrelid = c.oid and k.contype = 'p')`,
  (
    sql,
  ) => sql`select c.relname || ' is a view or a copy, read with its owner''s rights' as fault from pg_class c
    where c.relnamespace = 'hotswap'::regnamespace and (c.relkind in ('m', 'f')
      or (c.relkind = 'v' and not coalesce(c.reloptions @> '{security_invoker=true}', false)))`,
  (sql) => sql`select p.proname || ' runs with its owner''s rights' as fault from pg_proc p
    where p.pronamespace = 'hotswap'::regnamespace and p.prosecdef`,
  (sql) => sql`select p.proname || ' finds names where its caller says' as fault from pg_proc p
    where p.pronamespace = 'hotswap'::regnamespace
      and not coalesce('search_path=pg_catalog, pg_temp' = any(p.proconfig), false)`,
  // Anything but true would keep the tenant for whoever has the connection next.
  (sql) => sql`select p.proname || ' sets a tenant for longer than its transaction' as fault from pg_proc p
    where p.pronamespace = 'hotswap'::regnamespace and regexp_count(p.prosrc, 'set_config') <>
      regexp_count(p.prosrc, 'set_config[(][^()]*([(][^()]*[)][^()]*)*,\\s*true[)]')
    union all select p.proname || ' sets a tenant by SET' from pg_proc p
    where p.pronamespace = 'hotswap'::regnamespace and p.prosrc ~* '\\mset\\s+(session\\s+)?hotswap[.]'
    union all select p.proname || ' has a tenant of its own' from pg_proc p
    where p.pronamespace = 'hotswap'::regnamespace and array_to_string(p.proconfig, ' ') ~ 'hotswap[.]|row_security|role='`,
  (sql) => sql`select c.relname || ' is open to everybody' as fault from pg_class c,
      aclexplode(coalesce(c.relacl, acldefault('r', c.relowner))) g
    where c.relnamespace = 'hotswap'::regnamespace and g.grantee = 0
    union all select a.attrelid::regclass || '.' || a.attname || ' is open to everybody' from pg_attribute a
      join pg_class c on c.oid = a.attrelid, aclexplode(a.attacl) g
    where c.relnamespace = 'hotswap'::regnamespace and g.grantee = 0
    union all select p.proname || ' is open to everybody' from pg_proc p,
      aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) g
    where p.pronamespace = 'hotswap'::regnamespace and g.grantee = 0
    union all select 'the schema is open to everybody' from pg_namespace n,
      aclexplode(coalesce(n.nspacl, acldefault('n', n.nspowner))) g where n.nspname = 'hotswap' and g.grantee = 0`,
  (sql) => sql`select 'what is made later is granted beforehand' as fault from pg_default_acl d
    where d.defaclnamespace = 'hotswap'::regnamespace`,
  (
    sql,
  ) => sql`select r || ' may make things in ' || n.nspname as fault from unnest(${RUNTIME_ROLES}::text[]) r, pg_namespace n
    where n.nspname !~ '^pg_(toast|temp)' and has_schema_privilege(r, n.oid, 'CREATE')`,
  (sql) => sql`select r || ' reaches ' || c.oid::regclass || ', which is in no schema of ours' as fault
    from unnest(${RUNTIME_ROLES}::text[]) r, pg_class c join pg_namespace n on n.oid = c.relnamespace
    where n.nspname not in ('hotswap', 'pg_catalog', 'information_schema') and n.nspname !~ '^pg_(toast|temp)'
      and c.relkind in ('r', 'p', 'v', 'm', 'f') and has_schema_privilege(r, n.oid, 'USAGE')
      and has_any_column_privilege(r, c.oid, 'SELECT, INSERT, UPDATE')
      -- Who makes archives reads there which migrations there are: nothing of anybody's.
      and not (c.oid::regclass::text = 'hotswap_migrations.__drizzle_migrations' and r = 'hotswap_app'
        and not has_any_column_privilege(r, c.oid, 'INSERT, UPDATE'))`,
  // One number for all: how often another tenant does something could be read from it.
  (sql) => sql`select c.relname || ' counts for all tenants' as fault from pg_class c
    where c.relnamespace = 'hotswap'::regnamespace and c.relkind = 'S'`,
  // What rows do besides, as somebody else, or in another place.
  (sql) => sql`select t.tgrelid::regclass || ' has the trigger ' || t.tgname as fault from pg_trigger t
      join pg_class c on c.oid = t.tgrelid where c.relnamespace = 'hotswap'::regnamespace and not t.tgisinternal
        and t.tgname <> all(${TRIGGERS})
    union all select tablename || ' has the rule ' || rulename from pg_rules where schemaname = 'hotswap'
    union all select i.inhrelid::regclass || ' has the rows of ' || i.inhparent::regclass from pg_inherits i
      join pg_class c on c.oid = i.inhparent where c.relnamespace = 'hotswap'::regnamespace
    union all select tablename || ' is published to ' || pubname from pg_publication_tables where schemaname = 'hotswap'`,
  // Such a function is shown rows before the policies have had their say.
  (sql) => sql`select p.proname || ' is trusted to be shown every row' as fault from pg_proc p
    where p.pronamespace = 'hotswap'::regnamespace and p.proleakproof`,
  (sql) => sql`select r || ' may ' || p || ' ' || c.relname as fault
    from unnest(${RUNTIME_ROLES}::text[]) r, pg_class c, unnest(array['TRUNCATE', 'REFERENCES', 'TRIGGER', 'MAINTAIN']) p
    where c.relnamespace = 'hotswap'::regnamespace and c.relkind in ('r', 'p', 'v', 'm')
      and has_table_privilege(r, c.oid, p)`,
]

/** What the catalog shows that would let one tenant reach another; empty is as it has to be. */
export const catalogFaults = async (sql: Sql): Promise<string[]> => {
  const faults: string[] = []
  for (const check of CHECKS) faults.push(...(await check(sql)).map(({ fault }) => fault))
  return faults.sort()
}

/** Every grant, and every policy that shows more than a tenant's own, one a line: what a migration adds has to be looked at. */
export const grants = async (sql: Sql): Promise<string> => {
  const rows = await sql`
    select g.grantee::regrole || ' ' || lower(g.privilege_type) || ' ' || c.relname as line from pg_class c,
      aclexplode(c.relacl) g where c.relnamespace = 'hotswap'::regnamespace and g.grantee <> c.relowner
    union all select g.grantee::regrole || ' ' || lower(g.privilege_type) || ' ' || c.relname || ' (' ||
      string_agg(a.attname, ', ' order by a.attname) || ')' from pg_attribute a join pg_class c on c.oid = a.attrelid,
      aclexplode(a.attacl) g where c.relnamespace = 'hotswap'::regnamespace and g.grantee <> c.relowner
      group by g.grantee, g.privilege_type, c.relname
    union all select g.grantee::regrole || ' execute ' || p.proname from pg_proc p, aclexplode(p.proacl) g
      where p.pronamespace = 'hotswap'::regnamespace and g.grantee <> p.proowner
    union all select g.grantee::regrole || ' ' || lower(g.privilege_type) || ' schema' from pg_namespace n,
      aclexplode(n.nspacl) g where n.nspname = 'hotswap' and g.grantee <> n.nspowner
    union all select 'policy ' || policyname || ' on ' || tablename || ' for ' || lower(cmd) || ' to ' ||
      array_to_string(roles, ', ') || ': ' || regexp_replace(coalesce(qual, with_check), '\\s+', ' ', 'g') from pg_policies
      where schemaname = 'hotswap' and policyname <> 'own_tenant'`
  return `${[...new Set(rows.map(({ line }) => line as string))].sort().join("\n")}\n`
}
