import { compileRule } from "./logic.ts"
import { refillWork } from "./run.ts"

/** What makes rules ready, and bounds what they cost: whoever has no flag with a rule can do without. */
export interface Rules {
  compileRule: typeof compileRule
  refillWork: typeof refillWork
}

export const rules: Rules = { compileRule, refillWork }
