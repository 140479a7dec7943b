import { generateKeyPairSync, hash } from "node:crypto"
import type { JWK } from "jose"
import { entryHash, entryText, GENESIS_HEAD } from "../../core/audit/chain.ts"
import { originOf } from "../../core/audit/checkpoint.ts"
import type { AuditBody } from "../../core/audit/entry.ts"
import { CSV_HEAD, csvLine, endLine, entryLine, headLine, pieceLine, WHOLE } from "../../core/audit/export.ts"
import { emptyTree, grow, rootOf } from "../../core/audit/merkle.ts"
import { verifyCsv, verifyJsonl } from "../../core/audit/read-export.ts"
import type { KeptEntry, SignedPiece } from "../../core/audit/verify.ts"
import type { ScopeId } from "../../core/ids.ts"
import { canonical, type Json } from "../../core/json.ts"
import { checkpointSigner } from "../../functions/platform/checkpoint-signer.ts"
import { median, pairedRatio, round } from "../statistics.ts"
import type { Suite } from "./suite.ts"

const ENTRIES = 20_000
/** As many as a busy tenant adds in the 20 seconds between two. */
const ENTRIES_A_CHECKPOINT = 200
const ROUNDS = 9

const scope = "acme-corp" as ScopeId

const bodyOf = (seq: number): AuditBody => ({
  action: seq % 3 === 0 ? "change.live" : "change.submit",
  actor: { subject: `person:${hash("sha256", `${seq % 17}`)}`, tokenId: "acme-corp:tok_01a1fea76d5c74d7" },
  target: `acme-corp:chg_${hash("sha256", `${seq}`).slice(0, 32)}`,
  environment: "Production",
  changeId: `acme-corp:chg_${hash("sha256", `${seq}`).slice(0, 32)}`,
  requestId: `req_${hash("sha256", `r${seq}`).slice(0, 32)}`,
  detail: { keys: ["feature.new_dashboard"], contentHash: `hmac:${hash("sha256", `c${seq}`)}` },
})

const signer = () => {
  const jwk = generateKeyPairSync("ed25519").privateKey.export({ format: "jwk" }) as JWK
  return checkpointSigner({ keys: [jwk] })
}

/** A chain as the database keeps it, with what was signed of it, and the bytes that its hashes are over. */
const madeChain = () => {
  const { keys, sign } = signer()
  const entries: KeptEntry[] = []
  const hashed: Buffer[] = []
  const pieces: SignedPiece[] = []
  const tree = emptyTree()
  let last = GENESIS_HEAD
  for (let seq = 1; seq <= ENTRIES; seq++) {
    const at = `2026-01-01T00:00:00.${String(seq).padStart(6, "0")}Z`
    const text = entryText(at, bodyOf(seq), seq)
    const entry = {
      seq,
      at,
      body: canonical(bodyOf(seq) as unknown as Json),
      prev: last.hash,
      hash: entryHash(last.hash, text),
    }
    entries.push(entry)
    hashed.push(Buffer.concat([Buffer.of(0), Buffer.from(last.hash, "hex"), Buffer.from(text)]))
    grow(tree, Buffer.from(entry.hash, "hex"))
    last = { seq, hash: entry.hash }
    if (seq % ENTRIES_A_CHECKPOINT > 0) continue
    const note = sign({ origin: originOf(scope), size: seq, root: rootOf(tree), chain: entry.hash, at })
    const after = seq - ENTRIES_A_CHECKPOINT
    const hashes = Buffer.concat(entries.slice(after).map((one) => Buffer.from(one.hash, "hex")))
    pieces.push({ after, size: seq, note, hashes })
  }
  return { keys, entries, hashed, pieces, last }
}

type Chain = ReturnType<typeof madeChain>

const jsonl = ({ entries, pieces, last }: Chain): string[] => [
  headLine({ ...WHOLE, scope, from: null, to: null }),
  ...pieces.flatMap((piece) => [
    pieceLine(piece),
    ...entries.slice(piece.after, piece.size).map((entry) => entryLine(entry)),
  ]),
  endLine(last),
]

const csv = ({ entries }: Chain): string[] => [CSV_HEAD, ...entries.map((entry) => csvLine(entry, null))]

const mustHold = ({ ok, entries, signed }: { ok: boolean; entries: number; signed: number }): void => {
  if (!ok || entries !== ENTRIES || signed !== ENTRIES)
    throw new Error("the chain that was made does not hold")
}

/** How fast an export is checked offline, beside nothing but SHA-256 over the bytes that its hashes are over. */
export const audit: Suite = {
  name: "audit",
  run: async (report) => {
    const chain = madeChain()
    const { keys, hashed, pieces } = chain
    const [lines, rows] = [jsonl(chain), csv(chain)]
    const contenders = {
      bare: () => {
        for (const bytes of hashed) hash("sha256", bytes, "buffer")
      },
      jsonl: async () => mustHold(await verifyJsonl(lines, { scope, keys })),
      csv: async () => mustHold(await verifyCsv(rows, { scope, keys, pieces })),
    }
    const taken: Record<keyof typeof contenders, number[]> = { bare: [], jsonl: [], csv: [] }
    for (let nth = 0; nth <= ROUNDS; nth++)
      for (const [name, run] of Object.entries(contenders)) {
        const startedMs = performance.now()
        await run()
        // The first round is for the compiler.
        if (nth > 0) taken[name as keyof typeof contenders].push(performance.now() - startedMs)
      }
    const bytes = hashed.reduce((sum, { length }) => sum + length, 0)
    for (const [name, times] of Object.entries(taken))
      report.figure({
        suite: "audit",
        name: name === "bare" ? "SHA-256 alone" : `an export checked, ${name}`,
        values: {
          entriesPerS: Math.round((ENTRIES / median(times)) * 1_000),
          mbPerS: round(bytes / 1_000 / median(times), 1),
          timesBare: round(pairedRatio(times, taken.bare)),
        },
      })
  },
}
