import type { Environment } from "../../core/environment.ts"
import { readTicket, type Sign } from "../../core/flag/stream-ticket.ts"
import { unauthenticated } from "./refusals.ts"
import { scopeOf } from "./scope.ts"
import type { Streams } from "./stream.ts"
import type { Caller } from "./views.ts"

interface Parts {
  streams: Pick<Streams, "begin">
  sign: Sign
  environments: readonly Environment[]
}

/** Answers `GET /ofrep/v1/stream?ticket=…`: the ticket says who listens to what. Throws a Refusal. */
export const createOfrepStream =
  ({ streams, sign, environments }: Parts) =>
  async (request: Request, ticketText: string | null, caller: Caller): Promise<Response> => {
    const ticket = ticketText === null ? null : await readTicket(ticketText, sign, environments)
    if (!ticket || ticket.expiresAtSeconds * 1_000 <= Date.now()) throw unauthenticated()
    const { tenantId, environment, tokenId, revision, flags } = ticket
    const reader = {
      tokenId,
      subject: "",
      tenants: new Set([tenantId]),
      environment,
      expiresAtMs: ticket.tokenExpiresAtSeconds * 1_000,
    }
    if (reader.expiresAtMs <= Date.now()) throw unauthenticated()
    const heard = request.headers.get("last-event-id")
    return await streams.begin(
      {
        reader,
        scope: scopeOf(tenantId, environment),
        lastHeard: heard ?? revision,
        ...(heard === null ? { flags } : {}),
        words: "flags",
      },
      caller,
    )
  }
