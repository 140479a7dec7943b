import { mkdirSync, writeFileSync } from "node:fs"
import { cpus } from "node:os"
import { audit } from "./suites/audit.ts"
import { backup } from "./suites/backup.ts"
import { cold } from "./suites/cold.ts"
import { evaluate } from "./suites/evaluate.ts"
import { events } from "./suites/events.ts"
import { limits } from "./suites/limits.ts"
import { read } from "./suites/read.ts"
import { reload } from "./suites/reload.ts"
import { rollback } from "./suites/rollback.ts"
import { size } from "./suites/size.ts"
import type { Figure, Suite } from "./suites/suite.ts"
import { verdict } from "./suites/verdict.ts"
import { write } from "./suites/write.ts"

const SUITES: readonly Suite[] = [
  read,
  write,
  size,
  verdict,
  rollback,
  reload,
  audit,
  evaluate,
  limits,
  backup,
  cold,
  events,
]
const RESULTS = "bench/results/latest.json"

const asked = process.argv.slice(2)
const unknown = asked.find((name) => !SUITES.some((suite) => suite.name === name))
if (unknown !== undefined) {
  console.error(
    `There is no suite "${unknown}": npm run bench -- [${SUITES.map(({ name }) => name).join("] [")}]`,
  )
  process.exit(2)
}

const figures: Figure[] = []
const figure = (one: Figure): void => {
  figures.push(one)
  const values = Object.entries(one.values).map(([name, value]) => `${name} ${value}`)
  const goal = one.goal ? `   ${one.goal.met ? "met" : "MISSED"}: ${one.goal.text}` : ""
  console.log(`${one.suite.padEnd(6)} ${one.name.padEnd(44)} ${values.join("  ")}${goal}`)
}

const machine = { cpu: cpus()[0]?.model ?? "unknown", cores: cpus().length, node: process.version }
console.log(
  `${machine.cores} × ${machine.cpu}, Node ${machine.node}. Absolute times mean little on shared machines; ratios hold.`,
)
for (const suite of SUITES) {
  if (asked.length === 0 || asked.includes(suite.name)) await suite.run({ figure })
}
mkdirSync("bench/results", { recursive: true })
writeFileSync(RESULTS, `${JSON.stringify({ machine, figures }, null, 2)}\n`)
const missed = figures.filter(({ goal }) => goal && !goal.met)
console.log(`${figures.length} figures, ${missed.length} goals missed; machine-readable in ${RESULTS}`)
process.exit(0)
