import { expect } from "vitest"
import type { JsonObject } from "../../core/json.ts"
import type { GoldenCase, GoldenView } from "./golden.ts"

/** Asks one flag, or all of them, of the view that was made ready: the status and the body. */
export type Ask = (key: string | null, context: JsonObject) => Promise<{ status: number; body: JsonObject }>

/** What the protocol has for this: without the message of an error, which may say anything. */
const toldOf = ({ flag: key, expected }: GoldenCase): { status: number; body: JsonObject } => {
  const { errorCode, reason, metadata, ...rest } = expected
  if (errorCode !== undefined)
    return { status: errorCode === "FLAG_NOT_FOUND" ? 404 : 400, body: { key, errorCode } }
  return { status: 200, body: { key, reason, ...(metadata ? { metadata } : {}), ...rest } as JsonObject }
}

const withoutMessage = ({ errorDetails: _, ...body }: JsonObject): JsonObject => body

/** Every case of the view, asked one by one, and all at once for each context: identical to what core says. */
export const expectGolden = async (ask: Ask, cases: GoldenView["cases"]): Promise<void> => {
  const expectOne = async (one: GoldenCase): Promise<void> => {
    const { status, body } = await ask(one.flag, one.context)
    expect({ status, body: withoutMessage(body) }, one.name).toEqual(toldOf(one))
  }
  const expectAll = async (ofContext: readonly GoldenCase[]): Promise<void> => {
    const { status, body } = await ask(null, ofContext[0]!.context)
    expect(status).toBe(200)
    const flags = new Map((body.flags as JsonObject[]).map((flag) => [flag.key, withoutMessage(flag)]))
    for (const one of ofContext) {
      const told = toldOf(one)
      expect(flags.get(one.flag), one.name).toEqual(told.status === 404 ? undefined : told.body)
    }
  }
  await Promise.all(cases.map(expectOne))
  const byContext = Map.groupBy(cases, ({ context }) => JSON.stringify(context))
  await Promise.all([...byContext.values()].map(expectAll))
}
