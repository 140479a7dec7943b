import { randomUUID } from "node:crypto"
import { createServer, request as httpRequest, type IncomingMessage, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { Readable } from "node:stream"
import { createAccount, emptyScript, type Script, type Version } from "./cloudflare-account.ts"
import { createApi } from "./cloudflare-api.ts"

/**
 * Cloudflare, as far as a Worker's deployment sees it, after its public API reference: it takes what that describes and
 * refuses the rest, runs every version that is uploaded in real workerd, and serves the site by the deployment's shares.
 */
export interface CloudflarePeer {
  apiUrl: string
  /** What the custom domain leads to. */
  siteUrl: string
  accountId: string
  token: string
  /** Method and path of each call that was answered, in order. */
  calls: string[]
  /** The shares by version, as they were deployed, oldest first. */
  deployments(): Record<string, number>[]
  /** Ids, oldest first. */
  versions(): string[]
  bindings(versionId: string): Record<string, string>
  domains(): ReadonlyMap<string, string>
  namespaces(): string[]
  /** The next calls are answered 503, as a busy API does. */
  failsNext(calls: number): void
  /** Requests to the site that still see the deployment before, after each one. */
  lags(requests: number): void
  /** The next requests to the site find nobody to speak to, as before a host name has its certificate. */
  hasNoCertificateFor(requests: number): void
  /** Runs before a deployment is answered. */
  onDeployed(hook: (shares: Record<string, number>) => void): void
  close(): Promise<void>
}

const listen = async (
  answer: (request: IncomingMessage, response: ServerResponse) => void,
): Promise<{ url: string; close: () => Promise<void> }> => {
  const server = createServer(answer)
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

export const startCloudflare = async (): Promise<CloudflarePeer> => {
  const accountId = "0123456789abcdef0123456789abcdef"
  const token = `token-${randomUUID()}`
  const calls: string[] = []
  let failures = 0
  let lag = 0
  let lagLeft = 0
  let unheard = 0
  let served = 0
  let hook: (shares: Record<string, number>) => void = () => {}
  const account = createAccount((shares, asked) => {
    lagLeft = lag
    if (asked) hook(shares)
  })
  const { scripts, namespaces, domains } = account
  const isBusy = (): boolean => {
    failures -= 1
    return failures >= 0
  }
  const answer = createApi({ account, accountId, token, calls, isBusy })

  const api = await listen((incoming, response) => {
    const hasBody = incoming.method !== "GET"
    const request = new Request(`http://api${incoming.url}`, {
      method: incoming.method ?? "GET",
      headers: incoming.headers as Record<string, string>,
      ...(hasBody ? { body: Readable.toWeb(incoming) as ReadableStream, duplex: "half" } : {}),
    } as RequestInit)
    answer(request)
      .catch((error) => ({ status: 500, body: { told: String(error) } }))
      .then(({ status, body }) =>
        response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body)),
      )
      .catch(() => response.destroy())
  })

  /** The version that serves this request: the one it names, if that is deployed, else by the shares. */
  const versionFor = (name: string, script: Script, override: string | undefined): Version => {
    const sees =
      lagLeft > 0 ? (script.deployments.at(-2) ?? script.deployments.at(-1)!) : script.deployments.at(-1)!
    if (lagLeft > 0) lagLeft -= 1
    const named = /^([\w-]+)="([\w-]+)"$/.exec(override ?? "")
    let chosen = named?.[1] === name && named[2]! in sees ? named[2] : undefined
    // Spread evenly, so that a tenth is each tenth.
    let place = (served * 37) % 100
    if (chosen === undefined) served += 1
    for (const [id, percentage] of Object.entries(sees)) {
      if (place < percentage) chosen ??= id
      place -= percentage
    }
    return script.versions.find(({ id }) => id === chosen)!
  }

  const site = await listen((incoming, response) => {
    if (unheard > 0) {
      unheard -= 1
      incoming.socket.destroy()
      return
    }
    const [name] = [...domains.values()]
    const script = name === undefined ? undefined : scripts.get(name)
    if (!name || !script) {
      response.writeHead(530).end("no Worker")
      return
    }
    const override = incoming.headers["cloudflare-workers-version-overrides"]
    const { origin } = versionFor(name, script, override?.toString())
    const headers = { ...incoming.headers, host: new URL(origin).host }
    const passed = httpRequest(origin + incoming.url, { method: incoming.method, headers }, (answered) => {
      response.writeHead(answered.statusCode ?? 502, answered.headers)
      answered.pipe(response)
    })
    passed.on("error", () => response.destroy())
    response.on("close", () => passed.destroy())
    incoming.pipe(passed)
  })

  const only = (): Script => [...scripts.values()][0] ?? emptyScript()
  return {
    apiUrl: api.url,
    siteUrl: site.url,
    accountId,
    token,
    calls,
    deployments: () => only().deployments,
    versions: () => only().versions.map(({ id }) => id),
    bindings: (versionId) =>
      Object.fromEntries(
        only()
          .versions.find(({ id }) => id === versionId)!
          .bindings.map((one) => [one.name, "text" in one ? one.text : one.type]),
      ),
    domains: () => domains,
    namespaces: () => [...namespaces.values()],
    failsNext: (count) => {
      failures = count
    },
    lags: (requests) => {
      lag = requests
    },
    hasNoCertificateFor: (requests) => {
      unheard = requests
    },
    onDeployed: (next) => {
      hook = next
    },
    close: async () => {
      await Promise.all([api.close(), site.close()])
      await Promise.all(
        [...scripts.values()].flatMap(({ versions }) => versions).map((one) => one.miniflare.dispose()),
      )
    },
  }
}
