import type { Decision } from "./command.ts"

type Needed = Extract<Decision, { kind: `needs_${string}` }>

/** Thrown where the state does not hold what the decision rests on; becomes the decision. */
export class Needs extends Error {
  readonly decision: Needed
  constructor(decision: Needed) {
    super(decision.kind)
    this.decision = decision
  }
}
