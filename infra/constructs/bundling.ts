import { dirname, join } from "node:path"
import { type BundlingOptions, OutputFormat, SourceMapMode } from "aws-cdk-lib/aws-lambda-nodejs"
import type { HandlerName } from "../settings.ts"

export const ROOT = join(import.meta.dirname, "../..")

/** The door of a function, by path: nothing of it is imported here. */
export const entryOf = (handler: HandlerName): string => join(ROOT, "functions", handler, "handler.ts")

/** One minified ES module per function with its source map beside it, made by the esbuild that is installed. */
export const BUNDLING: BundlingOptions = {
  format: OutputFormat.ESM,
  target: "node24",
  minify: true,
  sourceMap: true,
  sourceMapMode: SourceMapMode.DEFAULT,
  // Positions and names are all that a stack needs.
  sourcesContent: false,
  // Reads the map when a stack is read, not when the bundle is loaded.
  inject: [join(ROOT, "functions/platform/traces.ts")],
  // "module" first, or a package's CommonJS half is taken, which tree shaking cannot thin out.
  mainFields: ["module", "main"],
}

const MIGRATIONS_FOLDER = "db/migrations"
/** The SQL that the function `migrate` takes along. */
export const MIGRATIONS = join(ROOT, MIGRATIONS_FOLDER)

/** A file or folder of the project's that a function reads while it runs, and where that is beside its code. */
interface Alongside {
  from: string
  to: string
}

const ofPackage = (file: string): Alongside => {
  const path = `node_modules/swagger-ui-dist/${file}`
  return { from: path, to: path }
}

/** What no bundler can see. */
export const FILES_ALONGSIDE: Partial<Record<HandlerName, readonly Alongside[]>> = {
  manage: ["package.json", "swagger-ui.css", "swagger-ui-bundle.js", "favicon-32x32.png"].map(ofPackage),
  migrate: [{ from: MIGRATIONS_FOLDER, to: "migrations" }],
}

/** The bundling of one function, with the files it reads copied beside its code. */
export const bundlingOf = (handler: HandlerName): BundlingOptions => ({
  ...BUNDLING,
  commandHooks: {
    beforeInstall: () => [],
    beforeBundling: () => [],
    afterBundling: (inputFolder, outputFolder) =>
      (FILES_ALONGSIDE[handler] ?? []).flatMap(({ from, to }) => {
        const target = join(outputFolder, to)
        return [`mkdir -p ${dirname(target)}`, `cp -R ${join(inputFolder, from)} ${target}`]
      }),
  },
})
