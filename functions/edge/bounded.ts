interface Slot<Value> {
  value: Value
  size: number
  used: boolean
}

/**
 * A map that forgets what was not used lately once its sizes add up to more than `capacity`. Second
 * chance rather than strict order of use: a hit costs one look-up and one flag.
 */
export class Bounded<Value> {
  readonly #slots = new Map<string, Slot<Value>>()
  readonly #capacity: number
  #size = 0

  constructor(capacity: number) {
    this.#capacity = capacity
  }

  get size(): number {
    return this.#size
  }

  get(key: string): Value | undefined {
    const slot = this.#slots.get(key)
    if (slot === undefined) return undefined
    slot.used = true
    return slot.value
  }

  set(key: string, value: Value, size: number): void {
    this.delete(key)
    if (size > this.#capacity) return
    this.#slots.set(key, { value, size, used: false })
    this.#size += size
    this.#shrink()
  }

  delete(key: string): void {
    const slot = this.#slots.get(key)
    if (slot === undefined) return
    this.#size -= slot.size
    this.#slots.delete(key)
  }

  #shrink(): void {
    while (this.#size > this.#capacity) {
      const [key, slot] = this.#slots.entries().next().value!
      this.#slots.delete(key)
      if (slot.used) this.#slots.set(key, { ...slot, used: false })
      else this.#size -= slot.size
    }
  }
}
