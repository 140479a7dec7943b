ALTER TABLE "hotswap"."audit_checkpoints" ADD CONSTRAINT "audit_checkpoints_after" UNIQUE("tenant_id","after");--> statement-breakpoint
ALTER TABLE "hotswap"."erasures" ADD CONSTRAINT "erasures_of_tenants" CHECK ("hotswap"."erasures"."tenant_id" not like '~%');
--> statement-breakpoint
-- The content of a change and of a version stays what it was, but for the names of people in it: these are theirs to
-- have taken out.
create or replace function hotswap.without_names(p_content jsonb) returns jsonb
language sql immutable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select (p_content - 'author' - 'comment' - 'owner')
    || case when p_content ? 'author' then jsonb_build_object('author', case jsonb_typeof(p_content -> 'author')
      when 'object' then (p_content -> 'author') - 'subject' - 'tokenId' - 'ancestors' end) else '{}' end
    || case when p_content ? 'edits'
      then jsonb_build_object('edits', (select coalesce(jsonb_agg(e - 'owner' order by n), '[]')
        from jsonb_array_elements(p_content -> 'edits') with ordinality l (e, n)))
      else '{}' end
$$;
--> statement-breakpoint
-- Every name in it, each in its place.
create function hotswap.names_in(p_content jsonb) returns jsonb
language sql immutable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select jsonb_build_array(p_content -> 'owner', p_content #> '{author,subject}', p_content #> '{author,tokenId}',
      jsonb_typeof(p_content #> '{author,ancestors}'))
    || coalesce(p_content #> '{author,ancestors}', '[]')
    || coalesce((select jsonb_agg(e -> 'owner' order by n)
      from jsonb_array_elements(p_content -> 'edits') with ordinality l (e, n)), '[]')
$$;
--> statement-breakpoint
-- A name becomes nobody's, never somebody else's; and as long as a change is open, who wants it stays, as approvals
-- are held against that.
create or replace function hotswap.names_only() returns trigger
language plpgsql volatile security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  was jsonb := to_jsonb(old) -> tg_argv[0];
  becomes jsonb := to_jsonb(new) -> tg_argv[0];
begin
  -- A column that holds nothing but who somebody is.
  if tg_nargs = 2 then
    was := jsonb_build_object(tg_argv[1], was);
    becomes := jsonb_build_object(tg_argv[1], becomes);
  end if;
  if hotswap.without_names(becomes) is distinct from hotswap.without_names(was)
    or jsonb_array_length(hotswap.names_in(becomes)) <> jsonb_array_length(hotswap.names_in(was))
    or exists (
      select from jsonb_array_elements(hotswap.names_in(was)) with ordinality o (name, n)
        join jsonb_array_elements(hotswap.names_in(becomes)) with ordinality w (name, n) using (n)
      where w.name <> o.name and (jsonb_typeof(o.name) <> 'string'
        or w.name #>> '{}' !~ '^(jwt:)?person:[0-9a-f]{64}$'))
    or (to_jsonb(old) ->> 'pending' = 'true' and becomes -> 'author' is distinct from was -> 'author')
  then
    raise exception 'what a % holds is not altered', tg_table_name using errcode = 'insufficient_privilege';
  end if;
  return new;
end $$;
--> statement-breakpoint
create trigger config_versions_author before update of author on hotswap.config_versions
  for each row execute function hotswap.names_only('author', 'owner');
--> statement-breakpoint
create trigger tokens_subject before update of subject on hotswap.tokens
  for each row execute function hotswap.names_only('subject', 'owner');
--> statement-breakpoint
create trigger tokens_issuer before update of issuer on hotswap.tokens
  for each row execute function hotswap.names_only('issuer', 'author');
--> statement-breakpoint
-- New functions belong to everyone until that is taken away.
revoke execute on function hotswap.names_in from public;
--> statement-breakpoint
grant execute on function hotswap.names_in to hotswap_app;
