import type { HotswapEvents } from "./types.ts"

type Name = keyof HotswapEvents
type Listener<Of extends Name> = (event: HotswapEvents[Of]) => void

const NAMES: readonly Name[] = ["stale", "changed", "error", "ready"]

/** Who wants to hear of what. */
export class Listeners {
  readonly #of: { [Of in Name]?: Set<(event: never) => void> } = {}

  /** Throws TypeError for what is no event. */
  add<Of extends Name>(name: Of, listener: Listener<Of>): () => void {
    if (!NAMES.includes(name)) throw new TypeError(`${name} is none of ${NAMES}.`)
    this.#of[name] ??= new Set()
    const listeners = this.#of[name].add(listener)
    return () => void listeners.delete(listener)
  }

  /** Everybody hears of it, whatever the others throw; `failed` is told that. */
  tell<Of extends Name>(name: Of, event: HotswapEvents[Of], failed: (thrown: unknown) => void): void {
    for (const listener of [...(this.#of[name] ?? [])])
      try {
        ;(listener as Listener<Of>)(event)
      } catch (thrown) {
        failed(thrown)
      }
  }
}
