import { execFile } from "node:child_process"
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { promisify } from "node:util"
import { App, Duration, Stack } from "aws-cdk-lib"
import { PolicyStatement } from "aws-cdk-lib/aws-iam"
import * as lambda from "aws-cdk-lib/aws-lambda"
import { Code, Runtime } from "aws-cdk-lib/aws-lambda"
import { Bucket } from "aws-cdk-lib/aws-s3"
import { Construct } from "constructs"
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest"
import { overBudget } from "../../ci/budgets.ts"
import { commentOnPullRequest } from "../../ci/comment.ts"
import { alteredMigrations } from "../../ci/migrations.ts"
import { templateDiff } from "../../ci/template-diff.ts"
import { type GitHubPeer, startGitHub } from "../support/github.ts"
import { ROOT } from "../support/source-tree.ts"

const run = promisify(execFile)
let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "hotswap-ci-"))
})
afterAll(async () => await rm(folder, { recursive: true, force: true }))
afterEach(() => vi.unstubAllEnvs())

test("whoever calls a step that is not there is told which there are, and nothing ran", async () => {
  const asked = run(process.execPath, ["ci/run.ts", "budgets", "nothing"], { cwd: ROOT })
  await expect(asked).rejects.toMatchObject({
    code: 1,
    stdout: "",
    stderr: expect.stringContaining("* budgets:"),
  })
})

test("a function over its budget is named, as is one that has none, or a budget of nothing", () => {
  const bytes = new Map([
    ["read", 10 * 1024],
    ["manage", 20 * 1024 + 1],
    ["new", 1],
  ])
  expect(overBudget(bytes, { read: 10, manage: 20, gone: 5 })).toEqual([
    "manage is 20.0 KiB, 20 are allowed",
    "new has no budget",
    "gone has a budget and is not deployed",
  ])
})

describe("migrations", () => {
  const git = async (...args: string[]) =>
    (await run("git", ["-c", "user.name=t", "-c", "user.email=t@t", ...args], { cwd: join(folder, "tree") }))
      .stdout

  test("that were there may not be altered or taken away; others may come", async () => {
    const migrations = join(folder, "tree/db/migrations")
    await mkdir(migrations, { recursive: true })
    for (const name of ["0000_a.sql", "0001_b.sql", "0002_c.sql"])
      await writeFile(join(migrations, name), name)
    await git("init", "-q")
    await git("add", ".")
    await git("commit", "-qm", "base")
    const base = (await git("rev-parse", "HEAD")).trim()
    expect(await alteredMigrations(base, join(folder, "tree"))).toEqual([])
    await writeFile(join(migrations, "0003_d.sql"), "new")
    expect(await alteredMigrations(base, join(folder, "tree"))).toEqual([])
    await writeFile(join(migrations, "0001_b.sql"), "other")
    await rm(join(migrations, "0002_c.sql"))
    expect(await alteredMigrations(base, join(folder, "tree"))).toEqual([
      "db/migrations/0001_b.sql is altered",
      "db/migrations/0002_c.sql is gone",
    ])
  })
})

describe("the differences of templates", () => {
  const assembly = (name: string, build: (app: App) => void): string => {
    const outdir = join(folder, name)
    const app = new App({ outdir, context: { "aws:cdk:enable-asset-metadata": false } })
    build(app)
    app.synth()
    return outdir
  }
  const bucket = (versioned: boolean) => (app: App) => {
    const stack = new Stack(app, "Hotswap-x")
    new Bucket(stack, "Kept", { versioned })
    // As a stage's service rests on its data.
    stack.addStackDependency(new Stack(app, "Hotswap-x-data"))
    new Bucket(app.node.findChild("Hotswap-x-data") as Stack, "Data")
  }

  test("are told by stack and resource, with stacks that come and go", async () => {
    const before = assembly("before", (app) => {
      bucket(false)(app)
      new Bucket(new Stack(app, "Hotswap-old"), "Gone")
    })
    const now = assembly("now", (app) => {
      bucket(true)(app)
      new Bucket(new Stack(app, "Hotswap-new"), "New")
    })
    const text = await templateDiff(before, now)
    expect(text).toMatch(/### Hotswap-x\n```text\n.*AWS::S3::Bucket.*VersioningConfiguration.*\n```/s)
    expect(text).toContain("### Hotswap-new\nis new.")
    expect(text).toContain("### Hotswap-old\nis not deployed any more")
  }, 120_000)

  /** Two functions as production has them, with so much code each. */
  const deployed = async (name: string, kibibytes: number, timeoutSeconds: number, mayRead: string[]) => {
    const code = join(folder, `${name}-code`)
    await mkdir(code)
    await writeFile(join(code, "index.mjs"), "x".repeat(kibibytes * 1024))
    return assembly(name, (app) => {
      // As `cdk synth` has them.
      app.node.setContext("aws:cdk:enable-asset-metadata", true)
      app.node.setContext("aws:cdk:enable-path-metadata", true)
      const stack = new Stack(app, "Hotswap-prod")
      const handler = (id: string, seconds: number) =>
        new lambda.Function(new Construct(stack, id), "Function", {
          runtime: Runtime.NODEJS_24_X,
          handler: "index.handler",
          code: Code.fromAsset(code),
          timeout: Duration.seconds(seconds),
        })
      handler("Read", 10)
      const manage = handler("Manage", timeoutSeconds)
      for (const resource of mayRead)
        manage.addToRolePolicy(new PolicyStatement({ actions: ["s3:GetObject"], resources: [resource] }))
    })
  }

  test("of code alone are told by whose it is and how much it grew; a permission and a timeout are told besides", async () => {
    const before = await deployed("asked", 1, 10, [])
    const now = await deployed("given", 3, 30, ["arn:aws:s3:::kept/*"])
    const text = await templateDiff(before, now)
    expect(text).toMatch(/Read\/Function ReadFunction6743EAEA\n ├─ \[~\] Code\n(\[|```)/)
    expect(text).toMatch(
      /ManageFunction\w{8}\n ├─ \[~\] Code\n ├─ \[~\] Timeout\n │ {3}├─ \[-\] 10\n │ {3}└─ \[\+\] 30\n/,
    )
    expect(text).toMatch(/\+ │ arn:aws:s3:::kept\/\* │ Allow {2}│ s3:GetObject │/)
    expect(text).toMatch(/\| read \| 1\.0 \| 3\.0 \|\n\| manage \| 1\.0 \| 3\.0 \|\n$/)
    expect(text).not.toMatch(/asset|S3Key/)
  }, 120_000)

  test("are none where nothing differs", async () => {
    const [before, now] = [assembly("same-before", bucket(true)), assembly("same-now", bucket(true))]
    expect(await templateDiff(before, now)).toBe("The deployment stays as it is.\n")
  }, 120_000)
})

describe("the comment beside a pull request", () => {
  let github: GitHubPeer
  const report = async (text: string): Promise<void> => await writeFile(join(folder, "report.md"), text)
  beforeEach(async () => {
    github = await startGitHub("an-owner/a-name")
    vi.stubEnv("GITHUB_API_URL", github.url)
    vi.stubEnv("GITHUB_REPOSITORY", "an-owner/a-name")
    vi.stubEnv("GITHUB_TOKEN", github.token)
    vi.stubEnv("HOTSWAP_PULL_REQUEST", "7")
    vi.stubEnv("HOTSWAP_REPORT", join(folder, "report.md"))
  })
  afterEach(async () => await github.stop())

  test("is written once and renewed afterwards, however many others there are; nobody else's is touched", async () => {
    const others = Array.from({ length: 130 }, (_, nth) => ({
      id: nth + 1,
      body: "<!-- hotswap: template-diff -->\nmine",
      user: { login: "somebody" },
    }))
    github.comments.push(...others)
    for (const text of ["first", "second", "second"]) {
      await report(text)
      await commentOnPullRequest()
    }
    expect(github.alterations).toEqual(["POST /issues/7/comments", "PATCH /issues/comments/131"])
    expect(github.comments.slice(0, 130).every(({ body }) => body.endsWith("mine"))).toBe(true)
    expect(github.comments[130]?.body).toContain("second")
  })

  test("is cut to what GitHub takes", async () => {
    await report("x".repeat(100_000))
    await commentOnPullRequest()
    expect(github.comments[0]?.body).toMatch(/The rest is on the page of the run\.\n$/)
  })

  test("that cannot be written fails the step", async () => {
    await report("text")
    vi.stubEnv("GITHUB_TOKEN", "another")
    await expect(commentOnPullRequest()).rejects.toThrow("401")
    vi.stubEnv("HOTSWAP_PULL_REQUEST", "7/../8")
    await expect(commentOnPullRequest()).rejects.toThrow("HOTSWAP_PULL_REQUEST")
  })
})
