import { readFile } from "node:fs/promises"
import { createRequire } from "node:module"
import { z } from "@hono/zod-openapi"
import { html } from "hono/html"
import { PROBLEM_HELP } from "../../core/error-help.ts"
import { PROBLEMS, type ProblemCode, Refusal } from "../../core/errors.ts"
import { type Route, type RouteReply, route } from "../http/route.ts"
import { health, status } from "./health.ts"

const HTML = "text/html; charset=utf-8"
const SCRIPT = "text/javascript; charset=utf-8"
const ASSETS: Readonly<Record<string, string>> = {
  "swagger-ui.css": "text/css; charset=utf-8",
  "swagger-ui-bundle.js": SCRIPT,
  "favicon-32x32.png": "image/png",
}

const STYLE = `body{font:16px/1.5 system-ui,sans-serif;max-width:46rem;margin:3rem auto;padding:0 1rem;color:#1b1f24}
code{background:#f2f4f7;padding:.1em .3em;border-radius:.3em}h2{font-size:1.05rem;margin:2rem 0 .2rem}
.code{color:#5b6472;font-weight:400}a{color:#0b57d0}p{margin:.3rem 0}`

const pageOf = async (title: string, body: ReturnType<typeof html>): Promise<RouteReply> => ({
  status: 200,
  headers: { "content-type": HTML },
  body: `${await html`<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${title}</title><link rel="icon" href="/docs/assets/favicon-32x32.png"><style>${STYLE}</style></head>
<body>${body}</body>
</html>
`}`,
})

const home = () =>
  pageOf(
    "Hotswap",
    html`<h1>Hotswap is running</h1>
<p>It keeps each tenant's configuration and feature flags, serves them, and changes them safely while software runs.</p>
<p>A <a href="/docs#/Changes">change</a> waits for the <a href="/docs#/Approvals">approvals</a> that the
<a href="/docs#/Policies">policy</a> of its environment asks, reaches readers step by step, and is taken back when
<a href="/docs#/Serving/reportOutcomes">clients</a> or <a href="/docs#/Signals">alarms</a> say that it fails. Whoever wants
to know is <a href="/docs#/Notifications">told</a>; applications hear of it over a
<a href="/docs#/Serving/streamRevisions">stream</a>.</p>
<ul>
<li><a href="/docs">The API, to browse and to try</a>, and as <a href="/openapi.json">OpenAPI 3.1</a></li>
<li><a href="/docs/errors">Every refusal there is</a>, with what to do about it</li>
<li><a href="/health">Health</a> and <a href="/ready">readiness</a></li>
</ul>
<p>Every call under <code>/api/v1</code> carries <code>Authorization: Bearer …</code>. The first token is the one that
the start-up screen showed; it issues all others.</p>`,
  )

/** What stands between backticks is code; all of it is escaped. */
const withCode = (text: string) =>
  text.split("`").map((part, index) => (index % 2 === 1 ? html`<code>${part}</code>` : part))

const errorsPage = () =>
  pageOf(
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
  shown("/", "home", "What is running here, and where to go", home),
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
