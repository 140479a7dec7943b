import { show } from "./command.ts"

/** The tests of what is counted; what they are held to is in vitest.config.ts. */
const TESTS = ["test/core/", "test/db/", "test/functions/", "test/sdk/", "test/contracts/", "test/audit/"]

/** Counting makes everything slower. */
const TIMEOUT_MS = 120_000

/** Throws unless those tests pass and cover as much as they have to. */
export const checkCoverage = async (): Promise<void> => {
  const timeouts = ["--testTimeout", "--hookTimeout"].map((option) => `${option}=${TIMEOUT_MS}`)
  await show("vitest", ["run", "--project", "behaviour", "--coverage", ...timeouts, ...TESTS])
}
