import { createHash } from "node:crypto"
import { join } from "node:path"
import { gzipSync } from "node:zlib"
import { build } from "esbuild"

/** The Worker as the one module that is uploaded. */
export interface WorkerBundle {
  name: string
  text: string
  bytes: number
  gzipBytes: number
  /** The same sources give the same. */
  hash: string
}

/** What its isolates start with, everywhere in the world; Cloudflare's own limit is a hundred times this. */
export const GZIP_BYTES_MAX = 48 * 1024

/** Bundles `main` (from the repository's folder). Throws when it has become larger than its budget. */
export const bundleWorker = async (main: string): Promise<WorkerBundle> => {
  const { outputFiles } = await build({
    absWorkingDir: join(import.meta.dirname, ".."),
    entryPoints: [main],
    bundle: true,
    minify: true,
    write: false,
    format: "esm",
    target: "es2024",
    conditions: ["workerd", "worker", "browser"],
    logLevel: "silent",
  })
  const text = outputFiles[0]!.text
  const bytes = Buffer.byteLength(text)
  const gzipBytes = gzipSync(text).length
  if (gzipBytes > GZIP_BYTES_MAX)
    throw new Error(`the Worker has ${gzipBytes} bytes packed, of at most ${GZIP_BYTES_MAX}`)
  return {
    name: "worker.mjs",
    text,
    bytes,
    gzipBytes,
    hash: createHash("sha256").update(text).digest("hex").slice(0, 12),
  }
}
