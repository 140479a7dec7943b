-- Written by hand: drizzle-kit knows neither FORCE nor grants nor functions.
do $$
declare name text;
begin
  foreach name in array array['gate_baselines', 'gate_readers', 'gate_tenants', 'channels', 'deliveries', 'workflow_waits'] loop
    execute format('alter table hotswap.%I force row level security', name);
    execute format('grant select, insert on hotswap.%I to hotswap_app', name);
  end loop;
end $$;
--> statement-breakpoint
grant update (policy) on hotswap.heads to hotswap_app;
--> statement-breakpoint
grant update (looks) on hotswap.changes to hotswap_app, hotswap_system;
--> statement-breakpoint
grant update (ok, errors, at) on hotswap.gate_baselines to hotswap_app;
--> statement-breakpoint
grant update (seq, at, change_id, step, ok, errors, guards) on hotswap.gate_readers to hotswap_app;
--> statement-breakpoint
grant update (reached, before_ok, before_errors, earlier_ok, earlier_errors, step, step_since, after_ok, after_errors,
  recent_ok, recent_errors, recent_since, unusable, instances, failing, last_at, tier, veteran)
  on hotswap.gate_tenants to hotswap_app;
--> statement-breakpoint
grant update (environment, config, secret, events), delete on hotswap.channels to hotswap_app;
--> statement-breakpoint
grant update (state, attempts, due_at, last_error, settled_at) on hotswap.deliveries to hotswap_app;
--> statement-breakpoint
grant update (task_token, at), delete on hotswap.workflow_waits to hotswap_app;
--> statement-breakpoint
grant select (looks, updated_at) on hotswap.changes to hotswap_system;
--> statement-breakpoint
grant select (tenant_id, change_id), delete on hotswap.gate_instances, hotswap.gate_tenants, hotswap.workflow_waits
  to hotswap_system;
--> statement-breakpoint
grant select (tenant_id, environment, instance, at), delete on hotswap.gate_readers to hotswap_system;
--> statement-breakpoint
grant select (tenant_id, delivery_id, state, due_at, settled_at), delete on hotswap.deliveries to hotswap_system;
--> statement-breakpoint
-- The rollout of another of the shared scopes in the environment, if there is one: call with read_scopes set to all of them.
create function hotswap.rollout_elsewhere(p_scope text, p_environment text) returns json
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select json_build_object('scope', shared.scope, 'changeId', last.candidate_change_id)
  from unnest(array['~platform', '~tier.Free', '~tier.Pro', '~tier.Enterprise']) shared (scope)
  cross join lateral (select p.candidate_change_id from hotswap.pointers p
    where p.tenant_id = shared.scope and p.environment = p_environment order by p.seq desc limit 1) last
  where shared.scope <> p_scope and last.candidate_change_id is not null
  limit 1
$$;
--> statement-breakpoint
create function hotswap.read_policies(p_scope text, p_environment text) returns text
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
as $$
begin
  perform set_config('hotswap.tenant', p_scope, true),
    set_config('hotswap.read_scopes', '~platform,~tier.Free,~tier.Pro,~tier.Enterprise', true);
  return (select coalesce(
      json_agg(l.policy || jsonb_build_object('scope', l.tenant_id) order by l.tenant_id = p_scope, l.tenant_id), '[]')
    from hotswap.tenants t cross join hotswap.heads l
    where t.tenant_id = p_scope and l.tenant_id in ('~platform', '~tier.Free', '~tier.Pro', '~tier.Enterprise', p_scope)
      and l.environment = p_environment and l.policy is not null
      and l.tenant_id in ('~platform', '~tier.' || t.tier, p_scope))::text;
end $$;
--> statement-breakpoint
-- History from the row that was in force at p_since.
create function hotswap.read_moves(p_scope text, p_environment text, p_since timestamptz) returns text
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
as $$
declare first timestamptz;
begin
  perform set_config('hotswap.tenant', p_scope, true);
  select p.at into first from hotswap.pointers p
    where p.tenant_id = p_scope and p.environment = p_environment and p.at <= p_since order by p.at desc limit 1;
  return (select coalesce(json_agg(json_build_object('seq', p.seq, 'at', p.at, 'stable', p.stable,
      'stableChangeId', p.stable_change_id, 'cause', p.cause) order by p.seq), '[]')
    from hotswap.pointers p
    where p.tenant_id = p_scope and p.environment = p_environment and p.at >= coalesce(first, '-infinity'))::text;
end $$;
--> statement-breakpoint
create function hotswap.keep_task_token(p_scope text, p_change text, p_task_token text) returns void
language plpgsql volatile security invoker
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
as $$
begin
  perform set_config('hotswap.tenant', p_scope, true);
  insert into hotswap.workflow_waits (tenant_id, change_id, task_token) values (p_scope, p_change, p_task_token)
    on conflict (tenant_id, change_id) do update set task_token = excluded.task_token, at = excluded.at;
end $$;
--> statement-breakpoint
create function hotswap.take_task_token(p_scope text, p_change text) returns text
language plpgsql volatile security invoker
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
as $$
declare taken text;
begin
  perform set_config('hotswap.tenant', p_scope, true);
  delete from hotswap.workflow_waits w where w.tenant_id = p_scope and w.change_id = p_change
    returning w.task_token into taken;
  return taken;
end $$;
--> statement-breakpoint
-- Everything a decision rests on, under one snapshot (STABLE). Sets the tenant for its own row-level security.
-- p_keys maps each asked key to its murmur3: chunk n of 2^bits holds the keys whose hash begins with n.
drop function hotswap.load_scope(text, text, jsonb, text, jsonb, boolean, text);
--> statement-breakpoint
create function hotswap.load_scope(
  p_scope text, p_environment text, p_keys jsonb, p_changes jsonb, p_releases jsonb, p_all_chunks boolean,
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
  asked_changes text[] := array(select jsonb_array_elements_text(p_changes));
  hashes bigint[] := array(select value::bigint from jsonb_each_text(p_keys));
  edited text[] := '{}';
  edited_versions json;
  latest json;
  elsewhere json;
  replay json;
  release_ids text[];
  chunk_ids text[] := '{}';
begin
  perform set_config('hotswap.tenant', p_scope, true),
    set_config('hotswap.read_scopes', '~platform,~tier.Free,~tier.Pro,~tier.Enterprise', true);
  -- The shared scopes by name, and only then those that are above: see below why an expression would be slow.
  select t.status, t.tier, coalesce(h.rev, 0) as rev,
      (select json_agg(l.policy || jsonb_build_object('scope', l.tenant_id) order by l.tenant_id = p_scope, l.tenant_id)
        from hotswap.heads l
        where l.tenant_id in ('~platform', '~tier.Free', '~tier.Pro', '~tier.Enterprise', p_scope)
          and l.environment = p_environment and l.policy is not null
          and l.tenant_id in ('~platform', '~tier.' || t.tier, p_scope)) as policies
    into tenant
    from hotswap.tenants t
    left join hotswap.heads h on h.tenant_id = t.tenant_id and h.environment = p_environment
    where t.tenant_id = p_scope and t.status <> 'deleted';
  if not found then return; end if;
  select * into pointer from hotswap.pointers p
    where p.tenant_id = p_scope and p.environment = p_environment order by p.seq desc limit 1;
  if p_scope like '~%' then
    elsewhere := hotswap.rollout_elsewhere(p_scope, p_environment);
  end if;

  for change in
    select * from hotswap.changes c where c.tenant_id = p_scope and c.environment = p_environment and c.pending
    union all
    select * from hotswap.changes c
      where c.tenant_id = p_scope and c.change_id = any(asked_changes) and c.environment = p_environment and not c.pending
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
    'policies', coalesce(tenant.policies, '[]'), 'elsewhere', elsewhere,
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
  pointer jsonb := p_commit -> 'pointer';
  updated integer;
  new_mark uuid;
begin
  perform set_config('hotswap.tenant', p_scope, true),
    set_config('hotswap.read_scopes', '~platform,~tier.Free,~tier.Pro,~tier.Enterprise', true);
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
  -- Only now, as what was read before waiting for the locks may be old.
  select p.seq, p.at, p.candidate_change_id,
      (select coalesce(jsonb_object_agg(l.tenant_id, l.policy -> 'version'), '{}') from hotswap.heads l
        where l.tenant_id in ('~platform', '~tier.Free', '~tier.Pro', '~tier.Enterprise')
          and l.environment = p_environment and l.policy is not null
          and l.tenant_id in ('~platform', '~tier.' || t.tier) and l.tenant_id <> p_scope) as inherited
    into last
    from hotswap.tenants t left join lateral (select l.seq, l.at, l.candidate_change_id from hotswap.pointers l
      where l.tenant_id = p_scope and l.environment = p_environment order by l.seq desc limit 1) p on true
    where t.tenant_id = p_scope;
  if last.inherited <> p_commit -> 'inherited' then
    return next;
    return;
  end if;
  if p_scope like '~%' and last.candidate_change_id is null and pointer -> 'candidate' <> 'null' then
    -- Lock before looking: of two shared scopes that begin a rollout at once, neither may believe it is alone.
    perform pg_advisory_xact_lock(hotswap.scope_lock('~', p_environment));
    if hotswap.rollout_elsewhere(p_scope, p_environment) is not null then
      return next;
      return;
    end if;
  end if;
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
  update hotswap.heads h set rev = h.rev + 1,
      policy = case when p_commit ? 'policy' then nullif(p_commit -> 'policy', 'null') else h.policy end
    where h.tenant_id = p_scope and h.environment = p_environment;

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
        due_at = (c ->> 'dueAt')::timestamptz, updated_at = moment, looks = 0
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
  if jsonb_typeof(pointer) = 'object' then
    seq := seq + 1;
    insert into hotswap.pointers (tenant_id, environment, seq, at, tier, stable, stable_change_id, candidate_release,
        candidate_change_id, candidate_step, candidate_weight_bp, change_id, cause, candidate_audience)
      values (p_scope, p_environment, seq, moment, pointer ->> 'tier',
        pointer ->> 'stable', pointer ->> 'stableChangeId', pointer #>> '{candidate,release}',
        pointer #>> '{candidate,changeId}', (pointer #>> '{candidate,step}')::int,
        (pointer #>> '{candidate,weightBp}')::int, pointer ->> 'changeId', pointer ->> 'cause',
        pointer #> '{candidate,audience}');
    insert into hotswap.outbox as o (tenant_id, environment) values (p_scope, p_environment)
      on conflict (tenant_id, environment) do update set mark = excluded.mark, at = excluded.at
      returning o.mark into new_mark;
  end if;
  part := p_commit -> 'notices';
  if part <> '[]' then
    insert into hotswap.deliveries (tenant_id, channel_id, environment, type, change_id, detail, at)
      select p_scope, c.channel_id, p_environment, n ->> 'type', n ->> 'changeId', n -> 'detail', moment
      from jsonb_array_elements(part) with ordinality as notices (n, nth)
      cross join hotswap.channels c
      where c.tenant_id = p_scope and (c.environment is null or c.environment = p_environment)
        and (c.events is null or c.events ? (n ->> 'type'))
      order by nth, c.created_at;
  end if;
  perform hotswap.append_audit(p_scope, p_commit -> 'audit', moment);
  outcome := 'committed';
  at := to_char(moment at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"');
  mark := new_mark;
  return next;
end $$;
--> statement-breakpoint
-- Where a unit stands for a change, 0 to 9,999: MurmurHash3 (x86, 32 bits) of "change/unit", the same as `bucket` in
-- core/release/bucket.ts. Far slower than there: for one tenant at a time.
create function hotswap.bucket(p_change text, p_unit text) returns integer
language plpgsql immutable security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  bytes bytea := convert_to(p_change || '/' || p_unit, 'UTF8');
  size integer := length(bytes);
  whole integer := size - size % 4;
  hash bigint := 0;
  k bigint;
  at integer := 0;
begin
  -- A product of two 32-bit numbers does not fit 64 bits with a sign: one factor goes in halves.
  while at < size loop
    k := 0;
    for nth in reverse least(3, size - at - 1) .. 0 loop
      k := (k << 8) | get_byte(bytes, at + nth);
    end loop;
    k := (((k * 52382) & 65535) * 65536 + k * 11601) & 4294967295;   -- × 0xcc9e2d51
    k := ((k << 15) | (k >> 17)) & 4294967295;
    k := (((k * 7047) & 65535) * 65536 + k * 13715) & 4294967295;    -- × 0x1b873593
    hash := hash # k;
    if at < whole then
      hash := ((hash << 13) | (hash >> 19)) & 4294967295;
      hash := (hash * 5 + 3864292196) & 4294967295;
    end if;
    at := at + 4;
  end loop;
  hash := hash # size;
  hash := hash # (hash >> 16);
  hash := (((hash * 34283) & 65535) * 65536 + hash * 51819) & 4294967295;  -- × 0x85ebca6b
  hash := hash # (hash >> 13);
  hash := (((hash * 49842) & 65535) * 65536 + hash * 44597) & 4294967295;  -- × 0xc2b2ae35
  hash := hash # (hash >> 16);
  return (hash * 10000) >> 32;
end $$;
--> statement-breakpoint
-- What tenants' readers report of a change of the platform or a tier in its current step, tenant by tenant (of many, those
-- with the most requests), and of one tenant that a wave has reached. Whoever has tripped appears nowhere.
create function hotswap.read_waves(p_scope text, p_change text, p_unit text) returns text
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
as $$
declare
  current_step integer;
  tripped text[];
begin
  perform set_config('hotswap.tenant', p_scope, true);
  select (c.status ->> 'step')::integer,
      array(select t ->> 'tenantId' from jsonb_array_elements(c.status -> 'tripped') t)
    into current_step, tripped
    from hotswap.changes c where c.tenant_id = p_scope and c.change_id = p_change;
  return (
    with heard as materialized (
      select g.*, coalesce(g.step = current_step, false) as is_heard,
        g.after_ok + g.after_errors + g.recent_ok + g.recent_errors as requests
      from hotswap.gate_tenants g
      where g.tenant_id = p_scope and g.change_id = p_change and g.unit <> all(coalesce(tripped, '{}'))
    ), sides as (
      select h.reached, count(*) as tenants, sum(h.requests) as requests, max(h.last_at) as last_at
      from heard h where h.is_heard group by h.reached
    ), shown as (
      select h.unit, h.reached, h.requests, json_build_object('tenantId', h.unit, 'tier', h.tier,
        'before', json_build_object('requests', round(h.before_ok + h.before_errors), 'errors', round(h.before_errors)),
        'earlier', json_build_object('requests', h.earlier_ok + h.earlier_errors, 'errors', h.earlier_errors),
        'veteran', h.veteran,
        'after', json_build_object('requests', h.after_ok + h.after_errors, 'errors', h.after_errors),
        'recent', json_build_object('requests', h.recent_ok + h.recent_errors, 'errors', h.recent_errors),
        'unusable', h.unusable, 'instances', h.instances, 'failing', h.failing, 'lastAt', h.last_at) as evidence
      from ((select * from heard h where h.is_heard and h.reached order by h.requests desc, h.unit limit 100)
        union
        select * from heard h where h.is_heard and h.reached and h.unit = p_unit) h
    )
    select json_build_object(
      'since', (select min(h.step_since) from heard h where h.is_heard),
      'reached', (select json_build_object('tenants', s.tenants, 'requests', s.requests, 'lastAt', s.last_at,
          'sample', (select json_agg(best.evidence) from
            (select sh.evidence from shown sh order by sh.requests desc, sh.unit limit 100) best))
        from sides s where s.reached),
      'control', (select json_build_object('tenants', s.tenants, 'requests', s.requests, 'lastAt', s.last_at,
          'sample', (select json_agg(json_build_object('tier', best.tier,
              'before', json_build_object('requests', round(best.before_ok + best.before_errors), 'errors', round(best.before_errors)),
              'after', json_build_object('requests', best.requests, 'errors', best.after_errors)))
            from (select * from heard h where h.is_heard and not h.reached order by h.requests desc, h.unit limit 100) best))
        from sides s where not s.reached),
      'unheard', (select json_build_object('tenants', count(*), 'before', json_build_object(
          'requests', coalesce(round(sum(h.before_ok + h.before_errors)), 0),
          'errors', coalesce(round(sum(h.before_errors)), 0)))
        from heard h where not h.is_heard),
      'tenant', (select sh.evidence from shown sh where sh.unit = p_unit)))::text;
end $$;
--> statement-breakpoint
-- Hears what a tenant's readers say of stable: outside of waves it becomes what is usual for them, older reports
-- counting for less (half as much every ten minutes); while a change of the platform or the tenant's tier rolls out it
-- is evidence on that as well, kept in the change's scope. Which step, and whether a wave had reached the tenant,
-- follows from the revision. Returns why each report does not count ("counted": it does), and the rollout with what is
-- known of it.
create function hotswap.hear_stable(
  p_scope text, p_environment text, p_token text, p_reports jsonb, p_at timestamptz, p_epoch bigint, p_tier text,
  p_instances_max integer, p_token_instances_max integer
) returns jsonb
language plpgsql volatile security invoker
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
as $$
declare
  wave record;
  usual hotswap.gate_baselines;
  heard record;
  speaking record;
  share float8;
  waves jsonb;
begin
  if not p_reports @> jsonb_build_array(jsonb_build_object('arm', 'stable', 'epoch', p_epoch)) then
    return '{"reasons": {}, "waves": null}';
  end if;
  -- Whoever reports for the same tenant waits here, and finds afterwards what the one before has left.
  select * into usual from hotswap.gate_baselines b
    where b.tenant_id = p_scope and b.environment = p_environment for update;
  if not found then
    insert into hotswap.gate_baselines values (p_scope, p_environment, 0, 0, p_at) on conflict do nothing;
    select * into strict usual from hotswap.gate_baselines b
      where b.tenant_id = p_scope and b.environment = p_environment for update;
  end if;
  select p.tenant_id as scope, p.candidate_change_id as change_id, p.candidate_step as step,
      coalesce(p.candidate_audience -> 'excluded' ? p_scope, false) as excluded
    into wave
    from unnest(array['~platform', '~tier.' || p_tier]) above (scope)
    cross join lateral (select * from hotswap.pointers l
      where l.tenant_id = above.scope and l.environment = p_environment order by l.seq desc limit 1) p
    where p.candidate_change_id is not null limit 1;

  with given as materialized (
    select r.i, r.instance, r.seq, r.ok, r.errors, r.guard, r.platform, r.tier as tier_seq, coalesce(own.tier, p_tier) as tier
    from jsonb_to_recordset(p_reports) as r (i integer, epoch bigint, platform bigint, tier bigint, tenant bigint,
      arm text, instance text, seq bigint, ok bigint, errors bigint, guard boolean)
    left join hotswap.pointers own
      on own.tenant_id = p_scope and own.environment = p_environment and own.seq = r.tenant
    where r.arm = 'stable' and r.epoch = p_epoch
  ), named as (
    select distinct layer.scope, layer.seq, g.tier
    from given g cross join lateral (values ('~platform', g.platform), ('~tier.' || g.tier, g.tier_seq)) layer (scope, seq)
  ), candidates as materialized (
    select n.scope, n.seq, n.tier,
      coalesce((p.candidate_change_id, p.candidate_step) = (wave.change_id, wave.step), false) as is_current,
      coalesce(not p.candidate_audience -> 'excluded' ? p_scope, true)
        and (coalesce(p.candidate_audience -> 'tiers' ? n.tier, false)
          or coalesce(p.candidate_audience -> 'tenants' ? p_scope, false)
          or p.candidate_weight_bp > 0 and hotswap.bucket(p.candidate_change_id, p_scope) < p.candidate_weight_bp)
        as is_reached
    from named n join hotswap.pointers p
      on p.tenant_id = n.scope and p.environment = p_environment and p.seq = n.seq
    where p.candidate_change_id is not null
  ), placed as (
    -- Over: of a step or a rollout that has ended, or that the tenant was taken out of. Neither usual nor evidence.
    select g.*, coalesce(c.is_current, false) as current,
      coalesce(c.is_current and c.is_reached and not wave.excluded, false) as hit,
      coalesce(c.is_reached and (wave.excluded or not c.is_current), false) as over
    from given g
    left join lateral (select bool_or(n.is_current) as is_current, bool_or(n.is_reached) as is_reached from candidates n
      where n.tier = g.tier and (n.scope = '~platform' and n.seq = g.platform
        or n.scope <> '~platform' and n.seq = g.tier_seq)) c on true
  ), ordered as (
    select p.*, k.instance is null as is_new,
      greatest(k.seq, max(p.seq) filter (where not p.over)
        over (partition by p.instance order by p.i rows between unbounded preceding and 1 preceding)) as last_seq
    from placed p left join hotswap.gate_readers k
      on k.tenant_id = p_scope and k.environment = p_environment and k.instance = p.instance
  ), newcomers as (
    select o.instance, row_number() over (order by min(o.i)) as nth
    from ordered o where o.is_new and not o.over group by o.instance
  ), room as (
    select least(p_instances_max - count(*), p_token_instances_max - count(*) filter (where k.token_id = p_token)) as instances
    from hotswap.gate_readers k
    where k.tenant_id = p_scope and k.environment = p_environment and k.at > p_at - interval '1 hour'
  ), judged as materialized (
    select o.*, case when o.over then 'step_over' when o.seq <= o.last_seq then 'seen'
      when n.nth > (select r.instances from room r) then 'too_many_instances' end as reason
    from ordered o left join newcomers n on n.instance = o.instance
  ), kept as (
    insert into hotswap.gate_readers as k (tenant_id, environment, instance, token_id, seq, at, change_id, step, ok, errors, guards)
      select p_scope, p_environment, j.instance, p_token, max(j.seq), p_at,
        case when bool_or(j.hit) then wave.change_id end, case when bool_or(j.hit) then wave.step end,
        coalesce(sum(j.ok) filter (where j.hit), 0), coalesce(sum(j.errors) filter (where j.hit), 0),
        count(*) filter (where j.hit and j.guard)
      from judged j where j.reason is null group by j.instance
      on conflict (tenant_id, environment, instance) do update set seq = excluded.seq, at = greatest(k.at, excluded.at),
        (change_id, step, ok, errors, guards) = (
          select coalesce(excluded.change_id, k.change_id), coalesce(excluded.step, k.step),
            excluded.ok + same * k.ok, excluded.errors + same * k.errors, excluded.guards + same * k.guards
          from (values (case when excluded.change_id is null or (excluded.change_id, excluded.step) = (k.change_id, k.step)
            then 1 else 0 end)) kept (same))
  )
  select jsonb_object_agg(j.i::text, coalesce(j.reason, 'counted')) as reasons,
      jsonb_object_agg(j.i::text, j.reason) filter (where j.over) as over,
      coalesce(bool_or(j.hit) filter (where j.reason is null), false) as any_hit,
      coalesce(bool_or(not j.hit and j.current) filter (where j.reason is null), false) as any_control,
      coalesce(bool_or(not j.hit) filter (where j.reason is null), false) as any_usual,
      coalesce(sum(j.ok) filter (where j.reason is null and j.hit), 0) as ok,
      coalesce(sum(j.errors) filter (where j.reason is null and j.hit), 0) as errors,
      coalesce(sum(j.ok) filter (where j.reason is null and not j.hit and j.current), 0) as control_ok,
      coalesce(sum(j.errors) filter (where j.reason is null and not j.hit and j.current), 0) as control_errors,
      coalesce(sum(j.ok) filter (where j.reason is null and not j.hit), 0) as usual_ok,
      coalesce(sum(j.errors) filter (where j.reason is null and not j.hit), 0) as usual_errors
    into heard from judged j;

  share := power(0.5::float8, greatest(0, extract(epoch from p_at - usual.at))::float8 / 600);
  usual.ok := usual.ok * share;
  usual.errors := usual.errors * share;
  if heard.any_usual then
    update hotswap.gate_baselines b set ok = usual.ok + heard.usual_ok, errors = usual.errors + heard.usual_errors,
        at = greatest(usual.at, p_at)
      where b.tenant_id = p_scope and b.environment = p_environment;
  end if;
  if wave.change_id is null then
    return jsonb_build_object('reasons', coalesce(heard.over, '{}'), 'waves', null);
  end if;
  select count(*) as instances, count(*) filter (where k.ok = 0 and k.errors >= 5) as failing,
      count(*) filter (where k.guards > 0) as unusable
    into speaking from hotswap.gate_readers k
    where k.tenant_id = p_scope and k.environment = p_environment and k.change_id = wave.change_id and k.step = wave.step
      and k.ok + k.errors + k.guards > 0;

  -- The change's own scope keeps what is known of it, and judges by it.
  perform set_config('hotswap.tenant', wave.scope, true);
  if heard.any_hit then
    perform hotswap.hear_tenant(wave.scope, wave.change_id, wave.step, p_scope, true, usual.ok + heard.usual_ok,
      usual.errors + heard.usual_errors, heard.ok::bigint, heard.errors::bigint, p_at, speaking.instances::integer,
      speaking.failing::integer, speaking.unusable::integer, p_tier);
  elsif heard.any_control then
    perform hotswap.hear_tenant(wave.scope, wave.change_id, wave.step, p_scope, false, usual.ok, usual.errors,
      heard.control_ok::bigint, heard.control_errors::bigint, p_at, 0, 0, 0, p_tier);
  end if;
  select jsonb_build_object('scope', wave.scope, 'changeId', wave.change_id, 'step', wave.step,
      'plan', c.content -> 'plan', 'status', c.status, 'gate', c.content -> 'gate',
      'evidence', hotswap.read_waves(wave.scope, wave.change_id, p_scope)::jsonb)
    into waves from hotswap.changes c where c.tenant_id = wave.scope and c.change_id = wave.change_id;
  perform set_config('hotswap.tenant', p_scope, true);
  return jsonb_build_object('reasons', heard.reasons, 'waves', waves);
end $$;
--> statement-breakpoint
-- Adds to what is known of one tenant in a step of a rollout by waves. What it reports of the candidate is kept apart
-- for five seconds (SETTLE_MS in core/gate/waves.ts), so that others have time to report what befalls them all.
create function hotswap.hear_tenant(
  p_scope text, p_change text, p_step integer, p_unit text, p_reached boolean, p_usual_ok float8, p_usual_errors float8,
  p_ok bigint, p_errors bigint, p_at timestamptz, p_instances integer, p_failing integer, p_unusable integer,
  p_tier text
) returns void
language plpgsql volatile security invoker
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
as $$
declare own hotswap.gate_tenants;
begin
  select * into own from hotswap.gate_tenants g where g.tenant_id = p_scope and g.change_id = p_change and g.unit = p_unit;
  -- What comes from a configuration that no wave had reached tells nothing of a tenant that one has.
  if own.reached and not p_reached then return; end if;
  if own.reached is distinct from p_reached then
    own := (p_scope, p_change, p_unit, p_reached, p_usual_ok, p_usual_errors,
      coalesce(own.earlier_ok + own.after_ok, 0), coalesce(own.earlier_errors + own.after_errors, 0),
      p_step, p_at, 0, 0, 0, 0, null, 0, 0, 0, p_at, p_tier, false);
  elsif own.step <> p_step then
    own.earlier_ok := own.earlier_ok + own.after_ok + own.recent_ok;
    own.earlier_errors := own.earlier_errors + own.after_errors + own.recent_errors;
    own.veteran := own.reached;
    own.step := p_step; own.step_since := p_at; own.recent_since := null;
    own.after_ok := 0; own.after_errors := 0; own.recent_ok := 0; own.recent_errors := 0;
  end if;
  if not p_reached then
    own.after_ok := own.after_ok + p_ok;
    own.after_errors := own.after_errors + p_errors;
  else
    if own.recent_since is null or p_at - own.recent_since >= interval '5 seconds' then
      own.after_ok := own.after_ok + own.recent_ok;
      own.after_errors := own.after_errors + own.recent_errors;
      own.recent_ok := 0; own.recent_errors := 0; own.recent_since := p_at;
    end if;
    own.recent_ok := own.recent_ok + p_ok;
    own.recent_errors := own.recent_errors + p_errors;
  end if;
  own.instances := p_instances; own.failing := p_failing; own.unusable := p_unusable;
  own.tier := p_tier;
  own.last_at := greatest(own.last_at, p_at);
  insert into hotswap.gate_tenants as g values (own.*)
    on conflict (tenant_id, change_id, unit) do update set reached = excluded.reached,
      before_ok = excluded.before_ok, before_errors = excluded.before_errors,
      earlier_ok = excluded.earlier_ok, earlier_errors = excluded.earlier_errors,
      step = excluded.step, step_since = excluded.step_since,
      after_ok = excluded.after_ok, after_errors = excluded.after_errors,
      recent_ok = excluded.recent_ok, recent_errors = excluded.recent_errors, recent_since = excluded.recent_since,
      unusable = excluded.unusable, instances = excluded.instances, failing = excluded.failing, last_at = excluded.last_at,
      tier = excluded.tier, veteran = excluded.veteran;
end $$;
--> statement-breakpoint
-- Records a batch of reports and returns what the gate judges then, in one round trip. Which change and step a report is
-- about follows from its revision. Nothing is recorded when one of them names a revision that was never given out.
create or replace function hotswap.record_outcomes(
  p_scope text, p_environment text, p_token text, p_reports jsonb, p_at timestamptz,
  p_instances_max integer, p_token_instances_max integer
) returns text
language plpgsql volatile security invoker
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
as $$
declare
  tenant record;
  head hotswap.pointers;
  known record;
  report record;
  own hotswap.gate_instances;
  is_new boolean;
  reasons jsonb := '[]';
  reason text;
  heard_stable boolean := false;
  heard_candidate boolean := false;
  guards_stable integer := 0;
  guards_candidate integer := 0;
  latency_stable bigint[] := '{}';
  latency_candidate bigint[] := '{}';
  rollout json;
  heard jsonb;
begin
  perform set_config('hotswap.tenant', p_scope, true);
  perform set_config('hotswap.read_scopes', '~platform,~tier.Free,~tier.Pro,~tier.Enterprise', true);
  select t.status, t.tier, e.epoch into tenant from hotswap.tenants t cross join hotswap.epoch e
    where t.tenant_id = p_scope and t.status <> 'deleted';
  if not found then return null; end if;
  if tenant.status <> 'active' then return json_build_object('refused', tenant.status); end if;
  if exists (select from hotswap.tokens k where k.tenant_id in (p_scope, '~platform') and k.token_id = p_token
      and k.revoked_at is not null) then
    return json_build_object('refused', 'revoked');
  end if;
  select * into head from hotswap.pointers p
    where p.tenant_id = p_scope and p.environment = p_environment order by p.seq desc limit 1;
  select coalesce(max(p.seq) filter (where p.tenant_id = '~platform'), 0) as platform,
      coalesce(max(p.seq) filter (where p.tenant_id <> '~platform'), 0) as tier into known
    from unnest(array['~platform', '~tier.Free', '~tier.Pro', '~tier.Enterprise']) above (scope)
    cross join lateral (select l.tenant_id, l.seq from hotswap.pointers l
      where l.tenant_id = above.scope and l.environment = p_environment order by l.seq desc limit 1) p;
  select r.i into report from jsonb_to_recordset(p_reports)
      as r (i integer, epoch bigint, platform bigint, tier bigint, tenant bigint)
    where r.epoch > tenant.epoch or (r.epoch = tenant.epoch
      and (r.tenant > coalesce(head.seq, 0) or r.platform > known.platform or r.tier > known.tier))
    order by r.i limit 1;
  if found then return json_build_object('refused', 'unknown_revision', 'index', report.i); end if;

  if head.candidate_change_id is not null then
    insert into hotswap.gate_steps (tenant_id, change_id, step, environment, since)
      select p_scope, head.candidate_change_id, head.candidate_step, p_environment, p_at
      where exists (select from jsonb_to_recordset(p_reports) as r (epoch bigint, tenant bigint)
        join hotswap.pointers p on p.tenant_id = p_scope and p.environment = p_environment and p.seq = r.tenant
        where r.epoch = tenant.epoch and p.candidate_change_id = head.candidate_change_id
          and p.candidate_step = head.candidate_step)
      on conflict do nothing;
  end if;
  -- Whoever reports on the same step waits here, and all in one order.
  perform from hotswap.gate_steps g
    where g.tenant_id = p_scope and (g.change_id, g.step) in (
      select p.candidate_change_id, p.candidate_step from jsonb_to_recordset(p_reports) as r (tenant bigint)
      join hotswap.pointers p on p.tenant_id = p_scope and p.environment = p_environment and p.seq = r.tenant)
    order by g.change_id, g.step for update;
  heard := hotswap.hear_stable(p_scope, p_environment, p_token, p_reports, p_at, tenant.epoch,
    coalesce(head.tier, tenant.tier), p_instances_max, p_token_instances_max);

  for report in
    select r.*, p.candidate_change_id as change_id, p.candidate_step as step from jsonb_to_recordset(p_reports)
      as r (i integer, epoch bigint, tenant bigint, arm text, instance text, seq bigint, ok bigint, errors bigint,
        guard boolean, latency bigint[])
    left join hotswap.pointers p
      on p.tenant_id = p_scope and p.environment = p_environment and p.seq = r.tenant and r.epoch = tenant.epoch
    order by r.i
  loop
    reason := null;
    if report.change_id is null then
      reason := nullif(coalesce(heard -> 'reasons' ->> report.i::text, 'no_rollout'), 'counted');
      if reason is null then continue; end if;
    elsif (report.change_id, report.step) is distinct from (head.candidate_change_id, head.candidate_step) then
      reason := 'step_over';
      update hotswap.gate_steps g set late = g.late + 1
        where g.tenant_id = p_scope and g.change_id = report.change_id and g.step = report.step;
    else
      select * into own from hotswap.gate_instances g
        where g.tenant_id = p_scope and g.change_id = report.change_id and g.step = report.step
          and g.instance = report.instance;
      is_new := not found;
      if is_new then
        select case when count(*) >= p_instances_max
            or count(*) filter (where g.token_id = p_token) >= p_token_instances_max then 'too_many_instances' end
          into reason from hotswap.gate_instances g
          where g.tenant_id = p_scope and g.change_id = report.change_id and g.step = report.step;
      elsif report.seq <= (case report.arm when 'stable' then own.stable_seq else own.candidate_seq end) then
        reason := 'seen';
      end if;
    end if;
    if reason is not null then
      reasons := reasons || jsonb_build_array(jsonb_build_array(report.i, reason));
      continue;
    end if;
    if report.arm = 'stable' then
      insert into hotswap.gate_instances as g
          (tenant_id, change_id, step, instance, token_id, stable_ok, stable_errors, stable_seq)
        values (p_scope, report.change_id, report.step, report.instance, p_token, report.ok, report.errors, report.seq)
        on conflict (tenant_id, change_id, step, instance) do update set stable_ok = g.stable_ok + excluded.stable_ok,
          stable_errors = g.stable_errors + excluded.stable_errors, stable_seq = excluded.stable_seq;
      heard_stable := true;
      guards_stable := guards_stable + report.guard::integer;
      latency_stable := hotswap.add_counts(latency_stable, report.latency);
    else
      insert into hotswap.gate_instances as g
          (tenant_id, change_id, step, instance, token_id, candidate_ok, candidate_errors, candidate_seq)
        values (p_scope, report.change_id, report.step, report.instance, p_token, report.ok, report.errors, report.seq)
        on conflict (tenant_id, change_id, step, instance) do update
          set candidate_ok = g.candidate_ok + excluded.candidate_ok,
          candidate_errors = g.candidate_errors + excluded.candidate_errors, candidate_seq = excluded.candidate_seq;
      heard_candidate := true;
      guards_candidate := guards_candidate + report.guard::integer;
      latency_candidate := hotswap.add_counts(latency_candidate, report.latency);
    end if;
  end loop;

  if heard_stable or heard_candidate then
    update hotswap.gate_steps g set
        stable_at = case when heard_stable then p_at else g.stable_at end,
        candidate_at = case when heard_candidate then p_at else g.candidate_at end,
        stable_guards = g.stable_guards + guards_stable, candidate_guards = g.candidate_guards + guards_candidate,
        stable_latency = hotswap.add_counts(g.stable_latency, latency_stable),
        candidate_latency = hotswap.add_counts(g.candidate_latency, latency_candidate)
      where g.tenant_id = p_scope and g.change_id = head.candidate_change_id and g.step = head.candidate_step;
  end if;
  select json_build_object('changeId', c.change_id, 'step', head.candidate_step, 'plan', c.content -> 'plan',
      'status', c.status, 'gate', c.content -> 'gate',
      'evidence', hotswap.read_gate(p_scope, c.change_id, head.candidate_step)::json,
      -- Once everyone was switched over nobody is on stable any more: it is compared with what they saw there.
      'before', case when head.candidate_weight_bp = 10000 and head.candidate_step > 0
        then hotswap.read_gate(p_scope, c.change_id, head.candidate_step - 1)::json end)
    into rollout from hotswap.changes c
    where c.tenant_id = p_scope and c.change_id = head.candidate_change_id;
  return json_build_object('reasons', reasons, 'rollout', rollout, 'waves', heard -> 'waves');
end $$;
--> statement-breakpoint
revoke execute on function hotswap.load_scope, hotswap.rollout_elsewhere, hotswap.read_policies, hotswap.read_moves,
  hotswap.keep_task_token, hotswap.take_task_token, hotswap.bucket, hotswap.read_waves, hotswap.hear_stable,
  hotswap.hear_tenant from public;
--> statement-breakpoint
grant execute on function hotswap.load_scope, hotswap.rollout_elsewhere, hotswap.read_policies, hotswap.read_moves,
  hotswap.keep_task_token, hotswap.take_task_token, hotswap.bucket, hotswap.read_waves, hotswap.hear_stable,
  hotswap.hear_tenant to hotswap_app;
