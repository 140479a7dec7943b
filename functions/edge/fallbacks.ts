import type { OriginAnswer } from "./origin.ts"
import type { Arm, HeldPointer } from "./pointer.ts"
import type { Pointers, Reading } from "./pointers.ts"
import type { Scope } from "./scope.ts"
import type { Caller } from "./views.ts"

/** What was read of a view, and by which pointer and arm. */
export interface Loaded<T> {
  reading: Reading
  arm: Arm
  found: OriginAnswer<T>
}

export const isFailure = <T>(found: OriginAnswer<T>): found is "absent" | "unreachable" =>
  found === "absent" || found === "unreachable"

/** Something of a view that has to be loaded, or of what remains when it cannot be. */
export const loadWithFallbacks = async <T>(
  pointers: Pointers,
  scope: Scope,
  first: Reading,
  armOf: (pointer: HeldPointer) => Arm,
  load: (pointer: HeldPointer, arm: Arm) => Promise<OriginAnswer<T>>,
  caller: Caller,
): Promise<Loaded<T>> => {
  const attempt = async (reading: Reading, arm = armOf(reading.pointer)): Promise<Loaded<T>> => ({
    reading,
    arm,
    found: await load(reading.pointer, arm),
  })
  const wanted = await attempt(first)
  if (!isFailure(wanted.found)) return wanted
  if (wanted.found === "absent") {
    // The origin has dropped the view: it names another one by now.
    const renewed = await pointers.renew(scope, caller)
    const second = typeof renewed === "string" ? wanted : await attempt(renewed)
    if (!isFailure(second.found)) return second
  }
  // Without the candidate's view its readers are better off with the stable one than with nothing.
  const stable = await attempt(first, first.pointer.stable)
  if (!isFailure(stable.found)) return stable
  const kept = await pointers.restore(scope, caller)
  return kept ? await attempt(kept, kept.pointer.stable) : wanted
}
