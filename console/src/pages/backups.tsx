import { useCallback, useState } from "preact/hooks"
import { pathPart } from "../client.ts"
import { useConsole, useMayWhole } from "../console.tsx"
import { useLive } from "../live.ts"
import { Jobs } from "../parts/jobs.tsx"
import { Empty, Loaded } from "../parts/loaded.tsx"
import { MoreButton, useMore } from "../parts/more.tsx"
import { ProblemShown } from "../parts/problem.tsx"
import { Time } from "../parts/time.tsx"
import { problemOf } from "../problem.ts"
import type { Backup, BackupSchedule, Page, Problem } from "../shapes.ts"
import { bytesOf, countOf, exactOf, roleOf, withinOf } from "../words.ts"

const ORIGIN_WORDS = {
  requested: "asked for",
  scheduled: "by the schedule",
  imported: "came from elsewhere",
  hand_over: "for another deployment",
} as const

const Schedule = () => {
  const { client, tenant } = useConsole()
  const live = useLive(`schedule ${tenant}`, (signal) =>
    client.get<BackupSchedule>(`/api/v1/tenants/${pathPart(tenant)}/backup-schedule`, {}, signal),
  )
  return (
    <Loaded live={live} what="the schedule">
      {({ schedule, nextDueAt, failures }) => {
        const kept = [
          `the last ${schedule.keepLast}`,
          schedule.keepDaily > 0 && `the last of each of ${countOf(schedule.keepDaily, "day")}`,
          schedule.keepWeekly > 0 && `of ${countOf(schedule.keepWeekly, "week")}`,
          schedule.keepMonthly > 0 && `of ${countOf(schedule.keepMonthly, "month")}`,
        ].filter(Boolean)
        return (
          <>
            <p>
              {schedule.paused
                ? "The schedule is paused: none is made by itself. "
                : `One is made every ${countOf(schedule.everyHours, "hour")}. `}
              {!schedule.paused && nextDueAt && (
                <>
                  The next is due <Time at={nextDueAt} />.{" "}
                </>
              )}
              Kept are {kept.join(", ")}.
            </p>
            {failures > 0 && <p class="bad">{countOf(failures, "backup")} in a row failed.</p>}
          </>
        )
      }}
    </Loaded>
  )
}

const BackupRow = ({ backup, onValidate }: { backup: Backup; onValidate: (() => void) | null }) => (
  <tr>
    <th scope="row">
      <Time at={backup.at} />
      <span class="quiet">
        {ORIGIN_WORDS[backup.origin]}, {backup.createdBy}
        {backup.held && ", held"}
      </span>
    </th>
    <td>
      {backup.state === "writing" ? (
        "Being written"
      ) : (
        <>
          {bytesOf(backup.packedBytes)}
          <span class="quiet">{bytesOf(backup.writtenBytes)} written for it</span>
        </>
      )}
    </td>
    <td>
      <ul>
        {backup.locations.map(({ name, ok, problem }) => (
          <li key={name}>
            {name}: <span class={ok ? "good" : "bad"}>{ok ? "whole" : (problem ?? "not whole")}</span>
          </li>
        ))}
      </ul>
    </td>
    <td>
      {backup.verifiedAt ? <Time at={backup.verifiedAt} /> : "Not yet"}
      {backup.drilledAt && (
        <span class="quiet">
          restored for trial <Time at={backup.drilledAt} />
        </span>
      )}
    </td>
    <td>
      {backup.state === "complete" && onValidate && (
        <button type="button" onClick={onValidate}>
          Validate<span class="hidden"> the backup of {exactOf(backup.at)}</span>
        </button>
      )}
    </td>
  </tr>
)

/** What restoring takes: the command line has a trial run first, and tells what it would do. */
const Restoring = ({ backup }: { backup: Backup | undefined }) => {
  const { tenant } = useConsole()
  const what = backup?.backupId ?? "<backup>"
  return (
    <section class="card" aria-labelledby="restoring">
      <h2 id="restoring">Restoring</h2>
      <p>
        It is done from the command line, which tells first what it would do. Nothing is overwritten: what
        differs becomes changes, which go live as the policies have it.
      </p>
      <pre class="value">
        {`hotswap restore ${what} --dry-run --wait\n`}
        {!tenant.startsWith("~") && `hotswap clone ${tenant} ${tenant}-copy --dry-run --wait`}
      </pre>
    </section>
  )
}

const BackupsShown = () => {
  const { client, tenant, say } = useConsole()
  const mayWhole = useMayWhole()
  const [problem, setProblem] = useState<Problem | null>(null)
  const [round, setRound] = useState(0)
  const path = `/api/v1/tenants/${pathPart(tenant)}/backups`
  const key = `backups ${tenant}`
  const live = useLive(key, (signal) => client.get<Page<Backup>>(path, { limit: 20 }, signal))
  const read = useCallback(
    (cursor: string) => client.get<Page<Backup>>(path, { limit: 20, cursor }),
    [client, path],
  )
  const { items, ...rest } = useMore(key, live.data, read)
  const start = async (at: string, said: string): Promise<void> => {
    try {
      await client.send("POST", at)
      setProblem(null)
      say(said)
      setRound(round + 1)
    } catch (error) {
      setProblem(problemOf(error))
    }
  }
  const validate = ({ backupId }: Backup) =>
    start(`/api/v1/backups/${pathPart(backupId)}/validate`, "All of it is read through, at each location.")
  return (
    <>
      <Schedule />
      {mayWhole("backup.create") && (
        <div class="toolbar">
          <button type="button" class="primary" onClick={() => void start(path, "A backup is on its way.")}>
            Back up now
          </button>
        </div>
      )}
      {problem && <ProblemShown problem={problem} />}
      <Jobs round={round} />
      <section class="stack" aria-labelledby="backups">
        <h2 id="backups">What there is</h2>
        <Loaded live={live} what="the backups">
          {() =>
            items.length === 0 ? (
              <Empty title="There is no backup yet">
                <p>One is made by itself when its time comes, or now if you ask for it.</p>
              </Empty>
            ) : (
              <>
                <div class="table-frame">
                  <table class="list">
                    <caption class="hidden">Backups, newest first</caption>
                    <thead>
                      <tr>
                        <th scope="col">As it was</th>
                        <th scope="col">Size</th>
                        <th scope="col">Where</th>
                        <th scope="col">Read through</th>
                        <th scope="col">
                          <span class="hidden">What can be done</span>
                        </th>
                      </tr>
                    </thead>
                    <tbody>
                      {items.map((backup) => (
                        <BackupRow
                          key={backup.backupId}
                          backup={backup}
                          onValidate={mayWhole("backup.validate") ? () => void validate(backup) : null}
                        />
                      ))}
                    </tbody>
                  </table>
                </div>
                <MoreButton {...rest} label="Older backups" />
              </>
            )
          }
        </Loaded>
      </section>
      <Restoring backup={items.find(({ state }) => state === "complete")} />
    </>
  )
}

export const BackupsPage = () => {
  const { who, tenant } = useConsole()
  const mayWhole = useMayWhole()
  return (
    <>
      <div class="page-head">
        <h1>Backups</h1>
      </div>
      <p class="lead">Everything of {withinOf(tenant)}, as it was at an instant, sealed.</p>
      {mayWhole("backup.read") ? (
        <BackupsShown />
      ) : (
        <Empty title="Backups are for tenant admins">
          <p>
            {who.environment === null
              ? `Yours: ${who.roles.map(roleOf).join(", ")}.`
              : `Your token is for ${who.environment} alone; a backup is of all environments.`}
          </p>
        </Empty>
      )}
    </>
  )
}
