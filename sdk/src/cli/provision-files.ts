import { mkdir, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { Failure, oneLine } from "./failure.ts"
import type { Answer } from "./service.ts"

interface Release {
  name: string
  namespace: string
  repository: string
  chart: string
  version: string
  values: object
}

/** As a shell takes it for one word. */
const quoted = (text: string): string =>
  /^[A-Za-z0-9_./:@-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`

const NAME = /^[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?$/

const jsonOf = (value: unknown): string => `${JSON.stringify(value, null, 2)}\n`

/**
 * Writes what a plan holds for whoever may apply it: the documents as one list for kubectl, and the values of each release.
 * Returns the commands that apply them, in their order.
 */
export const writePlan = async (folder: string, plan: Answer): Promise<string[]> => {
  const documents = plan.documents as object[]
  const releases = plan.releases as Release[]
  if (documents.length === 0 && releases.length === 0) return []
  await mkdir(folder, { recursive: true })
  const list = join(folder, "documents.json")
  await writeFile(list, jsonOf({ apiVersion: "v1", kind: "List", items: documents }))
  const commands = [`kubectl apply --server-side --field-manager hotswap -f ${quoted(list)}`]
  for (const { name, namespace, repository, chart, version, values } of releases) {
    // It becomes a file's: what a service answers is not to choose where that is.
    if (!NAME.test(name)) throw new Failure(`"${name}" is not the name of a release`)
    const file = join(folder, `${name}.values.json`)
    await writeFile(file, jsonOf(values))
    const words = ["helm", "upgrade", "--install", name, chart, "--repo", repository, "--version", version]
    commands.push(oneLine([...words, "--namespace", namespace, "--values", file].map(quoted).join(" ")))
  }
  return commands
}
