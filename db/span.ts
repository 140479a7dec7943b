import { AsyncLocalStorage } from "node:async_hooks"
import type { Question } from "../core/trace/question.ts"
import type { OpenSpan } from "../core/trace/tracer.ts"

const current = new AsyncLocalStorage<OpenSpan>()

/** The span that is under way for whoever asks now; `undefined` where nothing is traced. */
export const currentSpan = (): OpenSpan | undefined => current.getStore()

/** In a word: a message might quote what failed. */
export const reasonOf = (failure: unknown): string => {
  if (!(failure instanceof Error)) return "unknown"
  return "code" in failure && typeof failure.code === "string" ? failure.code : failure.name
}

/** Does the work inside the span, which ends with it. */
export const inSpan = async <Result>(span: OpenSpan, work: () => Promise<Result>): Promise<Result> => {
  try {
    return await current.run(span, work)
  } catch (error) {
    span.fail(reasonOf(error))
    throw error
  } finally {
    span.end()
  }
}

/** Does the work in a span below the one that is under way, if any is. */
export const spanned = <Result>(name: string, work: () => Promise<Result>): Promise<Result> => {
  const span = current.getStore()
  return span === undefined ? work() : inSpan(span.child(name, "internal"), work)
}

/** What a neighbour is asked, as a span below the one that is under way, if any is. */
export const asking = <Answer>(question: () => Question, ask: () => Promise<Answer>): Promise<Answer> => {
  const above = current.getStore()
  return above === undefined ? ask() : inSpan(above.asks(question()), ask)
}
