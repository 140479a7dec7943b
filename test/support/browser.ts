import { existsSync } from "node:fs"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { build } from "esbuild"
import { type Browser, chromium, type Page } from "playwright-core"
import { ROOT } from "./source-tree.ts"

const CHROMIUM = process.env.HOTSWAP_CHROMIUM ?? "/usr/bin/chromium"

/** Where there is no browser these tests are left out, but never unseen: with `CI=true` they fail instead. */
export const isBrowserMissing = !existsSync(CHROMIUM) && process.env.CI !== "true"

/** A web page of ours, at an origin of its own. */
export interface Site {
  origin: string
  close(): Promise<void>
}

const PAGE = '<!doctype html><meta charset="utf-8"><title>a page</title><script src="/page.js"></script>'

/**
 * Serves a page that runs `source`, TypeScript that may import whatever the tree may, bundled as for any web page.
 * Its relative imports start at the tree's root.
 */
export const startSite = async (source: string): Promise<Site> => {
  const { outputFiles } = await build({
    absWorkingDir: ROOT,
    stdin: { contents: source, resolveDir: ROOT, sourcefile: "page.ts", loader: "ts" },
    bundle: true,
    write: false,
    format: "iife",
    platform: "browser",
    target: "es2022",
    logLevel: "silent",
  })
  const script = outputFiles[0]!.text
  const server = createServer(({ url }, response) => {
    const isScript = url === "/page.js"
    response.setHeader("content-type", isScript ? "text/javascript" : "text/html")
    response.statusCode = isScript || url === "/" ? 200 : 404
    response.end(isScript ? script : PAGE)
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

/** A real browser, without a window. Each page of it is a stranger to the others: no storage is shared. */
export interface OpenBrowser {
  open(origin: string): Promise<Page>
  close(): Promise<void>
}

export const openBrowser = async (): Promise<OpenBrowser> => {
  // Chromium's own sandbox cannot be had by root, as which tests run in containers.
  const browser: Browser = await chromium.launch({
    executablePath: CHROMIUM,
    args: ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"],
  })
  return {
    open: async (origin) => {
      const page = await (await browser.newContext()).newPage()
      await page.goto(`${origin}/`)
      return page
    },
    close: () => browser.close(),
  }
}
