import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, expect, test } from "vitest"
import { diskStore } from "../../sdk/src/disk.ts"
import { snapshotOf } from "./scripted.ts"

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "hotswap-disk-"))
})
afterAll(() => rm(folder, { recursive: true }))

test("what is saved is there for the next process, under the same name", async () => {
  const path = join(folder, "deeper", "kept.json")
  const store = diskStore(path)
  expect(await store.load()).toBeNull()
  await store.save(snapshotOf(1, { configs: { text: "ä\n😀", nested: { list: [1.5, null] } } }))
  const name = await store.instanceId()
  const again = diskStore(path)
  expect(await again.load()).toEqual(
    snapshotOf(1, { configs: { text: "ä\n😀", nested: { list: [1.5, null] } } }),
  )
  expect(await again.instanceId()).toBe(name)
})

test("of many that are saved at once the last is kept, and nothing lies about", async () => {
  const store = diskStore(join(folder, "busy", "kept.json"))
  await Promise.all(Array.from({ length: 50 }, (_, index) => store.save(snapshotOf(index))))
  expect(await store.load()).toEqual(snapshotOf(49))
  expect(await readdir(join(folder, "busy"))).toEqual(["kept.json"])
})

test("several processes may share it: what is read is always whole", async () => {
  const path = join(folder, "shared.json")
  const stores = [1, 2, 3].map(() => diskStore(path))
  await stores[0]!.save(snapshotOf(0))
  const saves = stores.flatMap((store, owner) =>
    Array.from({ length: 10 }, async (_, index) => {
      await store.save(snapshotOf(owner * 100 + index, { configs: { long: "x".repeat(100_000 * owner) } }))
    }),
  )
  for (let count = 0; count < 30; count++) expect(await diskStore(path).load()).not.toBeNull()
  await Promise.all(saves)
})

test("a file that is torn, altered or of something else counts as none", async () => {
  const path = join(folder, "torn.json")
  const store = diskStore(path)
  await store.save(snapshotOf(1))
  const whole = await readFile(path)
  for (let length = 0; length < whole.length; length += 7) {
    await writeFile(path, whole.subarray(0, length))
    expect(await store.load(), `${length} bytes`).toBeNull()
  }
  for (let place = 0; place < whole.length; place += 11) {
    const altered = Buffer.from(whole)
    altered[place]! ^= 1
    await writeFile(path, altered)
    expect(await store.load(), `byte ${place}`).toBeNull()
  }
  for (const foreign of ['{"tenantId":"acme"}', "hotswap-1\n{}", "\n", "\0".repeat(1_000)]) {
    await writeFile(path, foreign)
    expect(await store.load(), foreign).toBeNull()
  }
  await store.save(snapshotOf(2))
  expect(await store.load()).toEqual(snapshotOf(2))
})

test("a name that is torn is made anew", async () => {
  const store = diskStore(join(folder, "named.json"))
  const name = await store.instanceId()
  await writeFile(join(folder, "named.json.instance"), "")
  expect(await store.instanceId()).not.toBe(name)
})
