import { afterAll, beforeAll, describe, expect, test, vi } from "vitest"
import { Flags } from "../../core/flag/flags.ts"
import { explain } from "../../sdk/src/explain.ts"
import { HotswapClient } from "../../sdk/src/index.ts"
import { GOLDEN_SECONDS, GOLDEN_VIEWS } from "../golden/golden.ts"
import { snapshotOf } from "./scripted.ts"

beforeAll(() => {
  vi.useFakeTimers({ now: GOLDEN_SECONDS * 1_000 + 999 })
})
afterAll(() => {
  vi.useRealTimers()
})

/** A client of nothing but what it is given. */
const clientOf = (configs: Parameters<typeof snapshotOf>[1]) =>
  new HotswapClient({
    url: "http://nowhere",
    token: "hsr_none",
    tenantId: "acme",
    bootstrap: snapshotOf(1, configs),
    stream: false,
    fetch: () => new Promise(() => {}),
  })

describe.each(GOLDEN_VIEWS)("a client with the flags of $of", ({ configs, cases }) => {
  const client = clientOf({ configs })
  afterAll(() => client.close())

  test.each(cases)("$name", ({ flag, context, expected }) => {
    const view = client.view()
    const { errorMessage, ...evaluation } = view.evaluate(flag, context)
    expect(evaluation).toEqual({ metadata: {}, ...expected })
    expect(client.evaluate(flag, context)).toEqual(view.evaluate(flag, context))
    expect(client.isEnabled(flag, context)).toBe(expected.value === true)
    expect(explain(view, flag, context).evaluation).toEqual(view.evaluate(flag, context))
  })
})

test("a flag that asks what time it is is told, whatever way it asks", () => {
  const paths = ["$flagd.timestamp", ["$flagd.timestamp", 0], { cat: ["$fla", "gd.timestamp"] }]
  const variants = paths.map((path) => {
    const targeting = { if: [{ "==": [{ var: path }, GOLDEN_SECONDS] }, "now", "past"] }
    const flag = {
      state: "ENABLED",
      variants: { now: true, past: false },
      defaultVariant: "past",
      targeting,
    } as const
    const { variant } = clientOf({ configs: { flag } as never }).evaluate("flag")
    const flags = new Flags(new Map([["flag", flag]]) as never)
    expect(variant).toBe(flags.evaluate("flag", {}, GOLDEN_SECONDS).variant)
    return variant
  })
  expect(variants.slice(0, 2)).toEqual(["now", "now"])
})
