// What the workflows call, and nothing else: `node ci/run.ts <step>…`, or `here` for all that need no account.
import { STEPS, type Step } from "./steps.ts"

const HERE = [...STEPS].filter(([, { needs }]) => needs === "nothing").map(([name]) => name)

const usage = (): string =>
  [
    "node ci/run.ts <step>…",
    "node ci/run.ts here        each of these that needs no account:",
    ...[...STEPS].map(([name, { does, needs }]) => `  ${needs === "nothing" ? "*" : " "} ${name}: ${does}`),
  ].join("\n")

const stepOf = (name: string): readonly [string, Step] => {
  const step = STEPS.get(name)
  if (step === undefined) throw new Error(`there is no step "${name}"\n${usage()}`)
  return [name, step]
}

const runAll = async (names: readonly string[]): Promise<void> => {
  // All are looked up before the first runs.
  for (const [name, step] of names.map(stepOf)) {
    console.log(`\n== ${name}: ${step.does}`)
    const startedAt = performance.now()
    await step.run()
    console.log(`== ${name}: done in ${((performance.now() - startedAt) / 1000).toFixed(1)} s`)
  }
}

const names = process.argv.slice(2).flatMap((name) => (name === "here" ? HERE : [name]))
try {
  if (names.length === 0) throw new Error(usage())
  await runAll(names)
} catch (error) {
  console.error(`\n${(error as Error).message}`)
  process.exitCode = 1
}
