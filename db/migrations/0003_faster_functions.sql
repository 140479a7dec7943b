-- The same functions with less to do, as each statement of a function costs tens of microseconds whatever it finds:
-- no statement for what a call has none of, no history that nobody asked for, and times written in place, as a
-- function with settings of its own is never inlined.

create or replace function hotswap.append_audit(p_tenant text, p_bodies jsonb, p_at timestamptz) returns timestamptz
language plpgsql volatile security invoker
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
as $$
declare
  head hotswap.audit_heads;
  entry_text text;
  entry_hash bytea;
  entry_body text;
begin
  if p_bodies = '[]' then return p_at; end if;
  select * into head from hotswap.audit_heads h where h.tenant_id = p_tenant for update;
  if not found then
    insert into hotswap.audit_heads values (p_tenant, 0, decode(repeat('00', 32), 'hex'), p_at)
      on conflict do nothing;
    select * into strict head from hotswap.audit_heads h where h.tenant_id = p_tenant for update;
  end if;
  -- Another environment of the tenant may have come first with a later time: the chain never goes back.
  head.at := greatest(p_at, head.at);
  for nth in 0 .. jsonb_array_length(p_bodies) - 1 loop
    entry_body := p_bodies ->> nth;
    head.seq := head.seq + 1;
    entry_text := '{"at":"' || to_char(head.at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
      || '","body":' || entry_body || ',"seq":' || head.seq || '}';
    entry_hash := sha256('\x00'::bytea || head.hash || convert_to(entry_text, 'UTF8'));
    insert into hotswap.audit_entries (tenant_id, seq, at, body, prev, hash)
      values (p_tenant, head.seq, head.at, entry_body, head.hash, entry_hash);
    head.hash := entry_hash;
  end loop;
  update hotswap.audit_heads h set seq = head.seq, hash = head.hash, at = head.at where h.tenant_id = p_tenant;
  return head.at;
end $$;
--> statement-breakpoint
-- Everything a decision rests on, under one snapshot (STABLE). Sets the tenant for its own row-level security.
-- p_keys maps each asked key to its murmur3: chunk n of 2^bits holds the keys whose hash begins with n.
create or replace function hotswap.load_scope(
  p_scope text, p_environment text, p_keys jsonb, p_change text, p_releases jsonb, p_all_chunks boolean,
  p_idempotency_key text
) returns table (kind text, id text, body text)
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
as $$
declare
  tenant record;
  pointer hotswap.pointers;
  change hotswap.changes;
  release hotswap.releases;
  changes json[] := '{}';
  asked text[] := array(select jsonb_object_keys(p_keys));
  hashes bigint[] := array(select value::bigint from jsonb_each_text(p_keys));
  edited text[] := '{}';
  edited_versions json;
  latest json;
  replay json;
  release_ids text[];
  chunk_ids text[] := '{}';
begin
  perform set_config('hotswap.tenant', p_scope, true);
  select t.status, t.tier, coalesce(h.rev, 0) as rev into tenant
    from hotswap.tenants t
    left join hotswap.heads h on h.tenant_id = t.tenant_id and h.environment = p_environment
    where t.tenant_id = p_scope and t.status <> 'deleted';
  if not found then return; end if;
  select * into pointer from hotswap.pointers p
    where p.tenant_id = p_scope and p.environment = p_environment order by p.seq desc limit 1;

  for change in
    select * from hotswap.changes c where c.tenant_id = p_scope and c.environment = p_environment and c.pending
    union all
    select * from hotswap.changes c
      where c.tenant_id = p_scope and c.change_id = p_change and c.environment = p_environment and not c.pending
    order by change_id
  loop
    changes := changes || json_build_object('content', change.content, 'status', change.status,
      'approvals', change.approvals, 'comments', change.comments, 'versions', change.versions);
    hashes := hashes || change.key_hashes;
    edited := edited || array(select edit ->> 'key' from jsonb_array_elements(change.content -> 'edits') edit);
  end loop;

  -- A few of each, as which of them is stable stands in the chunk only.
  select json_object_agg(keys.key, recent.versions) into latest
    from unnest(asked) keys (key)
    cross join lateral (
      select json_agg(json_build_array(v.version, v.edit ->> 'description', v.edit ->> 'owner')) as versions
      from (select cv.version, cv.edit from hotswap.config_versions cv
        where cv.tenant_id = p_scope and cv.environment = p_environment and cv.key = keys.key
        order by cv.version desc limit 5) v
    ) recent
    where recent.versions is not null;
  if edited <> '{}' then
    select json_object_agg(keys.key, last.version) into edited_versions
      from (select distinct unnest(edited)) keys (key)
      cross join lateral (select cv.version from hotswap.config_versions cv
        where cv.tenant_id = p_scope and cv.environment = p_environment and cv.key = keys.key
        order by cv.version desc limit 1) last;
  end if;
  if p_idempotency_key is not null then
    select json_build_object('fingerprint', i.fingerprint, 'status', i.status, 'headers', i.headers,
        'body', i.body, 'stamps', i.stamps, 'at', i.at) into replay
      from hotswap.idempotency_keys i
      where i.tenant_id = p_scope and i.key = p_idempotency_key and i.expires_at > now();
  end if;
  kind := 'state';
  body := json_build_object('status', tenant.status, 'tier', tenant.tier, 'rev', tenant.rev, 'pointer', pointer,
    'changes', changes, 'latest', coalesce(latest, '{}'), 'editedVersions', coalesce(edited_versions, '{}'),
    'replay', replay);
  return next;

  release_ids := array[pointer.stable, pointer.candidate_release];
  if p_releases <> '[]' then
    release_ids := release_ids || array(select jsonb_array_elements_text(p_releases));
  end if;
  kind := 'manifest';
  for release in
    select * from hotswap.releases r where r.tenant_id = p_scope and r.release_id = any(release_ids)
  loop
    id := release.release_id;
    body := release.manifest;
    return next;
    chunk_ids := chunk_ids || array(
      select listed.chunk
      from jsonb_array_elements_text(release.manifest -> 'chunks') with ordinality as listed (chunk, nth)
      where p_all_chunks
        or nth - 1 in (select h >> (32 - (release.manifest ->> 'bits')::int) from unnest(hashes) h));
  end loop;
  -- By way of a variable: compared with an expression, the name would not go into the index, for the row-level
  -- policy has to be asked before anything that might tell what a row holds.
  kind := 'chunk';
  for id, body in
    select c.chunk_id, c.text from hotswap.chunks c where c.tenant_id = p_scope and c.chunk_id = any(chunk_ids)
  loop
    return next;
  end loop;
end $$;
--> statement-breakpoint
-- Writes one decision, or nothing when something moved since it was made (or its idempotency key was taken).
create or replace function hotswap.commit_scope(
  p_scope text, p_environment text, p_expected bigint, p_commit jsonb, p_idempotency jsonb
) returns table (outcome text, at text, seq bigint, mark text)
language plpgsql volatile security invoker
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
as $$
declare
  current_rev bigint;
  last record;
  moment timestamptz;
  part jsonb;
  updated integer;
  new_mark uuid;
begin
  perform set_config('hotswap.tenant', p_scope, true);
  if p_expected = 0 then
    insert into hotswap.heads values (p_scope, p_environment, 0) on conflict do nothing;
  end if;
  outcome := 'conflict';
  select h.rev into current_rev from hotswap.heads h
    where h.tenant_id = p_scope and h.environment = p_environment for update;
  if current_rev is distinct from p_expected then
    return next;
    return;
  end if;
  -- A read "as of" a moment ago takes this lock shared, and so waits for whoever has chosen a time already.
  perform pg_advisory_xact_lock(hotswap.scope_lock(p_scope, p_environment));
  select p.seq, p.at into last from hotswap.pointers p
    where p.tenant_id = p_scope and p.environment = p_environment order by p.seq desc limit 1;
  moment := greatest(clock_timestamp(), last.at + interval '1 microsecond');

  if jsonb_typeof(p_idempotency) = 'object' then
    insert into hotswap.idempotency_keys as kept (tenant_id, key, fingerprint, status, headers, body, stamps, at)
      values (p_scope, p_idempotency ->> 'key', p_idempotency ->> 'fingerprint', (p_idempotency ->> 'status')::int,
        p_idempotency -> 'headers', p_idempotency ->> 'body', p_idempotency -> 'stamps', moment)
      on conflict (tenant_id, key) do update set fingerprint = excluded.fingerprint, status = excluded.status,
        headers = excluded.headers, body = excluded.body, stamps = excluded.stamps, at = excluded.at,
        expires_at = excluded.expires_at
      where kept.expires_at <= now();
    if not found then
      return next;
      return;
    end if;
  end if;
  update hotswap.heads h set rev = h.rev + 1 where h.tenant_id = p_scope and h.environment = p_environment;

  part := p_commit -> 'chunks';
  if part <> '[]' then
    insert into hotswap.chunks select p_scope, c ->> 'id', c ->> 'text'
      from jsonb_array_elements(part) c on conflict do nothing;
  end if;
  part := p_commit -> 'releases';
  if part <> '[]' then
    insert into hotswap.releases select p_scope, r ->> 'id', r -> 'manifest', moment
      from jsonb_array_elements(part) r on conflict do nothing;
  end if;
  part := p_commit -> 'newChanges';
  if part <> '[]' then
    insert into hotswap.changes (tenant_id, change_id, environment, content, key_hashes, state, status, approvals,
        comments, versions, due_at, updated_at)
      select p_scope, c #>> '{content,changeId}', p_environment, c -> 'content',
        array(select jsonb_array_elements_text(c -> 'keyHashes')::bigint), c ->> 'state', c -> 'status',
        c -> 'approvals', c -> 'comments', nullif(c -> 'versions', 'null'), (c ->> 'dueAt')::timestamptz, moment
      from jsonb_array_elements(part) c;
  end if;
  part := p_commit -> 'changes';
  if part <> '[]' then
    update hotswap.changes k set state = c ->> 'state', status = c -> 'status', approvals = c -> 'approvals',
        comments = c -> 'comments', versions = nullif(c -> 'versions', 'null'),
        due_at = (c ->> 'dueAt')::timestamptz, updated_at = moment
      from jsonb_array_elements(part) c
      where k.tenant_id = p_scope and k.change_id = c ->> 'changeId';
    get diagnostics updated = row_count;
    if updated <> jsonb_array_length(part) then
      raise exception 'a changed change of % is not there', p_scope;
    end if;
  end if;
  part := p_commit -> 'versions';
  if part <> '[]' then
    insert into hotswap.config_versions select p_scope, p_environment, v ->> 'key', (v ->> 'version')::int,
        v ->> 'changeId', v ->> 'author', v ->> 'reason', v -> 'edit', v ->> 'checksum', moment
      from jsonb_array_elements(part) v;
  end if;

  seq := coalesce(last.seq, 0);
  part := p_commit -> 'pointer';
  if jsonb_typeof(part) = 'object' then
    seq := seq + 1;
    insert into hotswap.pointers values (p_scope, p_environment, seq, moment, part ->> 'tier',
      part ->> 'stable', part ->> 'stableChangeId', part #>> '{candidate,release}',
      part #>> '{candidate,changeId}', (part #>> '{candidate,step}')::int,
      (part #>> '{candidate,weightBp}')::int, part ->> 'changeId', part ->> 'cause');
    insert into hotswap.outbox as o (tenant_id, environment) values (p_scope, p_environment)
      on conflict (tenant_id, environment) do update set mark = excluded.mark, at = excluded.at
      returning o.mark into new_mark;
  end if;
  perform hotswap.append_audit(p_scope, p_commit -> 'audit', moment);
  outcome := 'committed';
  at := to_char(moment at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"');
  mark := new_mark;
  return next;
end $$;
--> statement-breakpoint
-- Takes a mark away unless it was set again meanwhile. Nobody waits for the disk: a mark that comes back after a
-- crash is published once more, which is harmless. Call it in a transaction of its own.
create or replace function hotswap.clear_mark(p_scope text, p_environment text, p_mark text) returns boolean
language plpgsql volatile security invoker
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
as $$
begin
  perform set_config('hotswap.tenant', p_scope, true);
  perform set_config('synchronous_commit', 'off', true);
  delete from hotswap.outbox o
    where o.tenant_id = p_scope and o.environment = p_environment and o.mark = p_mark::uuid;
  return found;
end $$;
