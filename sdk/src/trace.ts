/** What an application's own call says of the trace it is part of; where that fails it says nothing. */
export const traceHeader = (traceparent: (() => string | undefined) | undefined): Record<string, string> => {
  try {
    const said = traceparent?.()
    return said ? { traceparent: said } : {}
  } catch {
    return {}
  }
}
