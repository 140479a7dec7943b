import { pathPart } from "../client.ts"
import { useConsole, useMay } from "../console.tsx"
import { useLive } from "../live.ts"
import { LayerBadge } from "../parts/badge.tsx"
import { Loaded } from "../parts/loaded.tsx"
import { changesOf, OnTheWay, useOpenChanges } from "../parts/open-changes.tsx"
import { PolicyEditor } from "../parts/policy-editor.tsx"
import { gateInForce, type MemberInForce, membersInForce } from "../parts/policy-words.ts"
import { RulesEditor, RulesInForce } from "../parts/rules.tsx"
import type { PolicyShown, RulesShown } from "../shapes.ts"
import { layerOf, POLICY_KEY, withinOf } from "../words.ts"

const Members = ({ caption, members }: { caption: string; members: readonly MemberInForce[] }) => (
  <div class="table-frame">
    <table class="list">
      <caption class="hidden">{caption}</caption>
      <thead>
        <tr>
          <th scope="col">What</th>
          <th scope="col">In force</th>
          <th scope="col">From</th>
        </tr>
      </thead>
      <tbody>
        {members.map(({ name, words, from }) => (
          <tr key={name}>
            <th scope="row">{name}</th>
            <td>{words}</td>
            <td>
              {from ? (
                <LayerBadge layer={layerOf(from.scope)} scope={from.scope} locked={from.locked} />
              ) : (
                <span class="quiet">By default</span>
              )}
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  </div>
)

const InForce = ({ policy, layers }: PolicyShown) => (
  <>
    <Members caption="The policy in force" members={membersInForce(policy, layers)} />
    <details>
      <summary>What the gate asks</summary>
      <Members caption="Thresholds of the gate" members={gateInForce(policy, layers)} />
    </details>
  </>
)

/** Both are one document of the scope's, written at two places: what alters one is read of both. */
const PolicyAndRules = () => {
  const { client, tenant, environment } = useConsole()
  const may = useMay()
  const open = useOpenChanges()
  const at = `/api/v1/tenants/${pathPart(tenant)}/environments/${pathPart(environment)}`
  const policy = useLive(`policy ${at}`, (signal) => client.get<PolicyShown>(`${at}/policy`, {}, signal))
  const rules = useLive(`rules ${at}`, (signal) => client.get<RulesShown>(`${at}/rules`, {}, signal))
  const reload = (): void => {
    void policy.refresh()
    void rules.refresh()
    void open.refresh()
  }
  const mayWrite = may("policy.submit", environment)
  return (
    <>
      <OnTheWay changes={changesOf(open.data, POLICY_KEY)} />
      <Loaded live={policy} what="the policy">
        {(shown) => (
          <>
            <InForce {...shown} />
            {mayWrite && (
              <section class="card" aria-labelledby="own-policy">
                <h2 id="own-policy">What {withinOf(tenant)} says itself</h2>
                <PolicyEditor shown={shown} onReload={reload} />
              </section>
            )}
          </>
        )}
      </Loaded>
      <section class="card" aria-labelledby="rules">
        <h2 id="rules">Rules between configs</h2>
        <Loaded live={rules} what="the rules">
          {(shown) => (
            <>
              <RulesInForce {...shown} />
              {mayWrite && policy.data && (
                <details>
                  <summary>Rules of {withinOf(tenant)} itself</summary>
                  <RulesEditor shown={shown} policy={policy.data.policy} onReload={reload} />
                </details>
              )}
            </>
          )}
        </Loaded>
      </section>
    </>
  )
}

export const PolicyPage = () => {
  const { environment } = useConsole()
  const may = useMay()
  return (
    <>
      <div class="page-head">
        <h1>Policy</h1>
      </div>
      <p class="lead">
        What {environment} asks of a change before and while it reaches readers, and of its configs.
        {!may("policy.submit", environment) && " Managers and tenant admins write it."}
      </p>
      <PolicyAndRules />
    </>
  )
}
