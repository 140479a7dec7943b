import { openDatabase } from "../../../db/client.ts"
import { createRunner, RUNNER_OPTIONS } from "../../../functions/backup/runner.ts"
import { composeBasics } from "../../../functions/platform/compose.ts"
import { systemIds } from "../../../functions/platform/ids.ts"
import { type KillPoint, watchPortCalls } from "../../support/port-calls.ts"
import { stepping } from "./job-kills.ts"

// Does what is due, in a process of its own, and dies at one point of it.

const { app, system, kill } = JSON.parse(process.env.JOB_CHILD!) as {
  app: string
  system: string
  kill: KillPoint
}
const calls = watchPortCalls([Number(new URL(app).port)])
const open = (url: string) => openDatabase({ url, applicationName: "job child", max: 4 })
const databases = { db: open(app), system: open(system) }
const basics = composeBasics("jobs", { log: { info() {}, warn() {}, error() {} } })
const runner = createRunner(
  { ...basics, ...databases, ids: systemIds, queue: undefined },
  { "backup.create": stepping(databases.db) },
  RUNNER_OPTIONS,
)
calls.begin(kill)
await runner.run(Date.now() + 60_000)
await basics.background.settled()
calls.end()
await Promise.all([databases.db.close(), databases.system.close()])
