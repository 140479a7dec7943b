/** The name of an environment, spelt as it was declared. */
export type Environment = string & { readonly __brand: "Environment" }

/** The order in which configuration is promoted when nothing else is declared. */
export const DEFAULT_ENVIRONMENTS = [
  "Development",
  "QA",
  "Staging",
  "Production",
] as unknown as readonly Environment[]

const NAME = /^[A-Za-z][A-Za-z0-9-]{0,31}$/

/** Reads `Development,QA,Production`; the order is the order of promotion. Throws with one actionable line. */
export const parseEnvironments = (list: string): readonly Environment[] => {
  const names = list.split(",").map((name) => name.trim())
  const bad = names.find((name) => !NAME.test(name))
  if (bad !== undefined)
    throw new Error(`"${bad}" is not an environment name: use 1 to 32 letters, digits and dashes`)
  if (new Set(names.map((name) => name.toLowerCase())).size !== names.length)
    throw new Error("an environment is named twice: names differ by more than case")
  return names as unknown as readonly Environment[]
}

/** The declared environment of that name, whatever its case, or `null`. */
export const parseEnvironment = (text: string, environments: readonly Environment[]): Environment | null =>
  environments.find((environment) => environment.toLowerCase() === text.toLowerCase()) ?? null

/** The last environment in the order is the one customers use. */
export const isProduction = (environment: Environment, environments: readonly Environment[]): boolean =>
  environments.at(-1) === environment
