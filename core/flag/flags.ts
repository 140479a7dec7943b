import { type Definitions, FlagSet } from "./flag-set.ts"
import { rules } from "./rules.ts"

export { type Definition, type Definitions, NEEDED_MAX } from "./flag-set.ts"

/** All flags of one view, whatever rules they have. */
export class Flags extends FlagSet {
  constructor(definitions: Definitions) {
    super(definitions, rules)
  }
}
