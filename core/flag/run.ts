/** A rule made ready: reads the context, or within `map` and its like the item, and the time in whole seconds. */
export type Run = (data: unknown, nowSeconds: number) => unknown

/** A rule whose value is known already. */
type Constant = Run & { known: { value: unknown } }

export const constant = (value: unknown): Constant => Object.assign(() => value, { known: { value } })
export const isConstant = (run: Run): run is Constant => "known" in run
