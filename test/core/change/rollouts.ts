import type { Strategy } from "../../../core/change/change.ts"
import type { Json } from "../../../core/json.ts"
import { bob } from "./people.ts"
import { MINUTE_MS, World } from "./world.ts"

const CANARY: Strategy = {
  type: "canary",
  steps: [
    { weightBp: 1_000, holdMs: MINUTE_MS },
    { weightBp: 5_000, holdMs: 2 * MINUTE_MS },
  ],
}
export const canary = { strategy: CANARY }
export const actor = bob.actor
export const person = { kind: "person", actor } as const
export const clock = { kind: "clock" } as const

/** `a` and `z` are 1, and `a` is on its way to 2. */
export const started = () => {
  const world = new World()
  world.set({ a: 1, z: 1 })
  return { world, id: world.set({ a: 2 }, canary) }
}

export const candidateValue = (world: World, name: string): Json | undefined =>
  world.value(name, world.pointer.candidate!.release)
