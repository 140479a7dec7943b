/** Ways to open the database to another tenant, as somebody might by mistake: each is put in on purpose and has to be found. */
export const DATABASE_MUTANTS: Readonly<Record<string, string>> = {
  "row security is not forced": "alter table hotswap.changes no force row level security",
  "row security is off": "alter table hotswap.config_versions disable row level security",
  "a policy is dropped": "drop policy own_tenant on hotswap.tokens",
  "a policy shows every row": "alter policy own_tenant on hotswap.audit_entries using (true)",
  "a policy lets every row be written": "alter policy own_tenant on hotswap.channels with check (true)",
  "a policy is for everybody to read": "create policy everybody on hotswap.releases for select using (true)",
  "what is inherited may be a tenant's":
    "alter policy inherited on hotswap.pointers using (tenant_id = any(string_to_array(current_setting('hotswap.read_scopes', true), ',')))",
  "without a tenant, every tenant":
    "alter policy own_tenant on hotswap.deliveries using (coalesce(nullif(current_setting('hotswap.tenant', true), ''), tenant_id) = tenant_id)",
  "the app may look past policies": "alter role hotswap_app bypassrls",
  "the reader is a superuser": "alter role hotswap_read superuser",
  "the app is a member of the system's role": "grant hotswap_system to hotswap_app",
  "the app owns a table": "alter table hotswap.outbox owner to hotswap_app",
  "the app may make tables": "grant create on schema hotswap to hotswap_app",
  "a view with its owner's rights":
    "create view hotswap.all_tokens as select * from hotswap.tokens; grant select on hotswap.all_tokens to hotswap_app",
  "a copy of the rows, which has no policies":
    "create materialized view hotswap.copy as select * from hotswap.changes; grant select on hotswap.copy to hotswap_read",
  "a function with its owner's rights": "alter function hotswap.read_policies security definer",
  "a function that finds names where its caller says": "alter function hotswap.read_moves reset search_path",
  "a function that everybody may call": "grant execute on function hotswap.take_task_token to public",
  "the tenant is set for the session": `do $$ begin execute replace(
    pg_get_functiondef('hotswap.read_policies'::regproc), 'set_config(''hotswap.tenant'', p_scope, true)',
    'set_config(''hotswap.tenant'', p_scope, false)'); end $$`,
  "the inherited scopes are set for the session": `do $$ begin execute replace(
    pg_get_functiondef('hotswap.read_policies'::regproc), '~tier.Enterprise'', true)', '~tier.Enterprise'', false)'); end $$`,
  "a tenant is set outside any transaction": "alter role hotswap_app set hotswap.tenant = 'victim'",
  "a tenant is set for a function": "alter function hotswap.read_moves set hotswap.tenant = 'victim'",
  "a plain foreign key":
    "alter table hotswap.deliveries add column owner text references hotswap.external_ids (external_id)",
  "a foreign key to another tenant's row":
    "alter table hotswap.workflow_waits add constraint other foreign key (task_token) references hotswap.tenants (tenant_id) not valid",
  "a unique constraint across tenants":
    "alter table hotswap.channels add constraint one_url unique (channel_id)",
  "a unique index across tenants": "create unique index one_hash on hotswap.tokens (token_id)",
  "a table without policies":
    "create table hotswap.notes (tenant_id text primary key, note text); grant select on hotswap.notes to hotswap_app",
  "a table without a tenant":
    "create table hotswap.notes (id int primary key, note text); grant select on hotswap.notes to hotswap_app",
  "a grant to everybody": "grant select on hotswap.idempotency_keys to public",
  "a grant of one column to everybody": "grant select (secret) on hotswap.channels to public",
  "the app may empty a table": "grant truncate on hotswap.outbox to hotswap_app",
  "what is made later is granted beforehand":
    "alter default privileges for role hotswap_owner in schema hotswap grant select on tables to hotswap_app",
  "a trigger that tells of other tenants' rows": `create function pg_temp.tell() returns trigger language plpgsql as 'begin return new; end';
    create trigger tell after insert on hotswap.channels for each row execute function pg_temp.tell()`,
  "a table in another schema":
    "create table public.copied (tenant_id text); grant usage on schema public to hotswap_app; grant select on public.copied to hotswap_app",
  "a number that all tenants share": "create sequence hotswap.orders",
  "a function that is shown every row": "alter function hotswap.instant(timestamp with time zone) leakproof",
  "rows that are published": "create publication everything for table hotswap.channels",
  "a child that has the rows without the policies":
    "create table hotswap.more () inherits (hotswap.channels)",
  "the system's policy is for the app as well":
    "alter policy system_select on hotswap.outbox to hotswap_system, hotswap_app",
}

/** Of those, the ones by which rows are reached at once: the table by whose rows it shows. */
export const REACHED_AT_ONCE: Readonly<Record<string, string>> = {
  "row security is off": "config_versions",
  "a policy shows every row": "audit_entries",
  "a policy lets every row be written": "channels",
  "a policy is for everybody to read": "releases",
  "what is inherited may be a tenant's": "pointers",
  "without a tenant, every tenant": "deliveries",
  "the app may look past policies": "changes",
  "the reader is a superuser": "chunks",
  "the system's policy is for the app as well": "outbox",
}
