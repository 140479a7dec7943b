import { relative } from "node:path"
import { BaseSequencer, type TestSpecification } from "vitest/node"
import { ROOT } from "./source-tree.ts"

/**
 * Files of more than some seconds: one of them begun last would be waited for alone. Where one is missing, or is not that
 * long any more, a run takes a little longer and is as right.
 */
const LONG: readonly string[] = [
  "test/e2e/runbooks.test.ts",
  "test/e2e/cli.test.ts",
  "test/e2e/key-compromised.test.ts",
  "test/e2e/audit-request.test.ts",
  "test/e2e/console.test.ts",
  "test/local/postgres.test.ts",
  "test/sdk/client.test.ts",
  "test/functions/edge/outage.test.ts",
  "test/faults/redis.test.ts",
  "test/faults/outage.test.ts",
  "test/local/start.test.ts",
  "test/infra/assets.test.ts",
  "test/fuzz/fuzz.test.ts",
  "test/local/stopping.test.ts",
  "test/isolation/tenants-in-parallel.test.ts",
  "test/e2e/stream.test.ts",
  "test/sdk/providers/web.browser.test.ts",
  "test/e2e/readme.test.ts",
  "test/sdk/package.test.ts",
  "test/isolation/probes.test.ts",
  "test/sdk/regressions.test.ts",
  "test/security/sentinel.test.ts",
  "test/ci/worker.test.ts",
  "test/infra/bundles.test.ts",
  "test/e2e/guides.test.ts",
  "test/e2e/reload.test.ts",
  "test/faults/kills.test.ts",
  "test/functions/migrate/migrate.test.ts",
  "test/local/jobs.test.ts",
  "test/faults/cuts.test.ts",
  "test/functions/edge/stream.test.ts",
  "test/e2e/load.test.ts",
  "test/security/corpus.test.ts",
  "test/functions/backup/retain.test.ts",
  "test/e2e/gate.test.ts",
  "test/faults/postgres-kills.test.ts",
  "test/ci/smoke.test.ts",
  "test/e2e/ofrep-browser.test.ts",
  "test/e2e/deployed.test.ts",
  "test/ci/pull-request.test.ts",
  "test/e2e/deployments.test.ts",
  "test/functions/backup/restore-as-of.test.ts",
  "test/isolation/unbypassable.test.ts",
  "test/e2e/traces.test.ts",
  "test/sdk/context-guide.test.ts",
  "test/security/who.test.ts",
  "test/db/client.test.ts",
  "test/sdk/cli-deployments.test.ts",
  "test/local/supervision.test.ts",
  "test/e2e/ofrep.test.ts",
  "test/faults/deadlines.test.ts",
  "test/functions/backup/into-kills.test.ts",
  "test/functions/edge/ofrep.test.ts",
  "test/local/database.test.ts",
  "test/faults/port-kills.test.ts",
  "test/sdk/cli-config.test.ts",
  "test/functions/backup/fingerprints.test.ts",
  "test/isolation/pooled.test.ts",
  "test/functions/backup/into-hostile.test.ts",
  "test/functions/backup/validate.test.ts",
  "test/functions/backup/drill.test.ts",
  "test/functions/backup/job-kills.test.ts",
  "test/functions/backup/restore-kills.test.ts",
  "test/functions/manage/erasure.test.ts",
  "test/functions/backup/round-trip.test.ts",
  "test/functions/manage/prometheus.test.ts",
  "test/e2e/quick-start.test.ts",
  "test/audit/forked.test.ts",
]

const rankOf = ({ moduleId, project }: TestSpecification): number => {
  const rank = LONG.indexOf(relative(ROOT, moduleId))
  // Files that share a process come one after the other, or it would be ended in between.
  return (project.config.isolate ? 0 : LONG.length + 1) + (rank < 0 ? LONG.length : rank)
}

/** Long files first, the longest of them foremost, of each sort; the others as they would come anyway. */
export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const others = await super.sort(files)
    return others.toSorted((one, other) => rankOf(one) - rankOf(other))
  }
}
