/**
 * What `work` makes of each item, in their order; up to `count` of them are under way at a time, and are waited for
 * when it ends, however it ends. `work` is called in order too.
 */
export async function* ahead<Item, Result>(
  items: AsyncIterable<Item> | Iterable<Item>,
  count: number,
  work: (item: Item) => Promise<Result>,
): AsyncGenerator<Result> {
  const underWay: Promise<Result>[] = []
  try {
    for await (const item of items) {
      const begun = work(item)
      // One that fails is told of when its turn comes; until then nobody else may be.
      begun.catch(() => {})
      underWay.push(begun)
      if (underWay.length >= count) yield await underWay.shift()!
    }
    while (underWay.length > 0) yield await underWay.shift()!
  } finally {
    await Promise.allSettled(underWay)
  }
}
