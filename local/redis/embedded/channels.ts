import { globToRegExp } from "./text.ts"

type Listener = (message: string, channel: string) => void
interface Subscription {
  hears(channel: string): boolean
  listener: Listener
}

/** Publish and subscribe: whoever listens at that moment hears it, nobody else ever does. */
export class Channels {
  readonly #subscriptions = new Set<Subscription>()

  subscribe(channel: string, listener: Listener): () => void {
    return this.#add({ hears: (published) => published === channel, listener })
  }

  subscribePattern(pattern: string, listener: Listener): () => void {
    const match = globToRegExp(pattern)
    return this.#add({ hears: (published) => match.test(published), listener })
  }

  /** Returns how many heard it. */
  publish(channel: string, message: string): number {
    const hearing = [...this.#subscriptions].filter((subscription) => subscription.hears(channel))
    for (const { listener } of hearing) listener(message, channel)
    return hearing.length
  }

  clear(): void {
    this.#subscriptions.clear()
  }

  #add(subscription: Subscription): () => void {
    this.#subscriptions.add(subscription)
    return () => this.#subscriptions.delete(subscription)
  }
}
