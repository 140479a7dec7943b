import { readFile } from "node:fs/promises"
import { join } from "node:path"
import { deployedStacks } from "./assembly.ts"
import { OUT, show } from "./command.ts"

const outputsFile = (stage: string): string => join(OUT, `outputs-${stage}.json`)

/**
 * Deploys a stage out of the assembly in `directory`, as it was synthesised and tested. The database's migrations run
 * within, before any function is altered.
 */
export const deployAssembly = async (directory: string, stage: string): Promise<void> => {
  const assembly = join(directory, "cdk.out")
  const stacks = await deployedStacks(assembly, stage)
  const fixed = ["--require-approval", "never", "--outputs-file", outputsFile(stage)]
  await show("cdk", ["deploy", "--app", assembly, ...fixed, ...stacks], { directory })
}

export const deploy = async (stage: string): Promise<void> => await deployAssembly(join(OUT, ".."), stage)

/** What the stage's service stack told when it was deployed, by the name of the output. */
export const outputsOf = async (stage: string): Promise<Readonly<Record<string, string>>> => {
  const told = JSON.parse(await readFile(outputsFile(stage), "utf8")) as Record<
    string,
    Record<string, string>
  >
  return told[`Hotswap-${stage}`] ?? {}
}

/** Throws if the deployment did not tell it. */
export const outputOf = (outputs: Readonly<Record<string, string>>, name: string): string => {
  const value = outputs[name]
  if (value === undefined) throw new Error(`the deployment told no ${name}`)
  return value
}
