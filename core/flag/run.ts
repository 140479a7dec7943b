/** A rule made ready: reads the context, or within `map` and its like the item, and the time in whole seconds. */
export type Run = (data: unknown, nowSeconds: number) => unknown

/** A rule whose value is known already. */
type Constant = Run & { value: unknown }

export const constant = (value: unknown): Constant => Object.assign(() => value, { value })
export const isConstant = (run: Run): run is Constant => "value" in run

/** A rule that is no more than an attribute of the context. */
type Attribute = Run & { attribute: string }

export const attribute = (name: string): Attribute =>
  Object.assign((data: unknown) => (data as Record<string, unknown>)[name] ?? null, { attribute: name })
export const isAttribute = (run: Run): run is Attribute => "attribute" in run

/** What one evaluation may cost, and making one flag ready: about as many operands looked at. */
const WORK_MAX = 1_000_000
let workLeft = WORK_MAX

/** Begins anew: whatever was spent before is forgotten. */
export const refillWork = (): void => {
  workLeft = WORK_MAX
}

/** Says how much is left; throws RangeError where it is too much. */
export const spend = (work: number): number => {
  workLeft -= work
  if (workLeft < 0) throw new RangeError("it is too much work")
  return workLeft
}

/** How much was spent since it was begun anew. */
export const workSpent = (): number => WORK_MAX - workLeft
