/**
 * A map that holds at most `sizeMax` of whatever `sizeOf` counts, forgetting what was used longest ago.
 * Something bigger than the whole is not kept at all.
 */
export interface Lru<Key, Value> {
  get(key: Key): Value | undefined
  set(key: Key, value: Value): void
  delete(key: Key): void
  readonly size: number
}

export const createLru = <Key, Value>(
  sizeMax: number,
  sizeOf: (value: Value) => number = () => 1,
): Lru<Key, Value> => {
  // Two generations instead of a linked list: a look-up in the young one touches nothing, so that the hot
  // path does not write. Each holds half; when the young one is full it becomes the old one.
  let young = new Map<Key, Value>()
  let old = new Map<Key, Value>()
  let youngSize = 0
  let oldSize = 0
  const half = sizeMax / 2

  const forget = (key: Key): void => {
    const inYoung = young.get(key)
    if (inYoung !== undefined && young.delete(key)) youngSize -= sizeOf(inYoung)
    const inOld = old.get(key)
    if (inOld !== undefined && old.delete(key)) oldSize -= sizeOf(inOld)
  }

  const keep = (key: Key, value: Value): void => {
    const size = sizeOf(value)
    if (size > sizeMax) return
    if (youngSize > 0 && youngSize + size > half) {
      old = young
      oldSize = youngSize
      young = new Map()
      youngSize = 0
    }
    young.set(key, value)
    youngSize += size
    // One big value may fill more than a half: then the old half has to go for it.
    if (youngSize + oldSize > sizeMax) {
      old = new Map()
      oldSize = 0
    }
  }

  return {
    get(key) {
      const found = young.get(key)
      if (found !== undefined) return found
      const aged = old.get(key)
      if (aged === undefined) return undefined
      forget(key)
      keep(key, aged)
      return aged
    },
    set(key, value) {
      forget(key)
      keep(key, value)
    },
    delete: forget,
    get size() {
      return youngSize + oldSize
    },
  }
}
