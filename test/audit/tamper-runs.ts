import fc from "fast-check"
import postgres from "postgres"
import { expect } from "vitest"
import { verifyJsonl } from "../../core/audit/read-export.ts"
import type { SignedPiece } from "../../core/audit/verify.ts"
import type { ScopeId } from "../../core/ids.ts"
import { canonical, type Json } from "../../core/json.ts"
import { entriesOf, type Held, tamper, tamperByte, tamperings, withEntries } from "./tamper.ts"
import { type AuditWorld, linesOf } from "./world.ts"

const scope = "acme" as ScopeId

/** Some entries under several checkpoints, all of them signed, and the export of them. */
export const prepare = async (world: AuditWorld): Promise<{ text: string; pieces: SignedPiece[] }> => {
  await world.tenant("acme")
  for (const times of [3, 1, 6, 4]) {
    await world.edit("acme", times)
    await world.sign()
  }
  const text = await world.exported("acme")
  await world.sign()
  return { text, pieces: await world.pieces("acme") }
}

/** Every tampering with an export is found, and at the entry that is the first not to be what it was. */
export const tamperExports = async (
  world: AuditWorld,
  { text, pieces }: { text: string; pieces: readonly SignedPiece[] },
  numRuns: number,
  seed: number,
): Promise<number> => {
  const known = { scope, keys: world.keys, pieces }
  const entries = entriesOf(text)
  expect(await verifyJsonl(linesOf(text), known)).toMatchObject({ ok: true, entries: entries.length })
  expect(withEntries(text, entries)).toBe(text)
  let found = 0
  await fc.assert(
    fc.asyncProperty(tamperings(), fc.nat(3), async (tampering, way) => {
      const byte = way === 0 ? tamperByte(text, tampering) : null
      const chain = way === 0 ? null : tamper(entries, tampering)
      const altered = byte?.text ?? (chain && withEntries(text, chain.entries))
      if (altered === null) fc.pre(false)
      const verdict = await verifyJsonl(linesOf(altered!), known)
      expect(verdict.ok).toBe(false)
      const firstBroken = byte ? byte.firstBroken : chain!.firstBroken
      if (firstBroken !== null) expect(verdict.firstBroken).toBe(firstBroken)
      found++
    }),
    { numRuns, seed },
  )
  return found
}

type Admin = ReturnType<typeof postgres>

const replace = async (
  admin: Admin,
  entries: readonly Held[],
  head: { seq: number; hash: string },
): Promise<void> => {
  const rows = entries.map(({ seq, at, body, prev, hash }) => ({
    seq,
    at,
    body: canonical(body as unknown as Json),
    prev,
    hash,
  }))
  await admin.begin(async (tx) => {
    await tx`delete from hotswap.audit_entries where tenant_id = ${scope}`
    await tx`
      insert into hotswap.audit_entries (tenant_id, seq, at, body, prev, hash)
      select ${scope}, (r ->> 'seq')::bigint, (r ->> 'at')::timestamptz, r ->> 'body',
        decode(r ->> 'prev', 'hex'), decode(r ->> 'hash', 'hex')
      from jsonb_array_elements(${JSON.stringify(rows)}::text::jsonb) r`
    await tx`
      update hotswap.audit_heads set seq = ${head.seq}, hash = decode(${head.hash}, 'hex') where tenant_id = ${scope}`
  })
}

const GENESIS = { seq: 0, hash: "0".repeat(64) }
const headOf = (entries: readonly Held[]): { seq: number; hash: string } => entries.at(-1) ?? GENESIS

/** Every tampering with the table, by its owner's superuser and with the head made to fit, is found at the right entry. */
export const tamperTable = async (
  world: AuditWorld,
  text: string,
  numRuns: number,
  seed: number,
): Promise<number> => {
  const admin = postgres(world.url("postgres"), { max: 1, onnotice: () => {} })
  const verify = async () =>
    (await world.call("POST", "/api/v1/audit/verify", { body: { tenantId: "acme" } })).body
  const entries = entriesOf(text)
  let found = 0
  try {
    expect(await verify()).toMatchObject({ ok: true, entries: entries.length, signed: entries.length })
    await fc.assert(
      fc.asyncProperty(tamperings(), async (tampering) => {
        const chain = tamper(entries, tampering)
        if (chain === null) fc.pre(false)
        // Two rows cannot have one number, and rows that change places change nothing but their numbers.
        const renumbers = tampering.kind === "insert" || tampering.kind === "swap"
        const rows = renumbers ? chain!.entries.map((one, nth) => ({ ...one, seq: nth + 1 })) : chain!.entries
        await replace(admin, rows, tampering.nonce % 2 === 0 ? headOf(entries) : headOf(rows))
        expect(await verify(), JSON.stringify(tampering)).toMatchObject({
          ok: false,
          firstBroken: chain!.firstBroken,
        })
        found++
      }),
      { numRuns, seed },
    )
  } finally {
    await replace(admin, entries, headOf(entries))
    await admin.end()
  }
  expect(await verify()).toMatchObject({ ok: true })
  return found
}
