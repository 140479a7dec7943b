import { generateKeyPairSync } from "node:crypto"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { JSONWebKeySet, JWK } from "jose"
import type { SignedPiece } from "../../core/audit/verify.ts"
import type { ScopeId } from "../../core/ids.ts"
import { listCheckpoints } from "../../db/queries/audit-checkpoints.ts"
import { diskBlobStore } from "../../functions/platform/blob-store-disk.ts"
import { checkpointSigner, noteKeys } from "../../functions/platform/checkpoint-signer.ts"
import { dropOld, makeCheckpoints } from "../../functions/relay/checkpoints.ts"
import { createWorld, must } from "../functions/manage/world.ts"

export const newKeySet = (): JSONWebKeySet => ({
  keys: [{ ...(generateKeyPairSync("ed25519").privateKey.export({ format: "jwk" }) as JWK), kid: "test" }],
})

/** Management with a key that signs what it writes into the audit, and a folder for copies. */
export const auditWorld = async () => {
  const world = await createWorld()
  const set = newKeySet()
  const folder = await mkdtemp(join(tmpdir(), "hotswap-blobs-"))
  Object.assign(world.platform.settings, { auditPublicKey: set })
  const signer = checkpointSigner(set)
  const blobs = diskBlobStore(folder)
  const deps = { system: world.system, signer, blobs, clock: world.platform.clock, log: world.platform.log }
  const exported = async (scope: string, rest = "") =>
    (await must(world.call("GET", `/api/v1/audit/export?tenantId=${scope}${rest}`), 200)).text
  return {
    ...world,
    set,
    keys: noteKeys(set),
    signer,
    blobs,
    folder,
    deps,
    sign: () => makeCheckpoints(deps),
    drop: () => dropOld(deps),
    exported,
    pieces: (scope: string): Promise<SignedPiece[]> =>
      listCheckpoints(world.app, scope as ScopeId, { above: 0, limit: 1_000 }),
    /** Adds that many entries, by edits. */
    edit: async (scope: string, times: number) => {
      for (let nth = 0; nth < times; nth++)
        await must(
          world.call("POST", "/api/v1/changes", {
            body: {
              tenantId: scope,
              environment: "Development",
              edits: [{ key: `k${nth % 7}`, value: `${Date.now()} ${nth}` }],
            },
          }),
          202,
        )
    },
    close: async () => {
      await world.close()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

export type AuditWorld = Awaited<ReturnType<typeof auditWorld>>

/** With their line ends. */
export const linesOf = (text: string): string[] => text.match(/[^\n]*\n|[^\n]+$/g) ?? []
