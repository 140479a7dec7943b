import { codeBytes, stacksIn } from "./assembly.ts"
import { OUT } from "./command.ts"
import { BUDGET_KIB } from "./size-budgets.ts"
import { summarise } from "./summary.ts"

const KIB = 1024

/** What is wrong with these sizes, by function: too large, without a budget, or a budget of nothing. */
export const overBudget = (
  bytes: ReadonlyMap<string, number>,
  budgets: Readonly<Record<string, number>>,
): string[] => [
  ...[...bytes].flatMap(([name, size]) => {
    const budget = budgets[name]
    if (budget === undefined) return [`${name} has no budget`]
    return size <= budget * KIB ? [] : [`${name} is ${(size / KIB).toFixed(1)} KiB, ${budget} are allowed`]
  }),
  ...Object.keys(budgets)
    .filter((name) => !bytes.has(name))
    .map((name) => `${name} has a budget and is not deployed`),
]

/** Compares the code that production would be given with its budgets. Throws, naming what is over. */
export const checkBudgets = async (): Promise<void> => {
  const production = (await stacksIn(OUT)).find(({ name }) => name === "Hotswap-prod")
  if (production === undefined) throw new Error("there is no Hotswap-prod in cdk.out: npm run synth")
  const bytes = await codeBytes(production)
  const rows = [...bytes].map(
    ([name, size]) =>
      `| ${name} | ${(size / KIB).toFixed(1)} | ${BUDGET_KIB[name as keyof typeof BUDGET_KIB]} |`,
  )
  await summarise(["| function | KiB | budget |", "|---|---:|---:|", ...rows, ""].join("\n"))
  const wrong = overBudget(bytes, BUDGET_KIB)
  if (wrong.length > 0) throw new Error(wrong.join("\n"))
}
