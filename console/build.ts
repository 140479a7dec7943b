import { basename } from "node:path"
import { buildSync } from "esbuild"

/** A file of the console's, under the name it is served by: of its content, so that it may be kept for ever. */
export interface ConsoleFile {
  name: string
  contents: Uint8Array
}

/** The console as browsers load it. The same sources give the same bytes and names. */
export const buildConsole = (): ConsoleFile[] => {
  const { outputFiles } = buildSync({
    absWorkingDir: import.meta.dirname,
    entryPoints: { console: "src/main.tsx", style: "style.css", icon: "icon.svg" },
    entryNames: "[name]-[hash]",
    outdir: "built",
    write: false,
    bundle: true,
    format: "esm",
    minify: true,
    // Browsers of the last three years.
    target: ["es2022"],
    jsx: "automatic",
    jsxImportSource: "preact",
    loader: { ".svg": "copy" },
    // Where the packages of a checkout are those of another, they are called by their place in it all the same.
    preserveSymlinks: true,
    logLevel: "error",
  })
  return outputFiles.map(({ path, contents }) => ({ name: basename(path), contents }))
}
