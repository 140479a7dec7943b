import { type CodeSize, codeSizes, stacksIn } from "./assembly.ts"
import { OUT } from "./command.ts"
import { BUDGET_KIB, FIRST_LOAD_KIB } from "./size-budgets.ts"
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
  const sizes = await codeSizes(production)
  const rows = [...sizes].map(([name, { first, all }]) => {
    const [firstKib, allKib] = [FIRST_LOAD_KIB, BUDGET_KIB].map(
      (budgets) => budgets[name as keyof typeof budgets],
    )
    return `| ${name} | ${(first / KIB).toFixed(1)} | ${firstKib} | ${(all / KIB).toFixed(1)} | ${allKib} |`
  })
  const head = ["| function | KiB at the start | budget | KiB | budget |", "|---|---:|---:|---:|---:|"]
  await summarise([...head, ...rows, ""].join("\n"))
  const of = (which: keyof CodeSize) => new Map([...sizes].map(([name, size]) => [name, size[which]]))
  const wrong = [
    ...overBudget(of("first"), FIRST_LOAD_KIB).map((words) => `at the start: ${words}`),
    ...overBudget(of("all"), BUDGET_KIB),
  ]
  if (wrong.length > 0) throw new Error(wrong.join("\n"))
}
