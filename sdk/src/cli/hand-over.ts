import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { type Command, given, type Run } from "./command.ts"
import { Failure, wrongUsage } from "./failure.ts"
import { archiveFolder } from "./folder.ts"
import { WAIT } from "./job-commands.ts"
import { waitForJob } from "./jobs.ts"
import { toEnvironment } from "./restore-commands.ts"
import { type Answer, Refused, type Service, word } from "./service.ts"
import { download, upload } from "./transfer.ts"

/** What readers of both get has to be the same: each environment's configs, by key, version and value. */
const contentsOf = async (
  service: Service,
  tenantId: string,
  environments: readonly string[],
): Promise<Map<string, string>> => {
  const contents = new Map<string, string>()
  for (const environment of environments)
    for (const { key, version, value } of await service.list("/api/v1/configs", { tenantId, environment }))
      contents.set(`${environment}:${key}`, JSON.stringify([version, value]))
  return contents
}

const compared = async (
  [from, tenant]: readonly [Service, string],
  [to, as]: readonly [Service, string],
  environments: readonly string[],
): Promise<number> => {
  const [there, here] = await Promise.all([
    contentsOf(from, tenant, environments),
    contentsOf(to, as, environments),
  ])
  const differing = [...new Set([...there.keys(), ...here.keys()])].filter(
    (name) => there.get(name) !== here.get(name),
  )
  if (differing.length > 0)
    throw new Failure(
      `${differing.length} of ${there.size} configs differ, ${differing[0]} among them: was it changed meanwhile?`,
    )
  return there.size
}

/** Another customer may have that id there, and what differs would become changes of theirs. */
const mustNotBeThere = async (to: Service, as: string): Promise<void> => {
  try {
    await to.get(`/api/v1/tenants/${word(as)}`)
  } catch (error) {
    if (error instanceof Refused && error.code === "TENANT_NOT_FOUND") return
    throw error
  }
  throw new Failure(
    `${as} is at ${to.url} already: --as makes another tenant, --again has what differs become changes there`,
  )
}

/**
 * The whole way from one deployment to another: their keys, the archive for the other's eyes only, down to a folder, up
 * again, restored, and compared. Each step may be repeated.
 */
const handOver = async (run: Run, tenant: string, to: Service, folderPath: string): Promise<void> => {
  const from = run.service
  const as = run.text("as") ?? tenant
  const [source, target] = await Promise.all([from, to].map((service) => service.get("/api/v1/deployment")))
  if (typeof target!.receivingKey !== "string")
    throw new Failure(`${to.url} has no key to receive with: its operator sets HOTSWAP_HAND_OVER_KEY`)
  if (target!.receivingKey === source!.receivingKey)
    throw new Failure(`${to.url} is the deployment that the tenant is on: clone makes a copy there`)
  const environments = source!.environments as string[]
  const lacking = environments.filter((name) => !(target!.environments as string[]).includes(name))
  if (lacking.length > 0) throw new Failure(`${to.url} has no environment ${lacking.join(", ")}`)
  if (!run.flag("again")) await mustNotBeThere(to, as)
  const { jobId, backupId } = await from.send("POST", `/api/v1/tenants/${word(tenant)}/migrate`, {
    target: given({ receivingKey: target!.receivingKey, name: target!.name }),
  })
  const job = await waitForJob(from, String(jobId), run.line)
  const made = String((job.result as Answer).backupId ?? backupId)
  const folder = archiveFolder(join(folderPath, made.replaceAll(/[^A-Za-z0-9._-]/g, "_")))
  await download(from, made, folder, run.line)
  const taken = await upload(to, folder, String(source!.signingKey), run.line)
  const body = given({
    ...(as === tenant ? {} : { targetTenantId: as }),
    newName: run.text("name"),
    dryRun: run.flag("dry-run") ? true : undefined,
  })
  const restoring = await to.send("POST", `/api/v1/backups/${word(String(taken.backupId))}/restore`, body)
  const restored = await waitForJob(to, String(restoring.jobId), run.line)
  const configs = run.flag("dry-run") ? null : await compared([from, tenant], [to, as], environments)
  const answer = { tenantId: as, from: source!.name, to: target!.name, backupId: taken.backupId, configs }
  run.answer(
    { ...answer, result: restored.result },
    configs === null
      ? `${as} could be made at ${to.url}`
      : `${as} is at ${to.url}, and all ${configs} configs are the same. Its tokens are not: issue new ones there.`,
  )
}

const tokenOf = (run: Run): string => {
  const token = run.text("to-token") ?? run.variables.HOTSWAP_TO_TOKEN
  if (token) return token
  throw wrongUsage("--to needs a token of the other deployment: HOTSWAP_TO_TOKEN, or --to-token")
}

const migrate: Command = {
  name: "migrate",
  words: ["<tenant>"],
  about:
    "Carries configuration to another environment, or the whole tenant to another deployment, where only that one can open it.",
  options: {
    from: { value: "environment", about: "with --to-environment: where it is taken from" },
    "to-environment": {
      value: "environment",
      about: "what is not that environment's own becomes as in --from",
    },
    to: { value: "url", about: "the other deployment" },
    "to-token": {
      value: "token",
      about: "its platform token; otherwise HOTSWAP_TO_TOKEN, which no list of processes shows",
    },
    as: { value: "tenant", about: "what it is there; otherwise the same" },
    name: { value: "name", about: "what it is called there" },
    folder: { value: "folder", about: "where the archive is kept on its way; otherwise one that is removed" },
    again: { about: "the tenant is there already: what differs becomes changes there" },
    "dry-run": { about: "says what would be done, and makes no tenant" },
    ...WAIT,
  },
  run: async (run) => {
    const [tenant] = run.words
    const to = run.text("to")
    if ((to === undefined) === (run.text("to-environment") === undefined))
      throw wrongUsage("say where to: --to-environment with --from, or --to")
    if (to === undefined) return await toEnvironment(run, tenant!)
    const other = run.serviceAt(to, tokenOf(run))
    const folder = run.text("folder")
    if (folder !== undefined) return await handOver(run, tenant!, other, folder)
    const temporary = await mkdtemp(join(tmpdir(), "hotswap-hand-over-"))
    try {
      await handOver(run, tenant!, other, temporary)
    } finally {
      await rm(temporary, { recursive: true, force: true })
    }
  },
}

const deployment: Command = {
  name: "deployment",
  words: [],
  about: "What this deployment is called, and the keys that others know it by.",
  run: async (run) => {
    const answer = await run.service.get("/api/v1/deployment")
    run.answer(
      answer,
      Object.entries(answer)
        .map(([name, value]) => `${name}: ${value}`)
        .join("\n"),
    )
  },
}

export const HAND_OVER_COMMANDS: readonly Command[] = [migrate, deployment]
