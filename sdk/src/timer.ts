/** Calls later, once, without keeping a process alive for it. Gives what takes it back. */
export const later = (ms: number, call: () => void): (() => void) => {
  const timer: { unref?(): void } = setTimeout(call, ms)
  timer.unref?.()
  return () => clearTimeout(timer as ReturnType<typeof setTimeout>)
}

/** Waits so long, or until it is `over`. */
export const pause = (ms: number, over: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    const end = () => {
      cancel()
      over.removeEventListener("abort", end)
      resolve()
    }
    const cancel = later(ms, end)
    over.addEventListener("abort", end)
  })
