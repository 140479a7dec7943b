import type { ScopedRule } from "../rule/rule.ts"
import type { Change, Frozen } from "./change.ts"
import type { DecideContext } from "./command.ts"
import { effectivePolicy } from "./effective-policy.ts"
import { freezeAt } from "./freeze.ts"
import type { Policy, PolicyDocument } from "./policy.ts"
import { isPolicyChange } from "./policy-change.ts"
import type { Commit, LayerPolicy, ScopeState } from "./scope-state.ts"

/** The policy while one decision is made: one that goes live counts for all that comes after it in the same commit. */
export class PolicyInForce {
  policy: Policy
  /** The scope's own, where the decision makes it another; `null`: it has none any more. */
  altered: Commit["policy"]
  readonly #state: ScopeState
  readonly #context: DecideContext
  #layers: readonly LayerPolicy[]
  /** The freeze of the policy it was looked up for. */
  #frozen: { policy: Policy; frozen: Frozen | null } | null = null

  constructor(state: ScopeState, context: DecideContext) {
    this.#state = state
    this.#context = context
    this.policy = context.policy
    this.#layers = state.policies
  }

  set(own: Omit<LayerPolicy, "scope"> | null): void {
    const { scope, environment } = this.#state
    this.altered = own
    this.#layers = [...this.#inherited(), ...(own === null ? [] : [{ scope, ...own }])]
    this.policy = effectivePolicy(scope, environment, this.#context.environments, this.#layers)
  }

  /** Those of all layers, farthest first; `own`: as they would be if this were the scope's own policy. */
  rules(own?: PolicyDocument): readonly ScopedRule[] {
    const layers: readonly Pick<LayerPolicy, "scope" | "document">[] =
      own === undefined ? this.#layers : [...this.#inherited(), { scope: this.#state.scope, document: own }]
    return layers.flatMap(({ scope, document }) => (document.rules ?? []).map((rule) => ({ scope, rule })))
  }

  /** The freeze that keeps the change from starting or growing; a policy passes, or none could lift it. */
  frozenFor(change: Change): Frozen | null {
    if (isPolicyChange(change)) return null
    const { policy } = this
    if (this.#frozen?.policy !== policy)
      this.#frozen = { policy, frozen: freezeAt(policy.freezes, this.#context.now) }
    return this.#frozen.frozen
  }

  /** What of other scopes it rests on. */
  inheritedVersions(): Commit["inherited"] {
    return Object.fromEntries(this.#inherited().map(({ scope, version }) => [scope, version]))
  }

  #inherited(): readonly LayerPolicy[] {
    return this.#state.policies.filter(({ scope }) => scope !== this.#state.scope)
  }
}
