import { show } from "./command.ts"

/** The tests of what is counted; what they are held to is in vitest.config.ts. */
const TESTS = [
  ...["core", "db", "functions", "sdk", "contracts", "audit"].map((folder) => `test/${folder}/`),
  "test/security/who.test.ts",
]

/** Counting makes everything slower. */
const TIMEOUT_MS = 120_000

/** Throws unless those tests pass and cover as much as they have to. */
export const checkCoverage = async (): Promise<void> => {
  const timeouts = ["--testTimeout", "--hookTimeout"].map((option) => `${option}=${TIMEOUT_MS}`)
  await show("vitest", ["run", "--coverage", ...timeouts, ...TESTS], {
    environment: { HOTSWAP_COVERAGE: "1" },
  })
}
