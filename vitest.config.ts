import { availableParallelism } from "node:os"
import { defineConfig } from "vitest/config"
import { LongestFirst } from "./test/support/longest-first.ts"

const report = process.env.HOTSWAP_TEST_REPORT

/** Each file in a process of its own: most start others, and some look for what nobody caught. */
const APART = [
  ...["ci", "e2e", "faults", "fuzz", "isolation", "local"].map((folder) => `test/${folder}/**/*.test.ts`),
  "test/security/sentinel.test.ts",
  "test/db/client.test.ts",
  "test/sdk/middleware-edges.test.ts",
]

const behaviour = {
  // On a machine that does much else, many times what is usual: only what hangs is to be ended.
  testTimeout: 60_000,
  hookTimeout: 120_000,
  expect: { poll: { timeout: 15_000 } },
}

/**
 * Four projects: `behaviour` and `apart` prove what the code does, `arrows` who may import whom, and `prove` runs the
 * long form of what those run a fixed sample of. `npm test` is the first three.
 */
export default defineConfig({
  test: {
    // A fifth of a file's time is waiting, for processes to start and end mostly: others use the cores meanwhile.
    maxWorkers: Math.ceil(availableParallelism() * 1.5),
    sequence: { sequencer: LongestFirst },
    globalSetup: ["test/support/global-postgres.ts"],
    // The CDK's own validation of templates, which only warns, takes seconds each time: `npm run synth` has it.
    env: { CDK_VALIDATION: "false" },
    reporters: report ? ["default", ["json", { outputFile: report }]] : ["default"],
    projects: [
      {
        test: {
          ...behaviour,
          name: "behaviour",
          include: ["test/**/*.test.ts"],
          exclude: ["test/arrows.test.ts", ...APART],
          // A process for each file costs as much as what it tests. It is counted in one for each, as packages are not counted.
          isolate: process.env.HOTSWAP_COVERAGE === "1",
          setupFiles: ["test/support/afresh.ts"],
        },
      },
      { test: { ...behaviour, name: "apart", include: APART } },
      { test: { name: "arrows", include: ["test/arrows.test.ts"] } },
      ...(process.env.HOTSWAP_PROVE === "1"
        ? [
            {
              test: {
                name: "prove",
                include: ["test/**/*.prove.ts"],
                // Long runs kill servers and measure rates: side by side they would judge each other.
                fileParallelism: false,
                testTimeout: 1_800_000,
                hookTimeout: 120_000,
              },
            },
          ]
        : []),
    ],
    coverage: {
      provider: "v8",
      include: ["core/**/*.ts", "db/**/*.ts", "functions/**/*.ts", "sdk/src/**/*.ts"],
      exclude: ["db/migrations/**", "db/drizzle.config.ts"],
      reporter: ["text-summary", "json-summary"],
      // In per cent, of each folder by itself: what one has more does not make up for what another lacks. Of `functions`, the
      // Worker is counted only with HOTSWAP_COVERAGE=1, as ci/coverage.ts sets it.
      thresholds: {
        "core/**": { lines: 98, statements: 97, functions: 98, branches: 94 },
        "db/**": { lines: 97, statements: 97, functions: 97, branches: 89 },
        "functions/**": { lines: 94, statements: 93, functions: 94, branches: 87 },
        "sdk/**": { lines: 96, statements: 94, functions: 94, branches: 88 },
      },
    },
  },
})
