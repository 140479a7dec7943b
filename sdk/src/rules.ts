import type { Rules } from "../../core/flag/rules.ts"
import { hasRules } from "./snapshot.ts"
import type { Snapshot } from "./types.ts"

/** As long as what evaluates rules is not there, a flag that has one is in error. */
const NO_RULES: Rules = {
  compileRule: () => {
    throw new Error("rules could not be loaded")
  },
  refillWork: () => undefined,
}

/** Loaded for the first flag that has a rule, and then there for all clients. */
export let rules = NO_RULES

/** Must rules be loaded before it is served? */
export const needsRules = (snapshot: Snapshot): boolean => rules === NO_RULES && hasRules(snapshot)

/** Where `failed` is not told, it is thrown. */
export const loadRules = (failed?: (thrown: unknown) => void): Promise<void> =>
  import("../../core/flag/rules.ts").then((loaded) => {
    rules = loaded.rules
  }, failed)
