import { html } from "hono/html"
import type { RouteReply } from "../http/route.ts"

export const HTML = "text/html; charset=utf-8"

const STYLE = `body{font:16px/1.5 system-ui,sans-serif;max-width:46rem;margin:3rem auto;padding:0 1rem;color:#1b1f24}
code{background:#f2f4f7;padding:.1em .3em;border-radius:.3em}h2{font-size:1.05rem;margin:2rem 0 .2rem}
.code{color:#5b6472;font-weight:400}a{color:#0b57d0}p{margin:.3rem 0}`

/** A page of text. */
export const plainPage = async (title: string, body: ReturnType<typeof html>): Promise<RouteReply> => ({
  status: 200,
  headers: { "content-type": HTML },
  body: `${await html`<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${title}</title><link rel="icon" href="/docs/assets/favicon-32x32.png"><style>${STYLE}</style></head>
<body>${body}</body>
</html>
`}`,
})

/** What is running here, for whoever has no token yet. */
export const about = () => html`<h1>Hotswap is running</h1>
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
the start-up screen showed; it issues all others.</p>`
