// Reads what `cdk synth` leaves: which stacks there are, and each function's code.
import { readFile, stat } from "node:fs/promises"
import { basename, join } from "node:path"

interface Manifest {
  artifacts: Record<string, { type: string; properties?: { templateFile?: string; stackName?: string } }>
}
interface Template {
  Resources?: Record<string, { Type: string; Metadata?: Record<string, unknown> }>
}

export interface Stack {
  name: string
  /** The path of its template. */
  template: string
}

const json = async <T>(path: string): Promise<T> => JSON.parse(await readFile(path, "utf8")) as T

/** The stacks of an assembly, by name. Throws if there is no assembly there. */
export const stacksIn = async (assembly: string): Promise<Stack[]> => {
  const { artifacts } = await json<Manifest>(join(assembly, "manifest.json"))
  return Object.entries(artifacts)
    .filter(([, { type }]) => type === "aws:cloudformation:stack")
    .map(([name, { properties }]) => ({ name, template: join(assembly, properties?.templateFile ?? "") }))
    .toSorted((one, other) => (one.name < other.name ? -1 : 1))
}

/**
 * The names of a stage's stacks that pipelines deploy: all but the one that says what pipelines may do, which a person
 * deploys. Throws if the stage has none.
 */
export const deployedStacks = async (assembly: string, stage: string): Promise<string[]> => {
  const own = `Hotswap-${stage}`
  const names = (await stacksIn(assembly))
    .map(({ name }) => name)
    .filter((name) => name === own || (name.startsWith(`${own}-`) && name !== `${own}-pipeline`))
  if (names.length === 0) throw new Error(`there is no stage "${stage}" in ${basename(assembly)}`)
  return names
}

/** How large the code of each function of a stack is, in bytes, by the folder of `functions/` it is made of. */
export const codeBytes = async ({ template }: Stack): Promise<Map<string, number>> => {
  const { Resources = {} } = await json<Template>(template)
  const functions = Object.values(Resources).filter(({ Type }) => Type === "AWS::Lambda::Function")
  const sizes = functions.map(async ({ Metadata = {} }): Promise<[string, number] | null> => {
    const [, id] = /^[^/]+\/(\w+)\/Function\//.exec(String(Metadata["aws:cdk:path"])) ?? []
    if (id === undefined) return null
    const asset = basename(String(Metadata["aws:asset:path"]))
    const { size } = await stat(join(template, "..", asset, "index.mjs"))
    return [id.toLowerCase(), size]
  })
  return new Map((await Promise.all(sizes)).filter((each) => each !== null))
}
