import type { HotswapEvents } from "./types.ts"

type Name = keyof HotswapEvents
type Listener<Of extends Name> = (event: HotswapEvents[Of]) => void

/** Who wants to hear of what. */
export class Listeners {
  readonly #of: { [Of in Name]: Set<Listener<Of>> } = {
    ready: new Set(),
    changed: new Set(),
    stale: new Set(),
    error: new Set(),
  }

  add<Of extends Name>(name: Of, listener: Listener<Of>): () => void {
    this.#of[name].add(listener)
    return () => void this.#of[name].delete(listener)
  }

  /** Everybody hears of it, whatever the others throw; what they threw comes back. */
  tell<Of extends Name>(name: Of, event: HotswapEvents[Of]): unknown[] {
    const thrown: unknown[] = []
    for (const listener of [...this.#of[name]])
      try {
        listener(event)
      } catch (error) {
        thrown.push(error)
      }
    return thrown
  }
}
