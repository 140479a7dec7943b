import { HotswapClient } from "../../../sdk/src/index.ts"
import type { HotswapOptions, Json, Snapshot } from "../../../sdk/src/types.ts"

/** What a client asks of the service, answered from here. */
export interface ScriptedService {
  /** Another revision, with these configs. */
  publish(configs: Record<string, Json>): void
  /** From now on it answers so; 200: as it should. */
  status: number
  options: HotswapOptions
  client(more?: Partial<HotswapOptions>): HotswapClient
}

export const BOOLEAN = { state: "ENABLED", variants: { on: true, off: false }, defaultVariant: "on" }

export const scriptedService = (configs: Record<string, Json> = {}): ScriptedService => {
  let sequence = 1
  const snapshot = (): Snapshot => ({
    tenantId: "acme-corp",
    environment: "Production",
    revision: `1.0.0.${sequence}`,
    view: `view-${sequence}`,
    configs: structuredClone(configs),
    candidate: null,
  })
  const fetch = async (_: unknown, { headers }: RequestInit = {}): Promise<Response> => {
    const { status } = service
    const { revision, view } = snapshot()
    const etag = `W/"${view}"`
    const answer = { etag, "hotswap-revision": revision }
    if (status !== 200) return new Response(null, { status })
    if (new Headers(headers).get("if-none-match") === etag)
      return new Response(null, { status: 304, headers: answer })
    return Response.json(snapshot(), { headers: answer })
  }
  const service: ScriptedService = {
    publish: (next) => {
      configs = next
      sequence++
    },
    status: 200,
    options: {
      url: "http://hotswap.test",
      token: "token",
      tenantId: "acme-corp",
      stream: false,
      report: false,
      fetch,
    },
    client: (more) => new HotswapClient({ ...service.options, ...more }),
  }
  return service
}
