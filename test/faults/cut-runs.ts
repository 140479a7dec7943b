import fc from "fast-check"
import { type CutTally, createCutWorld } from "./cuts.ts"
import type { Cut } from "./cutting-wire.ts"

/** Breaks writes off at generated points of their conversation with PostgreSQL, in both directions, and repeats each. */
export const cutConversations = async (
  { noticed, unnoticed }: { noticed: number; unnoticed: number },
  seed: number,
): Promise<{ tally: CutTally; isWhole: boolean }> => {
  const world = await createCutWorld()
  try {
    const places = Object.entries(await world.sizes()).flatMap(([of, sizes]) =>
      Object.entries(sizes).map(([direction, size]) => ({ of, direction, size }) as const),
    )
    const pointOf = (noticedBy: readonly Cut["noticedBy"][]) =>
      fc.constantFrom(...places).chain(({ of, direction, size }) =>
        fc.record({
          of: fc.constant(of as Parameters<typeof world.once>[0]),
          direction: fc.constant(direction as Cut["direction"]),
          afterBytes: fc.integer({ min: 1, max: size }),
          noticedBy: fc.constantFrom(...noticedBy),
        }),
      )
    const points = [
      ...fc.sample(pointOf(["both"]), { numRuns: noticed, seed }),
      ...fc.sample(pointOf(["nobody", "client"]), { numRuns: unnoticed, seed }),
    ]
    for (const { of, ...cut } of points) await world.once(of, cut)
    return { tally: world.tally, isWhole: await world.isWhole() }
  } finally {
    await world.close()
  }
}
