import { setting } from "./command.ts"

const DEADLINE_MS = 30_000
/** Drills are daily, and take a while. */
const DRILL_AGE_MAX_SECONDS = 26 * 3_600

const METRIC = /^(?<name>[a-z_]+)(?<labels>\{[^}]*\})? (?<value>\S+)$/

/** The figures of Prometheus' text format, by name and, where there are labels, those. */
const figuresIn = (text: string): ReadonlyMap<string, number> =>
  new Map(
    text.split("\n").flatMap((line): [string, number][] => {
      const { name = "", labels = "", value } = METRIC.exec(line)?.groups ?? {}
      return value === undefined ? [] : [[name + labels, Number(value)]]
    }),
  )

/** What these metrics say is wrong with backups and drills; nothing, if nothing is. */
export const complaintsOf = (metrics: string, nowSeconds: number): string[] => {
  const figures = figuresIn(metrics)
  const above = (name: string, what: string): string[] => {
    const figure = figures.get(name)
    if (figure === undefined) return [`${name} is not told`]
    return figure > 0 ? [`${figure} ${what}`] : []
  }
  const drill = figures.get("hotswap_drill_last_success_timestamp_seconds")
  const drillAge = drill === undefined ? null : nowSeconds - drill
  const dead = [...figures].filter(([name, count]) => name.startsWith("hotswap_jobs_dead") && count > 0)
  return [
    ...(drillAge === null ? ["no archive was ever restored for trial"] : []),
    ...(drillAge !== null && drillAge > DRILL_AGE_MAX_SECONDS
      ? [`archives were last restored for trial ${Math.floor(drillAge / 3_600)} hours ago`]
      : []),
    ...above("hotswap_backup_tenants_overdue", "backups are overdue"),
    ...above("hotswap_backup_failures", "scopes' last backups failed"),
    ...dead.map(([name, count]) => `${count} failed within the last day: ${name}`),
  ]
}

/**
 * Asks the service at `HOTSWAP_URL`, with the token `HOTSWAP_WATCH_TOKEN`, how backups and drills go.
 * Throws with what is wrong.
 */
export const checkDrill = async (): Promise<void> => {
  const response = await fetch(new URL("/metrics", setting("HOTSWAP_URL")), {
    headers: { authorization: `Bearer ${setting("HOTSWAP_WATCH_TOKEN")}` },
    signal: AbortSignal.timeout(DEADLINE_MS),
  })
  if (!response.ok) throw new Error(`/metrics answered ${response.status}`)
  const complaints = complaintsOf(await response.text(), Date.now() / 1000)
  if (complaints.length > 0) throw new Error(complaints.join("\n"))
  console.log("backups and drills are as they should be")
}
