-- Every function runs with its caller's rights (SECURITY INVOKER, said each time) and a pinned search path. Plans are
-- made once for each connection: by itself PostgreSQL would go on weighing a plan for each call's own values, which
-- costs several times what running it does.

-- A time as it travels: ISO 8601, microseconds, UTC.
create function hotswap.instant(moment timestamptz) returns text
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$ select to_char(moment at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') $$;
--> statement-breakpoint
-- Which lock stands for a scope in an environment. Two that hash alike only wait for each other needlessly.
create function hotswap.scope_lock(p_scope text, p_environment text) returns bigint
language sql immutable security invoker
set search_path = pg_catalog, pg_temp
as $$ select hashtextextended(p_scope || ':' || p_environment, 7) $$;
--> statement-breakpoint
-- Appends to the chain of the transaction's own tenant. `bodies` is an array of canonical JSON texts.
-- Called last: from here to the commit, one tenant's writers queue for the row of its audit head.
create function hotswap.append_audit(p_tenant text, p_bodies jsonb, p_at timestamptz) returns timestamptz
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
  if jsonb_array_length(p_bodies) = 0 then return p_at; end if;
  select * into head from hotswap.audit_heads h where h.tenant_id = p_tenant for update;
  if not found then
    insert into hotswap.audit_heads values (p_tenant, 0, decode(repeat('00', 32), 'hex'), p_at)
      on conflict do nothing;
    select * into strict head from hotswap.audit_heads h where h.tenant_id = p_tenant for update;
  end if;
  -- Another environment of the tenant may have come first with a later time: the chain never goes back.
  head.at := greatest(p_at, head.at);
  for entry_body in select value from jsonb_array_elements_text(p_bodies) loop
    head.seq := head.seq + 1;
    entry_text := '{"at":"' || hotswap.instant(head.at) || '","body":' || entry_body || ',"seq":' || head.seq || '}';
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
create function hotswap.load_scope(
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
  release_ids text[];
  hashes bigint[];
  chunk_ids text[];
begin
  perform set_config('hotswap.tenant', p_scope, true);
  select t.status, t.tier, coalesce(h.rev, 0) as rev into tenant
    from hotswap.tenants t
    left join hotswap.heads h on h.tenant_id = t.tenant_id and h.environment = p_environment
    where t.tenant_id = p_scope and t.status <> 'deleted';
  if not found then return; end if;
  select * into pointer from hotswap.pointers p
    where p.tenant_id = p_scope and p.environment = p_environment order by p.seq desc limit 1;

  return query
  with loaded as materialized (
    select * from hotswap.changes c
    where c.tenant_id = p_scope and c.environment = p_environment
      and c.pending
    union
    select * from hotswap.changes c where c.tenant_id = p_scope and c.change_id = p_change and c.environment = p_environment
  ), asked as (
    select jsonb_object_keys(p_keys) as key
    union
    select edit ->> 'key' from loaded l, jsonb_array_elements(l.content -> 'edits') edit
  )
  select 'state', null, json_build_object(
    'status', tenant.status, 'tier', tenant.tier, 'rev', tenant.rev,
    'pointer', pointer,
    'changes', (select coalesce(json_agg(json_build_object('content', l.content, 'status', l.status,
      'approvals', l.approvals, 'comments', l.comments, 'versions', l.versions) order by l.change_id), '[]')
      from loaded l),
    'lastVersions', (select coalesce(json_object_agg(a.key, v.version), '{}') from asked a
      cross join lateral (select cv.version from hotswap.config_versions cv
        where cv.tenant_id = p_scope and cv.environment = p_environment and cv.key = a.key
        order by cv.version desc limit 1) v),
    'metadata', (select coalesce(json_object_agg(k.key, m.versions), '{}') from jsonb_object_keys(p_keys) k (key)
      cross join lateral (select json_agg(json_build_array(v.version, v.edit ->> 'description', v.edit ->> 'owner'))
        as versions from (select * from hotswap.config_versions cv
          where cv.tenant_id = p_scope and cv.environment = p_environment and cv.key = k.key
          order by cv.version desc limit 5) v) m where m.versions is not null),
    'moves', (select json_agg(json_build_array(m.seq, m.stable, m.at, m.cause) order by m.seq)
      from (select * from hotswap.pointers p
        where p.tenant_id = p_scope and p.environment = p_environment order by p.seq desc limit 50) m),
    'replay', (select json_build_object('fingerprint', i.fingerprint, 'status', i.status, 'headers', i.headers,
      'body', i.body, 'stamps', i.stamps, 'at', i.at) from hotswap.idempotency_keys i
      where i.tenant_id = p_scope and i.key = p_idempotency_key and i.expires_at > now())
    )::text;

  release_ids := array[pointer.stable, pointer.candidate_release]
    || array(select jsonb_array_elements_text(p_releases));
  return query select 'manifest', r.release_id, r.manifest::text
    from hotswap.releases r where r.tenant_id = p_scope and r.release_id = any(release_ids);

  hashes := array(select value::bigint from jsonb_each_text(p_keys)) || array(
    select unnest(c.key_hashes) from hotswap.changes c
    where c.tenant_id = p_scope and c.environment = p_environment
      and (c.change_id = p_change or c.pending));
  -- Into a variable first: compared with an expression, the name would not go into the index, for the row-level
  -- policy has to be asked before anything that might tell what a row holds.
  chunk_ids := array(select distinct chunk from hotswap.releases r,
      jsonb_array_elements_text(r.manifest -> 'chunks') with ordinality as listed (chunk, nth)
    where r.tenant_id = p_scope and r.release_id = any(release_ids) and (p_all_chunks or exists (
      select from unnest(hashes) h where nth - 1 = h >> (32 - (r.manifest ->> 'bits')::int))));
  return query select 'chunk', c.chunk_id, c.text from hotswap.chunks c
    where c.tenant_id = p_scope and c.chunk_id = any(chunk_ids);
end $$;
--> statement-breakpoint
-- Writes one decision, or nothing when something moved since it was made (or its idempotency key was taken).
create function hotswap.commit_scope(
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
  next_seq bigint;
  pointer jsonb := p_commit -> 'pointer';
  updated integer;
  new_mark uuid;
begin
  perform set_config('hotswap.tenant', p_scope, true);
  if p_expected = 0 then
    insert into hotswap.heads values (p_scope, p_environment, 0) on conflict do nothing;
  end if;
  select h.rev into current_rev from hotswap.heads h
    where h.tenant_id = p_scope and h.environment = p_environment for update;
  if current_rev is distinct from p_expected then
    return query select 'conflict', null::text, null::bigint, null::text;
    return;
  end if;
  -- A read "as of" a moment ago takes this lock shared, and so waits for whoever has chosen a time already.
  perform pg_advisory_xact_lock(hotswap.scope_lock(p_scope, p_environment));
  select p.seq, p.at into last from hotswap.pointers p
    where p.tenant_id = p_scope and p.environment = p_environment order by p.seq desc limit 1;
  moment := greatest(clock_timestamp(), last.at + interval '1 microsecond');
  next_seq := coalesce(last.seq, 0);

  if jsonb_typeof(p_idempotency) = 'object' then
    insert into hotswap.idempotency_keys as kept (tenant_id, key, fingerprint, status, headers, body, stamps, at)
      values (p_scope, p_idempotency ->> 'key', p_idempotency ->> 'fingerprint', (p_idempotency ->> 'status')::int,
        p_idempotency -> 'headers', p_idempotency ->> 'body', p_idempotency -> 'stamps', moment)
      on conflict (tenant_id, key) do update set fingerprint = excluded.fingerprint, status = excluded.status,
        headers = excluded.headers, body = excluded.body, stamps = excluded.stamps, at = excluded.at,
        expires_at = excluded.expires_at
      where kept.expires_at <= now();
    if not found then
      return query select 'conflict', null::text, null::bigint, null::text;
      return;
    end if;
  end if;
  update hotswap.heads h set rev = h.rev + 1 where h.tenant_id = p_scope and h.environment = p_environment;

  insert into hotswap.chunks select p_scope, c ->> 'id', c ->> 'text'
    from jsonb_array_elements(p_commit -> 'chunks') c on conflict do nothing;
  insert into hotswap.releases select p_scope, r ->> 'id', r -> 'manifest', moment
    from jsonb_array_elements(p_commit -> 'releases') r on conflict do nothing;

  insert into hotswap.changes (tenant_id, change_id, environment, content, key_hashes, state, status, approvals,
      comments, versions, due_at, updated_at)
    select p_scope, c #>> '{content,changeId}', p_environment, c -> 'content',
      array(select jsonb_array_elements_text(c -> 'keyHashes')::bigint), c ->> 'state', c -> 'status',
      c -> 'approvals', c -> 'comments', nullif(c -> 'versions', 'null'), (c ->> 'dueAt')::timestamptz, moment
    from jsonb_array_elements(p_commit -> 'newChanges') c;
  update hotswap.changes k set state = c ->> 'state', status = c -> 'status', approvals = c -> 'approvals',
      comments = c -> 'comments', versions = nullif(c -> 'versions', 'null'),
      due_at = (c ->> 'dueAt')::timestamptz, updated_at = moment
    from jsonb_array_elements(p_commit -> 'changes') c
    where k.tenant_id = p_scope and k.change_id = c ->> 'changeId';
  get diagnostics updated = row_count;
  if updated <> jsonb_array_length(p_commit -> 'changes') then
    raise exception 'a changed change of % is not there', p_scope;
  end if;
  insert into hotswap.config_versions select p_scope, p_environment, v ->> 'key', (v ->> 'version')::int,
      v ->> 'changeId', v ->> 'author', v ->> 'reason', v -> 'edit', v ->> 'checksum', moment
    from jsonb_array_elements(p_commit -> 'versions') v;

  if jsonb_typeof(pointer) = 'object' then
    next_seq := next_seq + 1;
    insert into hotswap.pointers values (p_scope, p_environment, next_seq, moment, pointer ->> 'tier',
      pointer ->> 'stable', pointer ->> 'stableChangeId', pointer #>> '{candidate,release}',
      pointer #>> '{candidate,changeId}', (pointer #>> '{candidate,step}')::int,
      (pointer #>> '{candidate,weightBp}')::int, pointer ->> 'changeId', pointer ->> 'cause');
    insert into hotswap.outbox as o (tenant_id, environment) values (p_scope, p_environment)
      on conflict (tenant_id, environment) do update set mark = excluded.mark, at = excluded.at
      returning o.mark into new_mark;
  end if;
  perform hotswap.append_audit(p_scope, p_commit -> 'audit', moment);
  return query select 'committed', hotswap.instant(moment), next_seq, new_mark::text;
end $$;
--> statement-breakpoint
-- The layers a reader of p_scope sees, with manifests, and chunks where they are small and not known to the caller.
create function hotswap.read_pointer(
  p_scope text, p_environment text, p_known jsonb, p_at timestamptz default 'infinity'
) returns table (kind text, id text, body text)
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
as $$
declare
  tenant record;
  own hotswap.pointers;
  platform hotswap.pointers;
  tier hotswap.pointers;
  tier_scope text;
  release_ids text[];
  chunk_ids text[];
begin
  perform set_config('hotswap.tenant', p_scope, true);
  select t.status, t.tier, e.epoch into tenant from hotswap.tenants t cross join hotswap.epoch e
    where t.tenant_id = p_scope and t.status <> 'deleted';
  if not found then return; end if;
  if p_scope not like '~%' then
    select * into own from hotswap.pointers p
      where p.tenant_id = p_scope and p.environment = p_environment and p.at <= p_at order by p.at desc limit 1;
  end if;
  -- A tenant's pointer names its tier; the platform has no layer above it, a tier only the platform.
  tier_scope := case when p_scope = '~platform' then null when p_scope like '~%' then p_scope
    else '~tier.' || coalesce(own.tier, tenant.tier) end;
  perform set_config('hotswap.read_scopes', concat_ws(',', '~platform', tier_scope), true);
  select * into platform from hotswap.pointers p
    where p.tenant_id = '~platform' and p.environment = p_environment and p.at <= p_at order by p.at desc limit 1;
  select * into tier from hotswap.pointers p
    where p.tenant_id = tier_scope and p.environment = p_environment and p.at <= p_at order by p.at desc limit 1;

  return query select 'state', null::text, json_build_object(
    'status', tenant.status, 'tier', coalesce(own.tier, tenant.tier), 'epoch', tenant.epoch,
    'now', clock_timestamp(), 'platform', platform, 'tierPointer', tier, 'own', own,
    'revoked', (select json_agg(t.token_id) from hotswap.tokens t
      where t.tenant_id in (p_scope, '~platform') and t.kind = 'reader' and t.revoked_at is not null
        and t.expires_at > now()))::text;

  release_ids := array[platform.stable, platform.candidate_release, tier.stable, tier.candidate_release,
    own.stable, own.candidate_release];
  return query select distinct on (r.release_id) 'manifest', r.release_id, r.manifest::text
    from hotswap.releases r
    where r.tenant_id in ('~platform', tier_scope, p_scope) and r.release_id = any(release_ids);
  -- See load_scope for why these are looked up by way of a variable.
  chunk_ids := array(select r.manifest #>> '{chunks,0}' from hotswap.releases r
    where r.tenant_id in ('~platform', tier_scope, p_scope) and r.release_id = any(release_ids)
      and r.manifest -> 'bits' = '0' and not p_known ? r.release_id);
  if chunk_ids <> '{}' then
    return query select distinct on (c.chunk_id) 'chunk', c.chunk_id, c.text from hotswap.chunks c
      where c.tenant_id in ('~platform', tier_scope, p_scope) and c.chunk_id = any(chunk_ids);
  end if;
end $$;
--> statement-breakpoint
-- The same over history. VOLATILE: what is read after the locks must see what was committed before them.
create function hotswap.read_pointer_as_of(p_scope text, p_environment text, p_known jsonb, p_at timestamptz)
returns table (kind text, id text, body text)
language plpgsql volatile security invoker
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
as $$
begin
  if p_at > clock_timestamp() then
    return query select 'future', null::text, null::text;
    return;
  end if;
  -- No commit lasts longer than its deadline: further back, nobody can still be adding to the past.
  if p_at > clock_timestamp() - interval '1 minute' then
    perform pg_advisory_xact_lock_shared(lock) from (
      select hotswap.scope_lock(scope, p_environment) as lock
      from unnest(array[p_scope, '~platform', '~tier.Free', '~tier.Pro', '~tier.Enterprise']) scope order by 1
    ) locks;
  end if;
  return query select * from hotswap.read_pointer(p_scope, p_environment, p_known, p_at);
end $$;
--> statement-breakpoint
-- Chunks by name, of the scope or of what it inherits: a name is a hash known only from a manifest one could read.
create function hotswap.read_chunks(p_scope text, p_ids jsonb) returns table (id text, body text)
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
as $$
declare ids text[] := array(select jsonb_array_elements_text(p_ids));
begin
  perform set_config('hotswap.tenant', p_scope, true);
  perform set_config('hotswap.read_scopes', '~platform,~tier.Free,~tier.Pro,~tier.Enterprise', true);
  return query select distinct on (c.chunk_id) c.chunk_id, c.text from hotswap.chunks c
    where c.tenant_id in (p_scope, '~platform', '~tier.Free', '~tier.Pro', '~tier.Enterprise')
      and c.chunk_id = any(ids);
end $$;
--> statement-breakpoint
create function hotswap.version_metadata(p_scope text, p_environment text, p_key text, p_version integer)
returns table (description text, owner text)
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
as $$
begin
  perform set_config('hotswap.tenant', p_scope, true);
  return query select v.edit ->> 'description', v.edit ->> 'owner' from hotswap.config_versions v
    where v.tenant_id = p_scope and v.environment = p_environment and v.key = p_key and v.version = p_version;
end $$;
--> statement-breakpoint
-- A token with what its tenant's status says about it, in one round trip: every request with an API token asks.
create function hotswap.find_token(p_scope text, p_token text) returns table (token text, tenant_status text)
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
as $$
begin
  perform set_config('hotswap.tenant', p_scope, true);
  return query select json_build_object('tokenId', k.token_id, 'scope', k.tenant_id, 'kind', k.kind,
      'subject', k.subject, 'roles', k.roles, 'tenants', k.tenants, 'environment', k.environment,
      'secretHash', k.secret_hash, 'issuer', k.issuer, 'createdAt', k.created_at,
      'expiresAt', k.expires_at, 'revokedAt', k.revoked_at,
      'revokedBy', k.revoked_by)::text, t.status
    from hotswap.tokens k join hotswap.tenants t on t.tenant_id = k.tenant_id
    where k.tenant_id = p_scope and k.token_id = p_token and t.status <> 'deleted';
end $$;
--> statement-breakpoint
-- Takes a mark away unless it was set again meanwhile.
create function hotswap.clear_mark(p_scope text, p_environment text, p_mark text) returns boolean
language plpgsql volatile security invoker
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
as $$
begin
  perform set_config('hotswap.tenant', p_scope, true);
  delete from hotswap.outbox o
    where o.tenant_id = p_scope and o.environment = p_environment and o.mark = p_mark::uuid;
  return found;
end $$;
--> statement-breakpoint
-- New functions belong to everyone; default privileges for one schema cannot take that away.
revoke execute on all functions in schema hotswap from public;
--> statement-breakpoint
grant execute on function hotswap.clear_mark to hotswap_system;
--> statement-breakpoint
grant execute on function hotswap.find_token, hotswap.instant, hotswap.read_pointer,
  hotswap.scope_lock, hotswap.read_pointer_as_of, hotswap.read_chunks to hotswap_app, hotswap_read;
--> statement-breakpoint
grant execute on function hotswap.clear_mark, hotswap.version_metadata, hotswap.append_audit, hotswap.load_scope, hotswap.commit_scope to hotswap_app;
