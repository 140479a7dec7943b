import { readdir } from "node:fs/promises"
import { Refusal } from "../../core/errors.ts"
import { blobNames } from "../../functions/platform/blob-store.ts"
import { diskBlobStore } from "../../functions/platform/blob-store-disk.ts"

// Uses a folder of blobs from a process of its own: on a disk that is full, as somebody who may not, until it is killed.

const [task, directory = ""] = process.argv.slice(2)
const store = diskBlobStore(directory)
const say = (what: unknown): boolean => process.stdout.write(`${JSON.stringify(what)}\n`)
const told = async (work: Promise<unknown>): Promise<unknown> =>
  await work.catch((error: unknown) => {
    if (!(error instanceof Refusal)) return { unforeseen: String(error) }
    return { code: error.code, cause: (error.cause as { code?: string }).code }
  })
const listed = async (): Promise<string[]> => {
  const names: string[] = []
  for await (const name of blobNames(store, "")) names.push(name)
  return names
}

if (task === "fill") {
  let nth = 0
  for (;;) {
    const outcome = await told(store.putOnce(`a/${nth}`, new Uint8Array(64 * 1024).fill(nth)))
    if (outcome !== "written") {
      say({ outcome, written: nth, names: await listed(), files: await readdir(`${directory}/a`) })
      break
    }
    nth++
  }
  await store.remove("a/0")
  say({ again: await told(store.putOnce(`a/${nth}`, new Uint8Array(1024).fill(nth))), names: await listed() })
}

if (task === "trespass") {
  say(await told(store.putOnce("open/2", new Uint8Array(1))))
  say(await told(store.putOnce("new/1", new Uint8Array(1))))
  say(await told(store.remove("open/1")))
  say(await told(store.get("open/1")))
  say(await told(store.get("closed/1")))
  say(await told(store.list("closed")))
}

if (task === "write")
  for (let nth = 0; ; nth++) {
    await store.putOnce(`a/${process.pid}/${nth}`, new Uint8Array(200_000).fill(nth))
    say(`a/${process.pid}/${nth}`)
  }
