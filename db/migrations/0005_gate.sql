-- Written by hand: drizzle-kit knows neither FORCE nor grants nor functions.
alter table hotswap.gate_steps force row level security;
--> statement-breakpoint
alter table hotswap.gate_instances force row level security;
--> statement-breakpoint
grant select, insert on hotswap.gate_steps, hotswap.gate_instances to hotswap_app;
--> statement-breakpoint
grant update (stable_at, candidate_at, stable_guards, candidate_guards, stable_latency, candidate_latency, late)
  on hotswap.gate_steps to hotswap_app;
--> statement-breakpoint
grant update (stable_ok, stable_errors, candidate_ok, candidate_errors, stable_seq, candidate_seq)
  on hotswap.gate_instances to hotswap_app;
--> statement-breakpoint
-- What was reported of one step, as the gate judges it; null when nobody has. Instances that are alike come as one group:
-- [arm, reported on both arms, had a success, errors of each, how many, their requests].
create function hotswap.read_gate(p_scope text, p_change text, p_step integer) returns text
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
as $$
declare seen hotswap.gate_steps;
begin
  perform set_config('hotswap.tenant', p_scope, true);
  select * into seen from hotswap.gate_steps g
    where g.tenant_id = p_scope and g.change_id = p_change and g.step = p_step;
  if not found then return null; end if;
  return (
    with counted as materialized (
      select g.stable_ok, g.stable_errors, g.candidate_ok, g.candidate_errors,
        g.stable_ok + g.stable_errors as stable, g.candidate_ok + g.candidate_errors as candidate
      from hotswap.gate_instances g
      where g.tenant_id = p_scope and g.change_id = p_change and g.step = p_step
    ), sides as (
      select 'stable' as arm, candidate > 0 as paired, stable_ok > 0 as succeeds, stable_errors as errors,
        stable as requests from counted where stable > 0
      union all
      select 'candidate', stable > 0, candidate_ok > 0, candidate_errors, candidate from counted where candidate > 0
    )
    select json_build_object('since', seen.since, 'stableAt', seen.stable_at, 'candidateAt', seen.candidate_at,
      'stableGuards', seen.stable_guards, 'candidateGuards', seen.candidate_guards,
      'stableLatency', seen.stable_latency, 'candidateLatency', seen.candidate_latency,
      'groups', (select coalesce(json_agg(json_build_array(g.arm, g.paired, g.succeeds, g.errors, g.instances, g.requests)), '[]')
        from (select arm, paired, succeeds, errors, count(*) as instances, sum(requests) as requests
          from sides group by arm, paired, succeeds, errors) g),
      'pairedExpected', (select coalesce(sum((stable_errors + candidate_errors)::float8 * candidate / (stable + candidate)), 0)
        from counted where stable > 0 and candidate > 0))::text);
end $$;
--> statement-breakpoint
create function hotswap.add_counts(one bigint[], other bigint[]) returns bigint[]
language sql immutable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select array(select coalesce(a, 0) + coalesce(b, 0)
    from unnest(one, other) with ordinality as t (a, b, nth) order by nth)
$$;
--> statement-breakpoint
-- Records a batch of reports and returns what the gate judges then, in one round trip. Which change and step a report is
-- about follows from its revision. Nothing is recorded when one of them names a revision that was never given out.
create function hotswap.record_outcomes(
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
begin
  perform set_config('hotswap.tenant', p_scope, true);
  perform set_config('hotswap.read_scopes', '~platform,~tier.Free,~tier.Pro,~tier.Enterprise', true);
  select t.status, e.epoch into tenant from hotswap.tenants t cross join hotswap.epoch e
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
      reason := 'no_rollout';
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
      'status', c.status, 'evidence', hotswap.read_gate(p_scope, c.change_id, head.candidate_step)::json)
    into rollout from hotswap.changes c
    where c.tenant_id = p_scope and c.change_id = head.candidate_change_id;
  return json_build_object('reasons', reasons, 'rollout', rollout);
end $$;
--> statement-breakpoint
revoke execute on function hotswap.read_gate, hotswap.add_counts, hotswap.record_outcomes from public;
--> statement-breakpoint
grant execute on function hotswap.read_gate, hotswap.add_counts, hotswap.record_outcomes to hotswap_app;
