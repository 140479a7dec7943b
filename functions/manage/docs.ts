import { readFile } from "node:fs/promises"
import { createRequire } from "node:module"
import { z } from "@hono/zod-openapi"
import { html } from "hono/html"
import { PROBLEM_HELP } from "../../core/error-help.ts"
import { PROBLEMS, type ProblemCode, Refusal } from "../../core/errors.ts"
import { type Route, type RouteReply, route } from "../http/route.ts"
import { health, status } from "./health.ts"
import { HTML, plainPage } from "./pages.ts"

const SCRIPT = "text/javascript; charset=utf-8"
const ASSETS: Readonly<Record<string, string>> = {
  "swagger-ui.css": "text/css; charset=utf-8",
  "swagger-ui-bundle.js": SCRIPT,
  "favicon-32x32.png": "image/png",
}

/** What stands between backticks is code; all of it is escaped. */
const withCode = (text: string) =>
  text.split("`").map((part, index) => (index % 2 === 1 ? html`<code>${part}</code>` : part))

const errorsPage = () =>
  plainPage(
    "Hotswap: refusals",
    html`<h1>Every refusal there is</h1>
<p>An error is <code>application/problem+json</code> (RFC 9457); its <code>code</code> is stable and stands here.</p>
${(Object.keys(PROBLEMS) as ProblemCode[]).map((code) => {
  const { status, title } = PROBLEMS[code]
  return html`<h2 id="${code}"><code>${code}</code> <span class="code">${status}</span></h2><p>${title}. ${withCode(PROBLEM_HELP[code])}</p>`
})}`,
  )

const REFERENCE = `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Hotswap API</title>
<link rel="stylesheet" href="/docs/assets/swagger-ui.css"><link rel="icon" href="/docs/assets/favicon-32x32.png"></head>
<body><div id="reference"></div>
<script src="/docs/assets/swagger-ui-bundle.js"></script><script src="/docs/assets/reference.js"></script></body>
</html>
`
const REFERENCE_SCRIPT = `SwaggerUIBundle({ url: "/openapi.json", dom_id: "#reference", deepLinking: true, validatorUrl: null })
`

const assetPath = (name: string): string =>
  createRequire(import.meta.url)
    .resolve("swagger-ui-dist/package.json")
    .replace(/package\.json$/, name)

const asset = async (name: string): Promise<RouteReply> => {
  const headers = { "cache-control": "public, max-age=3600" }
  if (name === "reference.js")
    return { status: 200, headers: { ...headers, "content-type": SCRIPT }, body: REFERENCE_SCRIPT }
  const type = Object.hasOwn(ASSETS, name) ? ASSETS[name] : undefined
  if (type === undefined) throw new Refusal("ROUTE_UNKNOWN", `There is no asset "${name}".`)
  return { status: 200, headers: { ...headers, "content-type": type }, body: await readFile(assetPath(name)) }
}

const shown = (path: string, operationId: string, summary: string, run: () => Promise<RouteReply>): Route =>
  route({
    method: "get",
    path,
    operationId,
    tag: "About",
    summary,
    action: null,
    replies: { 200: { description: summary } },
    run,
  })

/** The pages anybody may see. `openapi` gives the reference's text; `ping` throws when the database does not answer. */
export const docsRoutes = (openapi: () => Promise<string>, ping: () => Promise<void>): Route[] => [
  shown("/docs", "docs", "The API, to browse", async () => ({
    status: 200,
    headers: { "content-type": HTML },
    body: REFERENCE,
  })),
  shown("/docs/errors", "docsErrors", "Every refusal there is", errorsPage),
  shown("/openapi.json", "openapi", "This document", async () => ({
    status: 200,
    headers: { "content-type": "application/json; charset=utf-8", "cache-control": "public, max-age=60" },
    body: await openapi(),
  })),
  shown("/health", "health", "The process answers", health),
  shown("/ready", "ready", "The database answers", async () => {
    await ping()
    return status("ready")
  }),
  route({
    method: "get",
    path: "/docs/assets/{name}",
    operationId: "docsAsset",
    tag: "About",
    summary: "What the pages are made of",
    action: null,
    params: z.object({ name: z.string() }),
    replies: { 200: { description: "The file" } },
    run: async ({ params }) => await asset(params.name),
  }),
]
