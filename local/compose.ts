import { createAdvance } from "../functions/advance/advance.ts"
import { type Backup, createBackup } from "../functions/backup/backup.ts"
import { createManage } from "../functions/manage/manage.ts"
import { createNotify } from "../functions/notify/notify.ts"
import { createOutcomes } from "../functions/outcomes/outcomes.ts"
import { systemClock } from "../functions/platform/clock.ts"
import { composeAdvance } from "../functions/platform/compose-advance.ts"
import { composeBackup } from "../functions/platform/compose-backup.ts"
import { composeManage } from "../functions/platform/compose-manage.ts"
import { composeNotify } from "../functions/platform/compose-notify.ts"
import { composeOutcomes } from "../functions/platform/compose-outcomes.ts"
import { composeRead } from "../functions/platform/compose-read.ts"
import { composeRelay } from "../functions/platform/compose-relay.ts"
import { composeRouter } from "../functions/platform/compose-router.ts"
import { jsonLog, type Log } from "../functions/platform/log.ts"
import { createRead } from "../functions/read/read.ts"
import { createRelay } from "../functions/relay/relay.ts"
import { createProvisioner } from "../functions/router/provisioner.ts"
import { createRouter } from "../functions/router/router.ts"
import { createWatch } from "../functions/router/watch.ts"
import { builtConsole } from "./console.ts"
import type { HostedFunction } from "./functions.ts"
import type { Schedule } from "./timers.ts"

/** The functions as this process runs them: the very ones that deploy, composed for local neighbours. */
export interface Functions {
  route: (method: string, path: string) => HostedFunction
  schedules: readonly Schedule[]
  environments: readonly string[]
  /** Resolves once nothing is left running that an answer or a schedule began: no job, no message. */
  settled(): Promise<void>
  /** Waits for what answers left running, then lets go of the database. */
  close(): Promise<void>
}

const READ_TIMEOUT_MS = 10_000
const OUTCOMES_PATHS = ["/api/v1/outcomes", "/api/v1/events", "/internal/usage"]
const OUTCOMES_TIMEOUT_MS = 10_000
const MANAGE_TIMEOUT_MS = 29_000
const ROUTE_PATH = "/api/v1/route/"
const ROUTER_TIMEOUT_MS = 300_000
const SWEEP_EVERY_MS = 1_000
const TICK_EVERY_MS = 250
const NOTIFY_EVERY_MS = 1_000
const JOBS_EVERY_MS = 1_000
const WATCH_EVERY_MS = 1_000
const USAGE_EVERY_MS = 1_000

/** Composes the functions from settings, as the environment variables of each would. Throws SettingsError. */
export const composeFunctions = (
  variables: Readonly<Record<string, string>>,
  write: (line: string) => void,
): Functions => {
  const log = (functionName: string): Log => jsonLog({ clock: systemClock, functionName, write })
  const platforms = {
    read: composeRead(variables, { log: log("read") }),
    manage: composeManage(variables, { log: log("manage"), consoleFiles: builtConsole }),
    outcomes: composeOutcomes(variables, { log: log("outcomes") }),
    relay: composeRelay(variables, { log: log("relay") }),
    advance: composeAdvance(variables, { log: log("advance") }),
    notify: composeNotify(variables, { log: log("notify") }),
    backup: composeBackup(variables, { log: log("backup") }),
    router: composeRouter(variables, { log: log("router") }),
  }
  const read = { handler: createRead(platforms.read), timeoutMs: READ_TIMEOUT_MS, streams: true as const }
  const managing = createManage(platforms.manage)
  // Nobody pays for how long this process takes to start, so that the first to ask for a route need not wait for it.
  managing.routes().catch((error) => log("manage").error("a route cannot be loaded", { error }))
  const manage = {
    handler: managing.handler,
    timeoutMs: MANAGE_TIMEOUT_MS,
    streams: true as const,
  }
  const outcomes = { handler: createOutcomes(platforms.outcomes), timeoutMs: OUTCOMES_TIMEOUT_MS }
  const router = {
    handler: createRouter(platforms.router),
    timeoutMs: ROUTER_TIMEOUT_MS,
    streams: true as const,
  }
  const watch = createWatch(platforms.router)
  const provisioner = createProvisioner(platforms.router)
  const relay = createRelay(platforms.relay)
  const advance = createAdvance(platforms.advance)
  const notify = createNotify(platforms.notify)
  const backup = createBackup(platforms.backup)
  // On AWS a process that nobody asks anything any more does not run, and hands on nothing; this one goes on.
  const handOn = () =>
    Promise.all([platforms.read, platforms.manage, platforms.outcomes].map(({ usage }) => usage?.flush()))
  const settled = async (): Promise<void> => {
    await Promise.all(Object.values(platforms).map(({ background }) => background.settled()))
  }
  return {
    // As function URLs of their own would part them; the Worker knows each, other callers only this one door.
    route: (_method, path) => {
      if (OUTCOMES_PATHS.includes(path)) return outcomes
      if (path.startsWith(ROUTE_PATH)) return router
      return isRead(path) ? read : manage
    },
    schedules: [
      { name: "relay", everyMs: SWEEP_EVERY_MS, run: () => relay.sweep() },
      { name: "advance", everyMs: TICK_EVERY_MS, run: () => advance.tick() },
      { name: "notify", everyMs: NOTIFY_EVERY_MS, run: () => notify.sweep() },
      { name: "jobs", everyMs: JOBS_EVERY_MS, run: () => backup.runner.look() },
      { name: "deployments", everyMs: WATCH_EVERY_MS, run: () => watch.sweep() },
      { name: "provisioning", everyMs: WATCH_EVERY_MS, run: () => provisioner.sweep() },
      { name: "usage", everyMs: USAGE_EVERY_MS, run: handOn },
      ...tasksOf(backup),
    ],
    environments: platforms.read.settings.environments,
    settled,
    close: async () => {
      // A job is gone on with at the next start.
      await backup.runner.drain()
      await settled()
      await handOn()
      await Promise.all(Object.values(platforms).map((platform) => platform.close()))
    },
  }
}

const tasksOf = ({ tasks }: Backup): Schedule[] =>
  [...tasks].map(([name, { everyMs, run }]) => ({ name, everyMs, run }))

const isRead = (path: string): boolean =>
  path.startsWith("/internal/") || path.startsWith("/api/v1/configs/tenant/") || path.startsWith("/ofrep/")
