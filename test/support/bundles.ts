import { cp } from "node:fs/promises"
import { join } from "node:path"
import { build, type Metafile } from "esbuild"
import { BUNDLING, entryOf, FILES_ALONGSIDE, ROOT } from "../../infra/constructs/bundling.ts"
import type { HandlerName } from "../../infra/settings.ts"

/** A function's code as it is deployed: where it was written, its size, and what went into it. */
export interface Bundle {
  file: string
  bytes: number
  inputs: Metafile["inputs"]
}

/** Bundles a handler with the settings that the deployment hands to the same esbuild. */
export const bundleHandler = async (handler: HandlerName, directory: string): Promise<Bundle> => {
  const file = join(directory, `${handler}.mjs`)
  const { metafile } = await build({
    absWorkingDir: ROOT,
    entryPoints: [entryOf(handler)],
    outfile: file,
    bundle: true,
    minify: BUNDLING.minify ?? false,
    target: BUNDLING.target ?? "node24",
    mainFields: [...(BUNDLING.mainFields ?? [])],
    inject: [...(BUNDLING.inject ?? [])],
    format: "esm",
    platform: "node",
    external: ["@aws-sdk/*", "@smithy/*"],
    metafile: true,
    logLevel: "silent",
  })
  for (const { from, to } of FILES_ALONGSIDE[handler] ?? [])
    await cp(join(ROOT, from), join(directory, to), { recursive: true })
  const [output] = Object.values(metafile.outputs)
  return { file, bytes: output?.bytes ?? 0, inputs: metafile.inputs }
}
