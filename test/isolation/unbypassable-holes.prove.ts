import { afterEach, beforeEach, expect, test, vi } from "vitest"

type Stages = typeof import("../../core/change/stages.ts")

/** The approvals of each stage, whoever gave them. */
const everyApproval: Stages["standingOf"] = ({ content, approvals }) =>
  content.stages.map((stage) => ({
    ...stage,
    approvals: approvals.filter(({ role }) => role === stage.role),
  }))

/** Holes that somebody could leave in the rules: each is put there on purpose, and has to be found. */
const HOLES: Readonly<Record<string, (stages: Stages) => Partial<Stages>>> = {
  "approvals of tokens minted for friends count": () => ({
    standingOf: everyApproval,
    objection: (_author, earlier, { subject }) =>
      earlier.some((other) => other.subject === subject) ? "twice" : null,
  }),
  "no approval is owed any more": () => ({ owedStage: () => null }),
  "one approval counts for all": (stages) => ({
    standingOf: (change, policy) =>
      stages
        .standingOf(change, policy)
        .map((stage) => ({ ...stage, required: change.approvals.length > 0 ? 0 : stage.required })),
    objection: () => null,
  }),
  "whoever holds any role holds every one": () => ({
    holds: () => true,
    standingOf: everyApproval,
    objection: () => null,
  }),
}

beforeEach(() => {
  vi.resetModules()
})
afterEach(() => {
  vi.doUnmock("../../core/change/stages.ts")
})

test.each(Object.entries(HOLES))(
  "with a hole (%s), what was never approved is read, and it is noticed",
  async (_name, hole) => {
    let isOpen = false
    const turn = (isHers: boolean) => {
      isOpen = isHers
    }
    vi.doMock("../../core/change/stages.ts", async (original) => {
      const stages = await original<Stages>()
      const holed = hole(stages)
      const names = Object.keys(holed) as (keyof Stages)[]
      const open = (name: keyof Stages) =>
        [
          name,
          (...args: never[]) =>
            ((isOpen ? { ...stages, ...holed } : stages)[name] as (...given: never[]) => unknown)(...args),
        ] as const
      return { ...stages, ...Object.fromEntries(names.map(open)) }
    })
    const { tryToBypass } = await import("./unbypassable.ts")
    await expect(tryToBypass({ sequences: 30, calls: 60, seed: 7, turn })).rejects.toThrow(
      /to deep equally contain|expected/,
    )
  },
)
