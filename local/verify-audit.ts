import { createReadStream } from "node:fs"
import { readdir, readFile, stat } from "node:fs/promises"
import { join } from "node:path"
import { parseArgs } from "node:util"
import { openNote, originOf } from "../core/audit/checkpoint.ts"
import { HASH_BYTES } from "../core/audit/merkle.ts"
import { readPiece, verifyCsv, verifyJsonl } from "../core/audit/read-export.ts"
import type { SignedPiece } from "../core/audit/verify.ts"
import type { ScopeId } from "../core/ids.ts"
import { noteKeys } from "../functions/platform/checkpoint-signer.ts"

const HELP = `
  node local/verify-audit.ts FILE KEY

  Checks an export of the audit without asking anybody. It ends with 0 if all is well, with 1 and the first broken
  entry if not, with 2 if it could not be checked.

  FILE                  what GET /api/v1/audit/export answered, .jsonl or .csv
  KEY                   the public key: base64, or a file with what GET /api/v1/audit/key answered
  --tenant ID           whose it should be; an export in JSONL says it otherwise
  --checkpoints PATH    checkpoints that were kept elsewhere: a file with what GET /api/v1/audit/checkpoints answered,
                        or the folder of copies, blobs/audit/ID; without any, a chain cut short cannot be told
  --note FILE           a signed note that was kept elsewhere; may be given several times
  --partial             the export was asked for with from or to
`

const OPTIONS = {
  tenant: { type: "string" },
  checkpoints: { type: "string" },
  note: { type: "string", multiple: true },
  partial: { type: "boolean" },
  help: { type: "boolean", short: "h" },
} as const

const say = (line: string): void => void process.stdout.write(`${line}\n`)

const isThere = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  )

const keysFrom = async (given: string) => {
  const text = (await isThere(given)) ? await readFile(given, "utf8") : given
  const told = text.startsWith("{")
    ? (JSON.parse(text) as { keys: { publicKey: string }[] }).keys.map(({ publicKey }) => publicKey)
    : [text.trim().split("+").at(-1)!]
  // A key in the form of signed notes has the number of its algorithm in front.
  const raw = told.map((key) => Buffer.from(key, "base64").subarray(-HASH_BYTES))
  return noteKeys({
    keys: raw.map((key) => ({ kty: "OKP", crv: "Ed25519", x: key.toString("base64url") })),
  })
}

/** The copies that the relay keeps: named by the checkpoint that each goes on from, so in their order. */
const fromFolder = async (path: string): Promise<SignedPiece[]> => {
  const names = (await readdir(path)).filter((name) => /^\d{16}$/.test(name)).sort()
  return await Promise.all(
    names.map(async (name) => {
      const piece = readPiece(await readFile(join(path, name), "utf8"))
      if (piece === null) throw new Error(`${join(path, name)} is no checkpoint`)
      return piece
    }),
  )
}

const piecesFrom = async (path: string | undefined): Promise<SignedPiece[]> => {
  if (path === undefined) return []
  if ((await stat(path)).isDirectory()) return await fromFolder(path)
  const { items } = JSON.parse(await readFile(path, "utf8")) as {
    items: (Omit<SignedPiece, "hashes"> & { hashes: string })[]
  }
  return items.map((item) => ({ ...item, hashes: Buffer.from(item.hashes, "base64") }))
}

/** The lines of a file with the ends they have there: one that lacks its own must be told apart. */
async function* linesOf(path: string, ending: string): AsyncGenerator<string> {
  let rest = ""
  for await (const part of createReadStream(path, "utf8")) {
    const lines = (rest + part).split(ending)
    rest = lines.pop()!
    for (const line of lines) yield line + ending
  }
  if (rest !== "") yield rest
}

/** Whose it says it is. */
const scopeIn = async (path: string): Promise<string | undefined> => {
  for await (const line of linesOf(path, "\n")) {
    const { origin } = JSON.parse(line) as { origin?: string }
    return origin?.startsWith(originOf("" as ScopeId))
      ? origin.slice(originOf("" as ScopeId).length)
      : undefined
  }
  return undefined
}

const main = async (): Promise<number> => {
  const { values, positionals } = parseArgs({ options: OPTIONS, allowPositionals: true })
  const [file, key] = positionals
  if (values.help || !file || !key) {
    say(HELP)
    return values.help ? 0 : 2
  }
  const isCsv = file.endsWith(".csv")
  const scope = (values.tenant ?? (isCsv ? undefined : await scopeIn(file))) as ScopeId | undefined
  if (!scope) throw new Error("Say whose it should be, with --tenant.")
  const [keys, pieces] = await Promise.all([keysFrom(key), piecesFrom(values.checkpoints)])
  const notes = await Promise.all((values.note ?? []).map((path) => readFile(path, "utf8")))
  const known = { scope, keys, pieces, notes, partial: values.partial ?? false }
  const startedMs = performance.now()
  const verdict = isCsv
    ? await verifyCsv(linesOf(file, "\r\n"), known)
    : await verifyJsonl(linesOf(file, "\n"), known)
  const seconds = (performance.now() - startedMs) / 1_000
  if (!verdict.ok) {
    say(`BROKEN at entry ${verdict.firstBroken} of ${scope}: ${verdict.reason}`)
    return 1
  }
  const speed = Math.round(verdict.entries / seconds).toLocaleString("en")
  say(
    `ok: ${verdict.entries} entries of ${scope} up to ${verdict.head.seq}, signed up to ${verdict.signed}; ${speed} entries/s`,
  )
  if (verdict.signed < verdict.head.seq)
    say(
      `    NOT SIGNED: entries ${verdict.signed + 1} to ${verdict.head.seq}, which anybody may have written; of the newest alone that is usual`,
    )
  const last = pieces.at(-1)
  const at = last && openNote(last.note, originOf(scope), keys)?.at
  if (at) say(`    held against checkpoints up to ${last.size}, of ${at}`)
  return 0
}

process.exitCode = await main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
  return 2
})
