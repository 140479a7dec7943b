/** Runs `work` inside a span of that name. */
export type Trace = <Result>(name: string, work: () => Promise<Result>) => Promise<Result>

/** Traces nothing. */
export const noTrace: Trace = (_name, work) => work()
