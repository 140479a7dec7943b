import { z } from "@hono/zod-openapi"
import { Refusal } from "../../core/errors.ts"
import { lazily } from "../http/lazily.ts"
import { type Route, type RouteReply, route } from "../http/route.ts"
import { type ConsoleFiles, consoleFilesBeside } from "../platform/console-files.ts"
import type { ManageDeps } from "./deps.ts"
import { about, HTML, plainPage } from "./pages.ts"

const TYPES: Readonly<Record<string, string>> = {
  js: "text/javascript; charset=utf-8",
  css: "text/css; charset=utf-8",
  svg: "image/svg+xml",
}

/**
 * Scripts and styles from here alone, and no text that becomes a script, however it came into the page; requests go to
 * this service alone, too, whoever asks for them.
 */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join("; ")

const FOR_EVER = "public, max-age=31536000, immutable"

const consolePage = async (files: ConsoleFiles): Promise<string> => {
  const named = (extension: string) => [...files.keys()].find((name) => name.endsWith(extension)) ?? ""
  return `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><meta name="color-scheme" content="light dark">
<title>Hotswap</title><link rel="icon" href="/assets/${named(".svg")}"><link rel="stylesheet" href="/assets/${named(".css")}">
<script type="module" src="/assets/${named(".js")}"></script></head>
<body><div id="console"><noscript><p>The console is a program in the page: let this page run its scripts to sign in.</p></noscript></div>
<main id="about">${await about()}</main></body>
</html>
`
}

const home = async (files: ConsoleFiles): Promise<RouteReply> => {
  if (files.size === 0) return await plainPage("Hotswap", await about())
  return {
    status: 200,
    headers: { "content-type": HTML, "content-security-policy": POLICY },
    body: await consolePage(files),
  }
}

const asset = (files: ConsoleFiles, name: string): RouteReply => {
  const body = files.get(name)
  if (body === undefined) throw new Refusal("ROUTE_UNKNOWN", `There is no asset "${name}".`)
  const type = TYPES[name.slice(name.lastIndexOf(".") + 1)] ?? "application/octet-stream"
  return { status: 200, headers: { "content-type": type, "cache-control": FOR_EVER }, body }
}

/** The console: a page, and what it loads. What it does it asks of the API, like any other client. */
export const consoleRoutes = ({ consoleFiles }: Pick<ManageDeps, "consoleFiles">): Route[] => {
  const files = lazily(consoleFiles ?? consoleFilesBeside)
  return [
    route({
      method: "get",
      path: "/",
      operationId: "home",
      tag: "About",
      summary: "The console, and what is running here",
      action: null,
      replies: { 200: { description: "A page" } },
      run: async () => await home(await files()),
    }),
    route({
      method: "get",
      path: "/assets/{name}",
      operationId: "consoleAsset",
      tag: "About",
      summary: "What the console is made of, under names that change with it",
      action: null,
      params: z.object({ name: z.string() }),
      replies: { 200: { description: "The file" } },
      run: async ({ params }) => asset(await files(), params.name),
    }),
  ]
}
