import { AsyncLocalStorage } from "node:async_hooks"
import type { Background } from "../platform/background.ts"

/**
 * Knows which background work an invocation set off, so that it waits for its own and not for that of others
 * in the same process, of which there may always be some.
 */
export const createInvocations = (background: Background) => {
  const current = new AsyncLocalStorage<Promise<unknown>[]>()
  return {
    background: {
      waitUntil: (task: Promise<unknown>) => {
        background.waitUntil(task)
        current.getStore()?.push(task)
      },
      settled: () => background.settled(),
    } satisfies Background,
    /** Runs `work` and what it set off to the end. What fails in the background was logged there. */
    toTheEnd: async <Result>(work: () => Promise<Result>): Promise<Result> => {
      const tasks: Promise<unknown>[] = []
      const result = await current.run(tasks, work)
      await Promise.allSettled(tasks)
      return result
    },
  }
}
