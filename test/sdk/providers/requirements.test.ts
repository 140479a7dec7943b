import { OpenFeature } from "@openfeature/server-sdk"
import { afterEach, expect, test } from "vitest"
import { EVENTS } from "./requirements-events.ts"
import { PROVIDERS } from "./requirements-providers.ts"

// OpenFeature's specification, sections 2 (providers) and 5 (events), as of August 2026: every requirement there is, by its number,
// with what shows it for the server provider, or whose it is.

const SHOWN = [...PROVIDERS, ...EVENTS]

afterEach(async () => {
  await OpenFeature.clearProviders()
})

/** Requirements of the same sections that are not this provider's, and why. */
const NOT_OURS: Record<string, string> = {
  "2.2.2": "a condition, which holds",
  "2.2.8": "a condition, which holds",
  "2.4.2": "a condition, which holds",
  "2.4.4": "of providers that are domain-scoped",
  "2.6.1": "of providers with one context: the web provider",
  "2.7.1": "optional: how requests went is told to the client, with the view they saw",
  "2.8.4": "of providers with one context: the web provider",
  "2.8.5": "a condition, which does not hold",
  "2.8.5.1": "the SDK's",
  "5.2.1": "the SDK's",
  "5.2.2": "the SDK's",
  "5.2.3": "the SDK's",
  "5.2.4": "the SDK's",
  "5.2.5": "the SDK's",
  "5.2.6": "the SDK's",
  "5.2.7": "the SDK's",
  "5.3.1": "the SDK's",
  "5.3.2": "the SDK's",
  "5.3.3": "the SDK's",
  "5.3.4": "of providers with one context: the web provider",
  "5.3.4.1": "of providers with one context: the web provider",
  "5.3.4.2": "of providers with one context: the web provider",
  "5.3.4.3": "of providers with one context: the web provider",
  "5.3.5": "the SDK's",
}

test.each(SHOWN)("%s: %s", async (_number, _says, shows) => {
  await shows()
})

test("no requirement of the two sections is left out", () => {
  // As `grep -o 'Requirement [0-9.]*\|Condition [0-9.]*'` has them of the two files.
  const all =
    `2.1.1 2.2.1 2.2.2 2.2.2.1 2.2.3 2.2.4 2.2.5 2.2.6 2.2.7 2.2.8 2.2.8.1 2.2.9 2.2.10 2.3.1 2.3.2 2.3.3
    2.4.1 2.4.2 2.4.2.1 2.4.3 2.4.4 2.5.1 2.5.2 2.5.3 2.6.1 2.7.1 2.8.1 2.8.2 2.8.3 2.8.4 2.8.5 2.8.5.1
    5.1.1 5.1.2 5.1.3 5.1.4 5.1.5 5.2.1 5.2.2 5.2.3 5.2.4 5.2.5 5.2.6 5.2.7 5.3.1 5.3.2 5.3.3
    5.3.4 5.3.4.1 5.3.4.2 5.3.4.3 5.3.5`.split(/\s+/)
  expect([...SHOWN.map(([each]) => each), ...Object.keys(NOT_OURS)].sort()).toEqual(all.sort())
})
