import { defineConfig } from "vitest/config"

const report = process.env.HOTSWAP_TEST_REPORT
const postgres = "test/support/global-postgres.ts"

/**
 * Three projects: `behaviour` proves what the code does, `arrows` who may import whom, and `prove` runs the
 * long form of what `behaviour` runs a fixed sample of. `npm test` is the first two.
 */
export default defineConfig({
  test: {
    // Much of a test's time is waiting for processes to start and end: no core has to be kept free for it.
    maxWorkers: "100%",
    reporters: report ? ["default", ["json", { outputFile: report }]] : ["default"],
    projects: [
      {
        test: {
          name: "behaviour",
          include: ["test/**/*.test.ts"],
          exclude: ["test/arrows.test.ts"],
          globalSetup: [postgres],
          testTimeout: 30_000,
          hookTimeout: 60_000,
        },
      },
      { test: { name: "arrows", include: ["test/arrows.test.ts"] } },
      ...(process.env.HOTSWAP_PROVE === "1"
        ? [
            {
              test: {
                name: "prove",
                include: ["test/**/*.prove.ts"],
                globalSetup: [postgres],
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
    },
  },
})
