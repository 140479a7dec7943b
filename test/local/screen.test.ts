import { expect, test } from "vitest"
import { startScreen } from "../../local/screen.ts"

const FACTS = {
  url: "http://localhost:8787",
  originUrl: "http://localhost:8788",
  home: "/home/erin/.hotswap",
  environments: ["Staging", "Production"],
  outboundAllow: "",
  database: "18, its own",
  redis: "embedded",
  adminToken: "a-token-long-enough-for-anybody",
  tokenGiven: false,
  startedInMs: 1_234,
}

const webhooks = (outboundAllow: string): string | undefined =>
  startScreen({ ...FACTS, outboundAllow })
    .split("\n")
    .find((line) => line.startsWith("  webhooks"))

test("the screen says how far webhooks reach as it is set", () => {
  expect(webhooks("")).toContain("public addresses only; HOTSWAP_OUTBOUND_ALLOW=127.0.0.0/8")
  expect(webhooks("10.1.0.0/16,127.0.0.0/8")).toContain("and those of 10.1.0.0/16,127.0.0.0/8")
})

test("the screen shows the token that was made, and not the one that was handed in", () => {
  expect(startScreen(FACTS)).toContain(FACTS.adminToken)
  const given = startScreen({ ...FACTS, tokenGiven: true })
  expect(given).not.toContain(FACTS.adminToken)
  expect(given).toContain('ADMIN="$HOTSWAP_ADMIN_TOKEN"')
})
