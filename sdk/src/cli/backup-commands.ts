import { join } from "node:path"
import { type Command, given, type Run } from "./command.ts"
import { archiveFolder } from "./folder.ts"
import { begun, WAIT } from "./job-commands.ts"
import { type Answer, word } from "./service.ts"
import { bytesText, table } from "./terminal.ts"
import { download, upload } from "./transfer.ts"

const pathOf = (backupId: string): string => `/api/v1/backups/${word(backupId)}`

const create: Command = {
  name: "backup create",
  words: ["<tenant>"],
  about: "Makes an archive of a tenant as it is now.",
  options: { ...WAIT, "include-empty-tables": { about: "tables without a row are named too" } },
  run: async (run) => {
    const includeEmptyTables = run.flag("include-empty-tables")
    const path = `/api/v1/tenants/${word(run.words[0]!)}/backups`
    const answer = await run.service.send("POST", path, includeEmptyTables ? { includeEmptyTables } : {})
    await begun(run, answer, () => String(answer.backupId))
  },
}

const size = (bytes: unknown): string => (typeof bytes === "number" ? bytesText(bytes) : "-")

const list: Command = {
  name: "backup list",
  words: ["[tenant]"],
  about: "The archives of a tenant, the latest first; without one, those of all tenants.",
  run: async (run) => {
    const [tenant] = run.words
    const path = tenant === undefined ? "/api/v1/backups" : `/api/v1/tenants/${word(tenant)}/backups`
    const backups = await run.service.list(path)
    const rows = backups.map(({ backupId, state, origin, at, packedBytes, held }) => [
      backupId,
      state,
      origin,
      at,
      size(packedBytes),
      held === true ? "held" : "",
    ])
    run.answer(backups, table(["backup", "state", "origin", "at", "size", ""], rows))
  },
}

const shownAs = (run: Run, backup: Answer): void =>
  run.answer(
    backup,
    Object.entries(backup)
      .map(([name, value]) => `${name}: ${typeof value === "object" ? JSON.stringify(value) : value}`)
      .join("\n"),
  )

const show: Command = {
  name: "backup show",
  words: ["<backup>"],
  about: "What is known of an archive.",
  run: async (run) => shownAs(run, await run.service.get(pathOf(run.words[0]!))),
}

const validate: Command = {
  name: "backup validate",
  words: ["<backup>"],
  about: "Reads all of an archive and checks it against its manifest.",
  options: WAIT,
  run: async (run) => {
    const answer = await run.service.send("POST", `${pathOf(run.words[0]!)}/validate`)
    await begun(run, answer, () => `${run.words[0]} is whole`)
  },
}

const downloaded: Command = {
  name: "backup download",
  words: ["<backup>"],
  about: "Brings an archive here, sealed as it is; what is there already is not fetched again.",
  options: { out: { value: "folder", about: "where to; otherwise a folder named after it" } },
  run: async (run) => {
    const backupId = run.words[0]!
    const folder = archiveFolder(run.text("out") ?? join(".", backupId.replaceAll(/[^A-Za-z0-9._-]/g, "_")))
    const { parts, hash } = await download(run.service, backupId, folder, run.line)
    run.answer({ backupId, folder: folder.path, parts: parts.length, hash }, folder.path)
  },
}

const uploaded: Command = {
  name: "backup upload",
  words: ["<folder>"],
  about: "Takes in an archive from a folder; what is there already is not sent again.",
  options: { trust: { value: "key", about: "the signing key of the deployment that handed it over" } },
  run: async (run) => {
    const answer = await upload(run.service, archiveFolder(run.words[0]!), run.text("trust"), run.line)
    run.answer(answer, String(answer.backupId))
  },
}

const holding = (name: string, held: boolean, about: string): Command => ({
  name: `backup ${name}`,
  words: ["<backup>"],
  about,
  run: async (run) => {
    const backup = await run.service.send("PATCH", pathOf(run.words[0]!), { held })
    run.answer(backup, `${run.words[0]} is ${held ? "held" : "not held any more"}`)
  },
})

const remove: Command = {
  name: "backup delete",
  words: ["<backup>"],
  about: "Removes an archive.",
  run: async (run) => {
    const answer = await run.service.send("DELETE", pathOf(run.words[0]!))
    run.answer(answer, `${run.words[0]} is removed`)
  },
}

const adopt: Command = {
  name: "backup adopt",
  words: ["[tenant]"],
  about: "Lists again what is in the blob store and the database does not know, of one tenant or of all.",
  options: WAIT,
  run: async (run) => {
    const [tenantId] = run.words
    const answer = await run.service.send("POST", "/api/v1/backups/adopt", given({ tenantId }))
    await begun(run, answer, ({ adopted }) => `${adopted} found`)
  },
}

export const BACKUP_COMMANDS: readonly Command[] = [
  create,
  list,
  show,
  validate,
  downloaded,
  uploaded,
  holding("hold", true, "Keeps retention from an archive."),
  holding("release", false, "Leaves an archive to retention again."),
  remove,
  adopt,
]
