// Reads what `cdk synth` leaves: which stacks there are, and each function's code.
import { readdir, readFile } from "node:fs/promises"
import { basename, join } from "node:path"

interface Manifest {
  artifacts: Record<
    string,
    { type: string; environment?: string; properties?: { templateFile?: string; stackName?: string } }
  >
}
interface Template {
  Resources?: Record<string, { Type: string; Metadata?: Record<string, unknown> }>
}

export interface Stack {
  name: string
  /** The path of its template. */
  template: string
  /** Where it is deployed; `null`: where whoever deploys it is. */
  region: string | null
}

const regionIn = (environment = ""): string | null => {
  const [, region = "unknown-region"] = /^aws:\/\/[^/]+\/(.+)$/.exec(environment) ?? []
  return region === "unknown-region" ? null : region
}

const json = async <T>(path: string): Promise<T> => JSON.parse(await readFile(path, "utf8")) as T

/** The stacks of an assembly, by name. Throws if there is no assembly there. */
export const stacksIn = async (assembly: string): Promise<Stack[]> => {
  const { artifacts } = await json<Manifest>(join(assembly, "manifest.json")).catch((cause) => {
    throw new Error(`nothing was synthesised in ${basename(assembly)}: npm run synth`, { cause })
  })
  return Object.entries(artifacts)
    .filter(([, { type }]) => type === "aws:cloudformation:stack")
    .map(([name, { environment, properties }]) => ({
      name,
      template: join(assembly, properties?.templateFile ?? ""),
      region: regionIn(environment),
    }))
    .toSorted((one, other) => (one.name < other.name ? -1 : 1))
}

/**
 * A stage's stacks that pipelines deploy: all but the one that says what pipelines may do, which a person deploys. Throws if
 * the stage has none.
 */
export const stacksOf = async (assembly: string, stage: string): Promise<Stack[]> => {
  const own = `Hotswap-${stage}`
  const stacks = (await stacksIn(assembly)).filter(
    ({ name }) => name === own || (name.startsWith(`${own}-`) && name !== `${own}-pipeline`),
  )
  if (stacks.length === 0) throw new Error(`there is no stage "${stage}" in ${basename(assembly)}`)
  return stacks
}

export const deployedStacks = async (assembly: string, stage: string): Promise<string[]> =>
  (await stacksOf(assembly, stage)).map(({ name }) => name)

/** How large the code of a function is, in bytes, without its maps. */
export interface CodeSize {
  all: number
  /** Of it, what a start loads before anybody asks anything. */
  first: number
}

/** What a file cannot be loaded without, as the bundler writes it; `import(…)` is loaded later. */
const IMPORTED = /(?:\bfrom|\bimport) ?"\.\/([\w.-]+\.mjs)"/g

/** Of the code in an asset's folder. */
export const codeSizeOf = async (asset: string): Promise<CodeSize> => {
  const names = (await readdir(asset)).filter((name) => name.endsWith(".mjs"))
  const files = new Map(
    await Promise.all(names.map(async (name) => [name, await readFile(join(asset, name), "utf8")] as const)),
  )
  const first = new Set<string>()
  const load = (name: string): void => {
    if (first.has(name)) return
    first.add(name)
    for (const [, imported] of files.get(name)!.matchAll(IMPORTED)) load(imported!)
  }
  load("index.mjs")
  const bytesOf = (of: Iterable<string>): number =>
    [...of].reduce((sum, name) => sum + Buffer.byteLength(files.get(name)!), 0)
  return { all: bytesOf(files.keys()), first: bytesOf(first) }
}

/** The code of each function of a stack, by the folder of `functions/` it is made of. */
export const codeSizes = async ({ template }: Stack): Promise<Map<string, CodeSize>> => {
  const { Resources = {} } = await json<Template>(template)
  const functions = Object.values(Resources).filter(({ Type }) => Type === "AWS::Lambda::Function")
  const sizes = functions.map(async ({ Metadata = {} }): Promise<[string, CodeSize] | null> => {
    const [, id] = /^[^/]+\/(\w+)\/Function\//.exec(String(Metadata["aws:cdk:path"])) ?? []
    if (id === undefined) return null
    const asset = basename(String(Metadata["aws:asset:path"]))
    return [id.toLowerCase(), await codeSizeOf(join(template, "..", asset))]
  })
  return new Map((await Promise.all(sizes)).filter((each) => each !== null))
}

/** All of it, in bytes. */
export const codeBytes = async (stack: Stack): Promise<Map<string, number>> =>
  new Map([...(await codeSizes(stack))].map(([name, { all }]) => [name, all]))
