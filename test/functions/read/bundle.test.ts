import { build } from "esbuild"
import { expect, test } from "vitest"
import { BUDGET_KIB } from "../../../ci/size-budgets.ts"

test(`the read function weighs at most ${BUDGET_KIB.read} KiB and carries nothing that it does without`, async () => {
  const { metafile } = await build({
    entryPoints: ["functions/read/handler.ts"],
    bundle: true,
    minify: true,
    write: false,
    metafile: true,
    platform: "node",
    format: "esm",
    target: "node24",
    outdir: "unwritten",
  })
  const [output] = Object.values(metafile.outputs)
  expect(output!.bytes).toBeLessThanOrEqual(BUDGET_KIB.read * 1_024)
  const packages = Object.entries(output!.inputs)
    .filter(([path, { bytesInOutput }]) => path.includes("node_modules/") && bytesInOutput > 1_000)
    .map(([path]) => path.split("node_modules/").at(-1)!.split("/")[0])
  expect([...new Set(packages)].sort()).toEqual(["ipaddr.js", "jose", "postgres"])
})
