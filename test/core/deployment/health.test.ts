import { expect, test } from "vitest"
import type { Target } from "../../../core/deployment/deployments.ts"
import { observed, shownHealth, stillNamed, type TargetStatus } from "../../../core/deployment/health.ts"
import { inOrder } from "../../../core/deployment/order.ts"

const at = (second: number): string => new Date(second * 1_000).toISOString()
const THRESHOLDS = { unhealthyAfter: 3, healthyAfter: 2 }

/** The states that a run of looks goes through, one a second. */
const statesOf = (looks: string, thresholds = THRESHOLDS): string => {
  let status: TargetStatus | undefined
  return [...looks]
    .map((look, second) => {
      const seen = { ok: look === "+", at: at(second), latencyMs: 1, words: look }
      status = observed(status, seen, thresholds)
      return status.state === "healthy" ? "h" : "u"
    })
    .join("")
}

test("as many failures in a row as were asked for make a target unhealthy, and as many successes healthy", () => {
  expect(statesOf("+---")).toBe("hhhu")
  expect(statesOf("+--+--+---")).toBe("hhhhhhhhhu")
  expect(statesOf("-+-++")).toBe("uuuuh")
  expect(statesOf("+-+", { unhealthyAfter: 1, healthyAfter: 1 })).toBe("huh")
})

test("the first look decides by itself", () => {
  expect([statesOf("+"), statesOf("-")]).toEqual(["h", "u"])
})

test("a target is healthy since it became so, however often it was looked at since", () => {
  const look = (before: TargetStatus | undefined, second: number, ok: boolean) =>
    observed(before, { ok, at: at(second), latencyMs: 5, words: "" }, { unhealthyAfter: 1, healthyAfter: 1 })
  const down = look(look(undefined, 1, true), 2, false)
  const still = look(look(down, 3, false), 4, false)
  expect([still.since, still.checkedAt]).toEqual([at(2), at(4)])
})

const URLS = ["http://a", "http://b"]
const deployments = { metrics: { targets: URLS.map((url) => ({ url })) } }
const status = (state: TargetStatus["state"]): TargetStatus => ({
  state,
  since: at(1),
  checkedAt: at(2),
  latencyMs: 1,
  against: 0,
  words: "",
})

test("a backend is as its targets are together, and tells how old that is", () => {
  const shown = (...states: (TargetStatus["state"] | null)[]) => {
    const known = states.flatMap((state, nth) => (state ? [[URLS[nth]!, status(state)] as const] : []))
    return shownHealth(deployments, { metrics: Object.fromEntries(known) }, 5_000) as {
      metrics: { state: string; targets: { ageMs: number | null }[] }
    }
  }
  expect(shown("healthy", "healthy").metrics.state).toBe("healthy")
  expect(shown("healthy", "unhealthy").metrics.state).toBe("degraded")
  expect(shown("unhealthy", "unhealthy").metrics.state).toBe("unhealthy")
  expect(shown("healthy", null).metrics.state).toBe("unknown")
  expect(shown("healthy", null).metrics.targets.map(({ ageMs }) => ageMs)).toEqual([3_000, null])
})

test("what was known of a target is forgotten with it", () => {
  const kept = stillNamed(deployments, {
    metrics: { "http://a": status("healthy"), "http://gone": status("healthy") },
    logs: { "http://a": status("healthy") },
  })
  expect(kept).toEqual({ metrics: { "http://a": status("healthy") } })
})

const order = (
  targets: readonly (Target & { priority?: number; isDown?: boolean })[],
  use: "query" | "write",
  here: string | null,
): string =>
  inOrder(
    targets.map(({ isDown = false, ...target }) => ({ target: { priority: 0, ...target }, isDown })),
    use,
    here,
    ({ isDown }) => ({ isDown }),
  )
    .map(({ target }) => target.url)
    .join("")

test("the nearest target is asked first, then by priority, then as they are named; those that are down last", () => {
  const far = { url: "f", region: "us-east-1" }
  const near = { url: "n", region: "eu-central-1" }
  const zone = { url: "z", region: "eu-central-1a" }
  expect(order([far, zone, near], "query", "eu-central-1")).toBe("nzf")
  expect(order([far, near, zone], "query", "eu-central-1a")).toBe("znf")
  expect(order([far, near], "query", null)).toBe("fn")
  expect(order([{ ...near, isDown: true }, far], "query", "eu-central-1")).toBe("fn")
  expect(
    order(
      [
        { url: "b", priority: 2 },
        { url: "a", priority: 1 },
        { url: "c", priority: 2 },
      ],
      "query",
      null,
    ),
  ).toBe("abc")
})

test("a target that is for one use is asked for no other", () => {
  const targets = [{ url: "r", use: "query" as const }, { url: "w", use: "write" as const }, { url: "b" }]
  expect([order(targets, "query", null), order(targets, "write", null)]).toEqual(["rb", "wb"])
})
