import { type Command, type Option, type Run, usageOf } from "./command.ts"
import { wrongUsage } from "./failure.ts"
import { jobPath, progressText, waitForJob } from "./jobs.ts"
import { type Answer, word } from "./service.ts"
import { table } from "./terminal.ts"

export const WAIT: Readonly<Record<string, Option>> = {
  wait: { about: "until it is done; exits with 1 where it fails" },
}

/** What was asked for has been begun: with `--wait` until it is done, and then what came of it. */
export const begun = async (run: Run, answer: Answer, done: (result: Answer) => string): Promise<void> => {
  const jobId = String(answer.jobId)
  if (!run.flag("wait")) {
    run.answer(answer, [answer.backupId, jobId].filter(Boolean).join("  "))
    return
  }
  const job = await waitForJob(run.service, jobId, run.line)
  run.answer(job, done((job.result ?? {}) as Answer))
}

const shown = (run: Run, job: Answer): void => {
  const { jobId, state, result, problem } = job
  const { code, detail } = (problem ?? {}) as Answer
  const more = problem ? `${code}: ${detail}` : result ? JSON.stringify(result) : progressText(job)
  run.answer(job, `${jobId}  ${state}\n${more}`)
}

const list: Command = {
  name: "jobs list",
  words: ["<tenant>"],
  about: "What is done in the background for a tenant, the latest first.",
  run: async (run) => {
    const jobs = await run.service.list("/api/v1/jobs", { tenantId: run.words[0] })
    const rows = jobs.map(({ jobId, kind, state, createdAt }) => [jobId, kind, state, createdAt])
    run.answer(jobs, table(["job", "kind", "state", "created"], rows))
  },
}

const show: Command = {
  name: "jobs show",
  words: ["<job>"],
  about: "How far a job has come, and what came of it.",
  run: async (run) => shown(run, await run.service.get(jobPath(run.words[0]!))),
}

const wait: Command = {
  name: "jobs wait",
  words: ["<job>"],
  about: "Waits until a job is over; exits with 1 where it failed.",
  run: async (run) => shown(run, await waitForJob(run.service, run.words[0]!, run.line)),
}

const cancel: Command = {
  name: "jobs cancel",
  words: ["<job>"],
  about: "Has a job end where it is.",
  run: async (run) => shown(run, await run.service.send("POST", `${jobPath(run.words[0]!)}/cancel`)),
}

const SCHEDULE: Readonly<Record<string, [member: string, about: string]>> = {
  "every-hours": ["everyHours", "how often"],
  "keep-last": ["keepLast", "how many of the last ones are kept"],
  "keep-daily": ["keepDaily", "for how many days one a day"],
  "keep-weekly": ["keepWeekly", "for how many weeks one a week"],
  "keep-monthly": ["keepMonthly", "for how many months one a month"],
}

const schedulePath = (tenant: string): string => `/api/v1/tenants/${word(tenant)}/backup-schedule`

const scheduleShown = (run: Run, schedule: Answer): void =>
  run.answer(
    schedule,
    Object.entries(schedule)
      .map(([name, value]) => `${name}: ${textOf(value)}`)
      .join("\n"),
  )

const textOf = (value: unknown): string => (typeof value === "object" ? JSON.stringify(value) : String(value))

const schedule: Command = {
  name: "schedule",
  words: ["<tenant>"],
  about:
    "How often a tenant is backed up and what is kept; with an option, sets it and leaves the others as they are.",
  options: {
    ...Object.fromEntries(
      Object.entries(SCHEDULE).map(([name, [, about]]) => [
        name,
        { value: "n", about: `${about}; "tier" for the tier's` },
      ]),
    ),
    pause: { about: "no more by themselves" },
    resume: { about: "again by themselves" },
  },
  run: async (run) => {
    const path = schedulePath(run.words[0]!)
    if (run.flag("pause") && run.flag("resume")) throw wrongUsage(`usage: ${usageOf(schedule)}`)
    const wanted = Object.entries(SCHEDULE).flatMap(([name, [member]]) => {
      if (run.text(name) === undefined) return []
      return [[member, run.text(name) === "tier" ? null : run.number(name)]]
    })
    const paused = run.flag("pause") ? true : run.flag("resume") ? false : undefined
    const now = await run.service.get(path)
    if (wanted.length === 0 && paused === undefined) return scheduleShown(run, now)
    const next = {
      ...(now.own as Answer),
      ...Object.fromEntries(wanted),
      ...(paused === undefined ? {} : { paused }),
    }
    scheduleShown(run, await run.service.send("PUT", path, next))
  },
}

export const JOB_COMMANDS: readonly Command[] = [schedule, list, show, wait, cancel]
