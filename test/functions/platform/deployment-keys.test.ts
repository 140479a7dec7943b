import { generateKeyPairSync, randomBytes } from "node:crypto"
import type { JSONWebKeySet } from "jose"
import { describe, expect, test } from "vitest"
import { droppedOrigin, openNote, originOf, signedNote } from "../../../core/audit/checkpoint.ts"
import { handOverText } from "../../../core/backup/hand-over.ts"
import type { ScopeId } from "../../../core/ids.ts"
import { type Archives, createArchives } from "../../../functions/platform/archive/archives.ts"
import { composeArchives } from "../../../functions/platform/archive/compose-archives.ts"
import { countersigned } from "../../../functions/platform/archive/countersigned.ts"
import { diskBlobStore } from "../../../functions/platform/blob-store-disk.ts"
import { checkpointSigner } from "../../../functions/platform/checkpoint-signer.ts"
import {
  isSignedBy,
  keysFor,
  oneOffKey,
  receiverOf,
  signHandOver,
  travellingRing,
  wrapFor,
} from "../../../functions/platform/deployment-keys.ts"
import { keyFolder } from "../../support/keys.ts"
import { handClock } from "./fakes.ts"

const ACME = "acme" as ScopeId
const BACKUP = "01890a5d-ac96-774b-bcce-b302099a8057"

const keySet = (type: "ed25519" | "x25519", kid = "1"): JSONWebKeySet => {
  const { privateKey } = type === "ed25519" ? generateKeyPairSync(type) : generateKeyPairSync(type)
  return { keys: [{ ...privateKey.export({ format: "jwk" }), kid }] } as JSONWebKeySet
}
const publicOf = ({ keys: [key] }: JSONWebKeySet): string => String(key?.x)
const refusalOf = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => "opened",
    (error: { code?: string }) => error.code,
  )

describe("an archive's key", () => {
  const mine = keySet("x25519")
  const theirs = keySet("x25519")
  const to = publicOf(mine)
  const key = new Uint8Array(randomBytes(32))

  test("opens for the deployment that it was wrapped for, also after it got another key", async () => {
    const jwe = await wrapFor({ source: "acme", to }, key)
    const rotated = receiverOf({ keys: [...keySet("x25519", "2").keys, ...mine.keys] })
    expect(Buffer.from(await receiverOf(mine).unwrap({ source: "acme", to }, jwe))).toEqual(Buffer.from(key))
    expect(Buffer.from(await rotated.unwrap({ source: "acme", to }, jwe))).toEqual(Buffer.from(key))
    expect(rotated.receivingKeys[1]).toBe(to)
  })

  test("opens for no other, under no other name, and not when a bit of it was altered", async () => {
    const jwe = await wrapFor({ source: "acme", to }, key)
    const receiver = receiverOf(mine)
    const [header = "", ...rest] = jwe.split(".")
    const plain = Buffer.from(JSON.stringify({ alg: "none" })).toString("base64url")
    expect(await refusalOf(receiverOf(theirs).unwrap({ source: "acme", to }, jwe))).toBe(
      "HAND_OVER_MISADDRESSED",
    )
    expect(await refusalOf(receiverOf(theirs).unwrap({ source: "acme", to: publicOf(theirs) }, jwe))).toBe(
      "ARCHIVE_KEY_UNKNOWN",
    )
    expect(await refusalOf(receiver.unwrap({ source: "globex", to }, jwe))).toBe("ARCHIVE_KEY_UNKNOWN")
    expect(await refusalOf(receiver.unwrap({ source: "acme", to }, [plain, ...rest].join(".")))).toBe(
      "ARCHIVE_KEY_UNKNOWN",
    )
    expect(await refusalOf(receiver.unwrap({ source: "acme", to }, `${header}.`))).toBe("ARCHIVE_KEY_UNKNOWN")
    for (let at = 0; at < jwe.length; at += 7) {
      // The last letter of a piece holds bits that mean nothing.
      if ([".", undefined].includes(jwe[at + 1])) continue
      const other = jwe[at] === "A" ? "B" : "A"
      const altered = jwe.slice(0, at) + other + jwe.slice(at + 1)
      expect([at, await refusalOf(receiver.unwrap({ source: "acme", to }, altered))]).toEqual([
        at,
        "ARCHIVE_KEY_UNKNOWN",
      ])
    }
  })

  test("of another length opens nothing", async () => {
    const jwe = await wrapFor({ source: "acme", to }, new Uint8Array(16))
    expect(await refusalOf(receiverOf(mine).unwrap({ source: "acme", to }, jwe))).toBe("ARCHIVE_KEY_UNKNOWN")
  })

  test("is the same again for whoever goes on with the same archive, and for nothing else", () => {
    const scopeKey = randomBytes(32)
    const made = (backupId: string, receiver: string) =>
      Buffer.from(oneOffKey(scopeKey, backupId, receiver)).toString("hex")
    expect(made(BACKUP, to)).toBe(made(BACKUP, to))
    expect(
      new Set([
        made(BACKUP, to),
        made(`${BACKUP}0`, to),
        made(BACKUP, publicOf(theirs)),
        scopeKey.toString("hex"),
      ]).size,
    ).toBe(4)
  })
})

describe("data keys on their way", () => {
  const name = { scope: ACME, realm: "Production", generation: 3 }

  test("open with the archive's key under their own name only", async () => {
    const archiveKey = randomBytes(32)
    const dataKey = new Uint8Array(randomBytes(32))
    const wrapped = await travellingRing(archiveKey).wrap(name, dataKey)
    const opened = async (as: typeof name, key: Uint8Array) =>
      Buffer.from(
        await travellingRing(key)
          .unwrap(as, wrapped)
          .catch(() => Buffer.of()),
      )
    expect(await opened(name, archiveKey)).toEqual(Buffer.from(dataKey))
    for (const other of [
      { ...name, scope: "globex" as ScopeId },
      { ...name, realm: "Staging" },
      { ...name, generation: 4 },
    ])
      expect((await opened(other, archiveKey)).length).toBe(0)
    expect((await opened(name, randomBytes(32))).length).toBe(0)
  })
})

describe("what a deployment signs", () => {
  const set = keySet("ed25519")
  const signer = checkpointSigner(set)
  const { statement, signature } = signHandOver(signer, {
    name: "first",
    backupId: BACKUP,
    source: "acme",
    manifestHash: "ab".repeat(32),
    to: publicOf(keySet("x25519")),
    signedAt: "2026-05-01T11:00:00.000Z",
  })

  test("is its own word for anybody who knows its key, and for nobody else's", () => {
    const text = handOverText(statement)
    expect(isSignedBy(publicOf(set), text, signature)).toBe(true)
    expect(statement.from.signingKey).toBe(publicOf(set))
    expect(isSignedBy(publicOf(keySet("ed25519")), text, signature)).toBe(false)
    expect(isSignedBy(publicOf(set), text.replace("acme", "acne"), signature)).toBe(false)
    expect(isSignedBy("no key", text, signature)).toBe(false)
    expect(isSignedBy(publicOf(set), text, "")).toBe(false)
  })
})

describe("an archive for another deployment", () => {
  const receiving = keySet("x25519")
  const [theirs, ours] = [checkpointSigner(keySet("ed25519")), checkpointSigner(keySet("ed25519"))]
  const text = `${originOf(ACME)}\n3\n${Buffer.alloc(32).toString("base64")}\nchain ${"0".repeat(64)}\nat 2026-05-01T11:00:00.000000Z\n`
  const note = signedNote(text, { name: originOf(ACME), ...theirs.signText(text) })
  const droppedNote = (wish: string) =>
    signedNote(wish, { name: droppedOrigin(originOf(ACME)), ...theirs.signText(wish) })
  /** Texts that somebody would have signed by the deployment that takes the archive in. */
  const wished = [
    "hotswap-hand-over/1\n{}\n",
    "hotswap-erasure/1\n",
    text.replace("audit/acme", "audit/other"),
  ]
  async function* rowsOf(rows: readonly object[]) {
    for (const row of rows) yield JSON.stringify(row)
  }
  const write = async (archives: Archives) =>
    await archives.write({
      backupId: BACKUP,
      source: ACME,
      at: "2026-05-01T11:00:00.000000Z",
      schemaVersion: 14,
      environments: ["Production"],
      revisions: { Production: 1 },
      options: { includeEmptyTables: false },
      fingerprint: "1",
      tables: [
        { name: "tenants", rows: rowsOf([{ tenant_id: "acme" }]) },
        {
          name: "audit_checkpoints",
          rows: rowsOf([
            { size: 3, note },
            { size: 4, note: "no note" },
            ...wished.map((wish) => ({
              size: 5,
              note: signedNote(wish, { name: originOf(ACME), ...theirs.signText(wish) }),
            })),
          ]),
        },
        {
          name: "audit_drops",
          rows: rowsOf(wished.map((wish) => ({ through: 2, note: droppedNote(wish) }))),
        },
      ],
    })
  const opening = (directory: string, handOverKey: JSONWebKeySet | null) =>
    countersigned(
      composeArchives({
        blobs: diskBlobStore(directory, handClock()),
        db: undefined as never,
        keyRing: undefined,
        clock: handClock(),
        settings: { handOverKey },
      }),
      ours,
    )

  test("opens there, and what was signed of its audit trail is signed again by who answers for it from then on", async () => {
    const directory = keyFolder()
    const blobs = diskBlobStore(directory, handClock())
    await write(createArchives({ blobs, keys: keysFor(randomBytes(32), publicOf(receiving)) }))
    const archive = await opening(directory, receiving).open(ACME, BACKUP)
    const rows: { note?: string }[] = []
    for await (const row of archive.rows("audit_checkpoints")) rows.push(JSON.parse(row) as { note: string })
    expect(openNote(rows[0]!.note!, originOf(ACME), ours.keys)).toMatchObject({ size: 3 })
    expect(openNote(rows[0]!.note!, originOf(ACME), theirs.keys)).toBeNull()
    expect(rows[1]).toEqual({ size: 4, note: "no note" })
    for (const [nth, wish] of wished.entries())
      expect(rows[nth + 2]!.note).toBe(signedNote(wish, { name: originOf(ACME), ...theirs.signText(wish) }))
    const drops: string[] = []
    for await (const row of archive.rows("audit_drops"))
      drops.push((JSON.parse(row) as { note: string }).note)
    expect(drops).toEqual(wished.map(droppedNote))
    for await (const row of archive.rows("tenants")) expect(row).toBe('{"tenant_id":"acme"}')
  })

  test("opens nowhere else, and nowhere without a key to receive with", async () => {
    const directory = keyFolder()
    const blobs = diskBlobStore(directory, handClock())
    await write(createArchives({ blobs, keys: keysFor(randomBytes(32), publicOf(receiving)) }))
    expect(await refusalOf(opening(directory, keySet("x25519")).open(ACME, BACKUP))).toBe(
      "HAND_OVER_MISADDRESSED",
    )
    expect(await refusalOf(opening(directory, null).open(ACME, BACKUP))).toBe("HAND_OVER_UNSUPPORTED")
  })
})
