import { randomUUID } from "node:crypto"
import { chanceOf } from "../../../fuzz/chance.ts"
import { ACME, archiveWorld, rowOf, saying } from "./world.ts"

/** Writes and reads a table of so many MiB in a process of its own, and tells what it took. */
const MIB = 1024 * 1024
const bytes = Number(process.argv[2]) * MIB

const values = Array.from({ length: 1_000 }, (_, nth) => rowOf(chanceOf(1, nth), nth, 1_500))
const large = JSON.stringify("ä".repeat(2 * MIB))

async function* rows(): AsyncGenerator<string> {
  for (let nth = 0, made = 0; made < bytes; nth++) {
    const value = nth % 10_000 === 9_999 ? large : values[nth % values.length]!
    const row = `{"at":${nth},"value":${value}}`
    made += Buffer.byteLength(row)
    yield row
  }
}

const world = await archiveWorld()
try {
  const before = process.resourceUsage().maxRSS / 1024
  const startedMs = performance.now()
  const { manifest, writtenBytes } = await world.archives.write({
    ...saying(randomUUID()),
    tables: [{ name: "chunks", rows: rows() }],
  })
  const writtenMs = performance.now()
  const archive = await world.archives.open(ACME, manifest.backupId)
  await archive.check()
  const told = {
    plainMib: manifest.tables[0]!.parts.reduce((sum, { plainBytes }) => sum + plainBytes, 0) / MIB,
    storedMib: writtenBytes / MIB,
    parts: manifest.tables[0]!.parts.length,
    writeMs: Math.round(writtenMs - startedMs),
    readMs: Math.round(performance.now() - writtenMs),
    peakMib: process.resourceUsage().maxRSS / 1024,
    grownMib: process.resourceUsage().maxRSS / 1024 - before,
  }
  console.info(JSON.stringify(told))
} finally {
  await world.stop()
}
