import { ROOT, setting, show } from "./command.ts"

/** One thing that workflows call by its name. What it needs besides this folder is imported when it runs. */
export interface Step {
  does: string
  /** `nothing`: runs on any machine. `account`: somebody's GitHub, AWS or Cloudflare. */
  needs: "nothing" | "account"
  run: () => Promise<void>
}

const stepsOf = <Name extends string>(steps: Record<Name, Step>): ReadonlyMap<string, Step> =>
  new Map(Object.entries<Step>(steps))

/** In the order in which they run here. */
export const STEPS = stepsOf({
  verify: {
    does: "installs, checks, tests, synthesises with cdk-nag: what decides whether a change lands",
    needs: "nothing",
    run: async () => await show(`${ROOT}/.ci/run`, []),
  },
  coverage: {
    does: "core, db, functions and sdk are covered by their own tests",
    needs: "nothing",
    run: async () => await (await import("./coverage.ts")).checkCoverage(),
  },
  migrations: {
    does: "no migration that was there before is altered or taken away",
    needs: "nothing",
    run: async () => await (await import("./migrations.ts")).checkMigrations(),
  },
  budgets: {
    does: "what is deployed is within its budgets of size",
    needs: "nothing",
    run: async () => await (await import("./budgets.ts")).checkBudgets(),
  },
  "template-diff": {
    does: "writes down what the deployment would alter",
    needs: "nothing",
    run: async () => await (await import("./template-diff.ts")).writeTemplateDiff(),
  },
  "worker-dry-run": {
    does: "bundles the Worker and shows what would be sent",
    needs: "nothing",
    run: async () => await show("node", ["ci/worker.ts", "prod", "--dry-run"]),
  },
  install: {
    does: "installs what the lockfile names",
    needs: "account",
    run: async () => await show("npm", ["ci"]),
  },
  comment: {
    does: "puts the differences beside the pull request",
    needs: "account",
    run: async () => await (await import("./comment.ts")).commentOnPullRequest(),
  },
  deploy: {
    does: "deploys the stage's stacks, the database's migrations first",
    needs: "account",
    run: async () => await (await import("./deploy.ts")).deploy(setting("HOTSWAP_STAGE")),
  },
  ready: {
    does: "waits until the functions answer for their database",
    needs: "account",
    run: async () => await (await import("./ready.ts")).checkReady(setting("HOTSWAP_STAGE")),
  },
  worker: {
    does: "gives the Worker to 10 % and then to everybody, with a smoke test at each, or takes it back",
    needs: "account",
    run: async () => await (await import("./worker-inputs.ts")).deployWorker(setting("HOTSWAP_STAGE")),
  },
  "roll-back": {
    does: "deploys again what was deployed well before",
    needs: "account",
    run: async () => await (await import("./roll-back.ts")).rollBack(setting("HOTSWAP_STAGE")),
  },
  drift: {
    does: "nobody altered by hand what was deployed",
    needs: "account",
    run: async () => await (await import("./drift.ts")).checkDrift(setting("HOTSWAP_STAGE")),
  },
  "worker-key": {
    does: "the key that the Worker signs with is not old, and is the newest there is",
    needs: "account",
    run: async () => await (await import("./worker-key.ts")).checkWorkerKey(setting("HOTSWAP_STAGE")),
  },
  drill: {
    does: "archives were restored for trial within a day, and no backup is overdue",
    needs: "account",
    run: async () => await (await import("./drill.ts")).checkDrill(),
  },
})
