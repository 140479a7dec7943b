import { globSync, readFileSync } from "node:fs"
import { basename, join } from "node:path"
import { describe, expect, test } from "vitest"
import { parse } from "yaml"
import { STEPS } from "../../ci/steps.ts"
import { SETTINGS, STAGES } from "../../infra/settings.ts"
import { ROOT } from "../support/source-tree.ts"

interface WorkflowStep {
  uses?: string
  run?: string
  with?: Record<string, unknown>
  env?: Record<string, string>
}
interface Job {
  permissions?: Record<string, string>
  environment?: string
  "timeout-minutes"?: number
  strategy?: { matrix: { stage: string[] } }
  uses?: string
  with?: { stage: string }
  steps?: WorkflowStep[]
  if?: string
  needs?: string
}
interface Workflow {
  on: Record<string, unknown>
  permissions: unknown
  jobs: Record<string, Job>
}

const FOLDER = join(ROOT, ".github/workflows")
const texts = new Map(
  globSync("*", { cwd: FOLDER }).map((name) => [name, readFileSync(join(FOLDER, name), "utf8")]),
)
const workflows = new Map([...texts].map(([name, text]) => [name, parse(text) as Workflow]))
const jobs = [...workflows].flatMap(([file, { jobs }]) =>
  Object.entries(jobs).map(([name, job]) => ({ name: `${basename(file, ".yml")}: ${name}`, file, job })),
)
const jobOf = (file: string, name: string): Job => workflows.get(file)!.jobs[name]!
const stepsOf = ({ steps = [] }: Job): WorkflowStep[] => steps
const runsOf = (job: Job): string[] => stepsOf(job).flatMap(({ run }) => run ?? [])
const calledBy = (job: Job): string[] => runsOf(job).flatMap((run) => run.split(" ").slice(3))

const expression = (what: string): string => ["$", "{{ ", what, " }}"].join("")

test("there is a workflow for pull requests, for the main branch with its deployments, and for each day", () => {
  expect([...workflows.keys()].toSorted()).toEqual([
    "deploy.yml",
    "main.yml",
    "pull-request.yml",
    "scheduled.yml",
  ])
  expect(Object.keys(workflows.get("pull-request.yml")!.on)).toEqual(["pull_request"])
  expect(workflows.get("main.yml")!.on).toEqual({ push: { branches: ["main"] } })
  expect(Object.keys(workflows.get("scheduled.yml")!.on)).toEqual(["schedule", "workflow_dispatch"])
  expect(Object.keys(workflows.get("deploy.yml")!.on)).toEqual(["workflow_call"])
})

// GitHub tells only a step's own process that its run was ended, which without `exec` is a shell that tells nobody.
test("they call nothing but the steps, in the place of the shell, and every step is called", () => {
  for (const { name, job } of jobs)
    for (const run of runsOf(job)) expect(run, name).toMatch(/^exec node ci\/run\.ts( (?!-)[a-z-]+)+$/)
  const here = [...STEPS].filter(([, { needs }]) => needs === "nothing").map(([name]) => name)
  const called = jobs.flatMap(({ job }) => calledBy(job)).flatMap((name) => (name === "here" ? here : [name]))
  expect([...new Set(called)].toSorted()).toEqual([...STEPS.keys()].toSorted())
})

test("what needs no account is what runs here, and all of it runs before anything is merged or deployed", () => {
  expect(calledBy(jobOf("pull-request.yml", "check"))).toEqual(["here"])
  expect(calledBy(jobOf("main.yml", "check"))).toEqual(["here"])
  expect(jobOf("main.yml", "staging").needs).toBe("check")
  expect(jobOf("main.yml", "prod").needs).toBe("staging")
})

test("every action is pinned to a commit, with its version beside it, and the same one everywhere", () => {
  const pins = new Map<string, string>()
  for (const [file, text] of texts)
    for (const [, used = ""] of text.matchAll(/uses: (.+)/g)) {
      if (used.startsWith("./.github/workflows/")) continue
      const [, action = "", pin = ""] = /^([\w./-]+)@([0-9a-f]{40} # v\d+\.\d+\.\d+)$/.exec(used) ?? []
      expect(action, `${file}: ${used}`).not.toBe("")
      expect(pins.get(action) ?? pin, file).toBe(pin)
      pins.set(action, pin)
    }
  expect(pins.size).toBeGreaterThan(0)
})

describe.each(jobs)("the job $name", ({ file, job }) => {
  test("has the permissions it names, of which there are none by default, and a time after which it ends", () => {
    expect(workflows.get(file)!.permissions).toEqual({})
    expect(job.permissions).toMatchObject({ contents: "read" })
    const granted = Object.entries(job.permissions ?? {}).map((pair) => pair.join(": "))
    const grantable = ["contents: read", "deployments: read", "pull-requests: write", "id-token: write"]
    expect(grantable).toEqual(expect.arrayContaining(granted))
    if (job.uses === undefined) expect(job["timeout-minutes"]).toBeLessThanOrEqual(90)
  })

  test("keeps no credentials in its checkout, and hands no text of others to a shell", () => {
    for (const step of stepsOf(job)) {
      if (step.uses?.startsWith("actions/checkout@")) expect(step.with?.["persist-credentials"]).toBe(false)
      expect(step.run ?? "").not.toMatch(/\$\{\{/)
    }
  })

  test("has secrets and a role only in an environment", () => {
    const isTrusted = job.permissions?.["id-token"] === "write"
    const usesSecrets = JSON.stringify(stepsOf(job)).includes("secrets.")
    if (job.uses === undefined) expect(job.environment !== undefined).toBe(isTrusted || usesSecrets)
  })
})

test("what may write beside a pull request runs nothing that came with it", () => {
  const { steps = [], permissions, if: condition } = jobOf("pull-request.yml", "comment")
  expect(permissions).toEqual({ contents: "read", "pull-requests": "write" })
  expect(condition).toBe("github.event.pull_request.head.repo.full_name == github.repository")
  expect(steps[0]?.with?.ref).toBe(expression("github.event.pull_request.base.sha"))
  const others = jobs.filter(({ job }) => job.permissions?.["pull-requests"] !== undefined)
  expect(others).toHaveLength(1)
})

test("the environments are those that the roles in AWS are bound to", () => {
  const stages = STAGES.filter((stage) => SETTINGS[stage].isDeployedByWorkflows)
  const deployed = Object.values(workflows.get("main.yml")!.jobs).flatMap((job) => job.with?.stage ?? [])
  expect(deployed).toEqual(stages)
  expect(jobOf("deploy.yml", "deploy").environment).toBe(expression("inputs.stage"))
  const { environment, strategy } = jobOf("scheduled.yml", "watch")
  expect(environment).toBe(`${expression("matrix.stage")}-watch`)
  expect(strategy?.matrix.stage).toEqual(stages)
})

test("a deployment is of what was tested, the functions before the Worker, and goes back if anything fails", () => {
  const upload = stepsOf(jobOf("main.yml", "check")).find(({ uses }) => uses?.includes("upload-artifact"))
  const steps = stepsOf(jobOf("deploy.yml", "deploy"))
  const download = steps.find(({ uses }) => uses?.includes("download-artifact"))
  expect(download?.with).toEqual(upload?.with)
  expect(calledBy(jobOf("deploy.yml", "deploy"))).toEqual([
    "install",
    "deploy",
    "ready",
    "worker",
    "roll-back",
  ])
  expect(steps.at(-1)).toMatchObject({ if: "failure()", run: "exec node ci/run.ts roll-back" })
})
