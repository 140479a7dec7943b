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
  // "module" first, or a package's CommonJS half is taken, which tree shaking cannot thin out.
  mainFields: ["module", "main"],
}

/** Files under `node_modules` that a function reads while it runs, and that no bundler can see. */
export const FILES_ALONGSIDE: Partial<Record<HandlerName, readonly string[]>> = {
  manage: ["package.json", "swagger-ui.css", "swagger-ui-bundle.js", "favicon-32x32.png"].map(
    (file) => `swagger-ui-dist/${file}`,
  ),
}

/** The bundling of one function, with the files it reads copied beside its code. */
export const bundlingOf = (handler: HandlerName): BundlingOptions => ({
  ...BUNDLING,
  commandHooks: {
    beforeInstall: () => [],
    beforeBundling: () => [],
    afterBundling: (inputFolder, outputFolder) =>
      (FILES_ALONGSIDE[handler] ?? []).flatMap((file) => {
        const target = join(outputFolder, "node_modules", file)
        return [`mkdir -p ${dirname(target)}`, `cp ${join(inputFolder, "node_modules", file)} ${target}`]
      }),
  },
})
