import { Failure } from "./failure.ts"
import { type ArchiveFolder, type ArchiveIndex, archiveIndex, type PartName } from "./folder.ts"
import { waitForJob } from "./jobs.ts"
import { type Answer, type Service, word } from "./service.ts"
import { bar, bytesText, type ProgressLine } from "./terminal.ts"

const AT_ONCE = 4

const backupPath = (backupId: string): string => `/api/v1/backups/${word(backupId)}`

/** A few at a time, in any order. The first failure ends it, once nothing is under way any more. */
const eachOf = async <T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> => {
  const left = [...items]
  const worker = async (): Promise<void> => {
    try {
      for (let item = left.shift(); item !== undefined; item = left.shift()) await work(item)
    } finally {
      left.length = 0
    }
  }
  const ended = await Promise.allSettled(Array.from({ length: AT_ONCE }, worker))
  for (const one of ended) if (one.status === "rejected") throw one.reason
}

const counter = (line: ProgressLine, verb: string, parts: readonly PartName[]) => {
  const total = parts.reduce((sum, { bytes }) => sum + bytes, 0)
  let done = 0
  return ({ bytes }: PartName): void => {
    done += bytes
    line.show(`${verb}  ${bar(total === 0 ? 1 : done / total)}  ${bytesText(done)} of ${bytesText(total)}`)
  }
}

/** What is there already is left as it is, so that one that broke off goes on. */
export const download = async (
  service: Service,
  backupId: string,
  folder: ArchiveFolder,
  line: ProgressLine,
): Promise<ArchiveIndex> => {
  const kept = await folder.manifest().catch(() => null)
  const index = archiveIndex(
    await service.get(`${backupPath(backupId)}/manifest`),
    `the answer of ${service.url}`,
  )
  if (kept && kept.hash !== index.hash)
    throw new Failure(`${folder.path} holds another archive, ${kept.backupId}: choose another folder`)
  await folder.writeManifest(index)
  const done = counter(line, "downloading", index.parts)
  try {
    await eachOf(index.parts, async (part) => {
      if (!(await folder.has(part))) await folder.writePart(part, await downloaded(service, backupId, part))
      done(part)
    })
  } finally {
    line.end()
  }
  return index
}

const downloaded = async (service: Service, backupId: string, part: PartName): Promise<Uint8Array> => {
  const answer = await service.get(`${backupPath(backupId)}/parts/${part.id}`)
  const bytes = Buffer.from(String(answer.bytes), "base64")
  if (bytes.length !== part.bytes)
    throw new Failure(`the part ${part.id} came with ${bytes.length} bytes, not ${part.bytes}: try again`)
  return bytes
}

/** Sends what is missing there, and has the whole checked. Answers the backup as it is then. */
export const upload = async (
  service: Service,
  folder: ArchiveFolder,
  trustedSigningKey: string | undefined,
  line: ProgressLine,
): Promise<Answer> => {
  const { manifest, handOver, parts } = await folder.manifest()
  const begun = await service.send("POST", "/api/v1/backups/imports", {
    manifest,
    ...(handOver ? { handOver } : {}),
    ...(trustedSigningKey === undefined ? {} : { trustedSigningKey }),
  })
  if (begun.state === "complete") return begun
  const missing = new Set(begun.missing as string[])
  const path = `/api/v1/backups/imports/${word(String(begun.importId))}`
  const done = counter(line, "uploading", parts)
  try {
    await eachOf(parts, async (part) => {
      if (missing.has(part.id)) {
        const bytes = Buffer.from(await folder.part(part)).toString("base64")
        await service.send("PUT", `${path}/parts/${part.id}`, { bytes })
      }
      done(part)
    })
  } finally {
    line.end()
  }
  const { jobId } = await service.send("POST", `${path}/complete`)
  const job = await waitForJob(service, String(jobId), line)
  return { ...begun, ...(job.result as Answer), state: "complete", missing: [] }
}
