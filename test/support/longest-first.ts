import { relative } from "node:path"
import { BaseSequencer, type TestSpecification } from "vitest/node"
import { ROOT } from "./source-tree.ts"

/**
 * Files of more than some ten seconds: one of them begun last would be waited for alone. Where one is missing, or is
 * not that long any more, a run takes a little longer and is as right.
 */
const LONG: readonly string[] = [
  "test/e2e/runbooks.test.ts",
  "test/e2e/cli.test.ts",
  "test/sdk/client.test.ts",
  "test/e2e/key-compromised.test.ts",
  "test/faults/outage.test.ts",
  "test/local/start.test.ts",
  "test/functions/edge/outage.test.ts",
  "test/faults/kills.test.ts",
  "test/sdk/providers/web.browser.test.ts",
  "test/faults/redis.test.ts",
  "test/fuzz/fuzz.test.ts",
  "test/e2e/stream.test.ts",
  "test/local/stopping.test.ts",
  "test/isolation/tenants-in-parallel.test.ts",
  "test/faults/races.test.ts",
  "test/e2e/readme.test.ts",
  "test/security/sentinel.test.ts",
  "test/e2e/reload.test.ts",
  "test/local/postgres.test.ts",
  "test/functions/backup/instants.test.ts",
  "test/e2e/guides.test.ts",
  "test/infra/assets.test.ts",
  "test/e2e/ofrep-browser.test.ts",
  "test/faults/port-kills.test.ts",
  "test/isolation/probes.test.ts",
  "test/sdk/regressions.test.ts",
  "test/local/jobs.test.ts",
  "test/e2e/gate.test.ts",
  "test/ci/worker.test.ts",
]

const rankOf = ({ moduleId }: TestSpecification): number => {
  const rank = LONG.indexOf(relative(ROOT, moduleId))
  return rank < 0 ? LONG.length : rank
}

/** Long files first, the longest of them foremost; the others as they would come anyway. */
export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const others = await super.sort(files)
    return others.toSorted((one, other) => rankOf(one) - rankOf(other))
  }
}
