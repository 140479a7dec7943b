DROP INDEX "hotswap"."deliveries_due";--> statement-breakpoint
CREATE INDEX "deliveries_due" ON "hotswap"."deliveries" USING btree ("tenant_id","due_at" NULLS FIRST,"delivery_id") WHERE "hotswap"."deliveries"."state" = 'pending';--> statement-breakpoint
-- A position in a history is found by its index, whatever the statistics say; nothing is read of a tenant that no wave has reached.
create or replace function hotswap.hear_stable(
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
    left join lateral (select * from hotswap.pointers l
      where l.tenant_id = p_scope and l.environment = p_environment and l.seq = r.tenant limit 1) own on true
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
    from named n cross join lateral (select * from hotswap.pointers l
      where l.tenant_id = n.scope and l.environment = p_environment and l.seq = n.seq limit 1) p
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
      coalesce(bool_or(j.hit), false) as is_reached,
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
  -- Nothing is judged of a tenant that no wave has reached, and what there is to read grows with the tenants that report.
  if heard.is_reached then
    select jsonb_build_object('scope', wave.scope, 'changeId', wave.change_id, 'step', wave.step,
        'plan', c.content -> 'plan', 'status', c.status, 'gate', c.content -> 'gate',
        'evidence', hotswap.read_waves(wave.scope, wave.change_id, p_scope)::jsonb)
      into waves from hotswap.changes c where c.tenant_id = wave.scope and c.change_id = wave.change_id;
  end if;
  perform set_config('hotswap.tenant', p_scope, true);
  return jsonb_build_object('reasons', heard.reasons, 'waves', waves);
end $$;
--> statement-breakpoint
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
        cross join lateral (select * from hotswap.pointers l
          where l.tenant_id = p_scope and l.environment = p_environment and l.seq = r.tenant limit 1) p
        where r.epoch = tenant.epoch and p.candidate_change_id = head.candidate_change_id
          and p.candidate_step = head.candidate_step)
      on conflict do nothing;
  end if;
  -- Whoever reports on the same step waits here, and all in one order.
  perform from hotswap.gate_steps g
    where g.tenant_id = p_scope and (g.change_id, g.step) in (
      select p.candidate_change_id, p.candidate_step from jsonb_to_recordset(p_reports) as r (tenant bigint)
      cross join lateral (select * from hotswap.pointers l
        where l.tenant_id = p_scope and l.environment = p_environment and l.seq = r.tenant limit 1) p)
    order by g.change_id, g.step for update;
  heard := hotswap.hear_stable(p_scope, p_environment, p_token, p_reports, p_at, tenant.epoch,
    coalesce(head.tier, tenant.tier), p_instances_max, p_token_instances_max);

  for report in
    select r.*, p.candidate_change_id as change_id, p.candidate_step as step from jsonb_to_recordset(p_reports)
      as r (i integer, epoch bigint, tenant bigint, arm text, instance text, seq bigint, ok bigint, errors bigint,
        guard boolean, latency bigint[])
    left join lateral (select * from hotswap.pointers l
      where l.tenant_id = p_scope and l.environment = p_environment and l.seq = r.tenant limit 1) p
      on r.epoch = tenant.epoch
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
-- Whatever the planner believes that the row-level policies leave over: a history is read from its end, never whole. It
-- would rather gather all of a tenant's moves and sort them, once there are statistics.
do $$
declare name text;
begin
  foreach name in array array['read_pointer', 'read_pointer_as_of', 'load_scope', 'commit_scope', 'rollout_elsewhere',
    'read_moves', 'record_outcomes', 'hear_stable'] loop
    execute format('alter function hotswap.%I set enable_bitmapscan = off', name);
  end loop;
end $$;
