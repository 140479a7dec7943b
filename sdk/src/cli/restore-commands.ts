import { type Command, given, type Run } from "./command.ts"
import { wrongUsage } from "./failure.ts"
import { begun, WAIT } from "./job-commands.ts"
import { type Answer, word } from "./service.ts"

/** What came of a restore, in a few words: each change it made, or that there is nothing to do. */
const resultText = (result: Answer): string => JSON.stringify(result, null, 2)

const BACKUP_ID = /:bkp_/

const restore: Command = {
  name: "restore",
  words: ["<backup or tenant>"],
  about:
    "Puts a tenant back as an archive has it, or as it was at an instant: by changes where it is there, as a new tenant where it is not.",
  options: {
    as: { value: "tenant", about: "which tenant it becomes; otherwise the archive's own" },
    name: { value: "name", about: "what a new tenant is called" },
    at: { value: "instant", about: "as it was then, like 2026-05-01T12:00:00Z" },
    "dry-run": { about: "says what would be done, and does nothing" },
    ...WAIT,
  },
  run: async (run) => {
    const [what] = run.words
    const common = given({ asOf: run.text("at"), ...(run.flag("dry-run") ? { dryRun: true } : {}) })
    if (BACKUP_ID.test(what!)) {
      const body = { ...common, ...given({ targetTenantId: run.text("as"), newName: run.text("name") }) }
      const answer = await run.service.send("POST", `/api/v1/backups/${word(what!)}/restore`, body)
      return await begun(run, answer, resultText)
    }
    if (common.asOf === undefined) throw wrongUsage("name a backup, or a tenant and the instant with --at")
    if (run.text("as") ?? run.text("name"))
      throw wrongUsage("--as and --name belong to a backup: a tenant's own history is put back into itself")
    const answer = await run.service.send("POST", `/api/v1/tenants/${word(what!)}/restore`, common)
    await begun(run, answer, resultText)
  },
}

const clone: Command = {
  name: "clone",
  words: ["<tenant>", "<new tenant>"],
  about: "Makes a new tenant with the configuration of another; without its tokens, audit and channels.",
  options: { name: { value: "name", about: "what it is called; otherwise as its id" }, ...WAIT },
  run: async (run) => {
    const [tenant, tenantId] = run.words
    const body = { tenantId, name: run.text("name") ?? tenantId }
    const answer = await run.service.send("POST", `/api/v1/tenants/${word(tenant!)}/clone`, body)
    await begun(run, answer, resultText)
  },
}

/** From one environment to another: everything that is not the target's own, as one change. */
export const toEnvironment = async (run: Run, tenant: string): Promise<void> => {
  const from = run.text("from")
  if (from === undefined)
    throw wrongUsage("--to-environment needs --from, the environment that it is taken from")
  const body = given({
    from,
    to: run.text("to-environment"),
    dryRun: run.flag("dry-run") ? true : undefined,
  })
  const answer = await run.service.send("POST", `/api/v1/tenants/${word(tenant)}/migrate`, body)
  await begun(run, answer, resultText)
}

export const RESTORE_COMMANDS: readonly Command[] = [restore, clone]
