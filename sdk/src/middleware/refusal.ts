/** Why a request got no tenant context, by the code that is answered with it. */
export const REFUSALS = {
  TENANT_UNNAMED: { status: 400, title: "The request does not say which tenant it is about" },
  TENANT_ID_INVALID: { status: 400, title: "The tenantId is not a slug" },
  TENANT_FORBIDDEN: { status: 403, title: "The request may not be about this tenant" },
  TENANT_NOT_FOUND: { status: 404, title: "There is no such tenant" },
  RATE_LIMITED: { status: 429, title: "The tenant has used up what it may do for now" },
  INTERNAL: { status: 500, title: "Something went wrong on our side" },
  CONFIGURATION_UNAVAILABLE: { status: 503, title: "The tenant's configuration could not be had" },
  LIMITS_UNAVAILABLE: { status: 503, title: "The tenant's limits could not be had" },
} as const satisfies Record<string, { status: number; title: string }>

export type TenantRefusalCode = keyof typeof REFUSALS

/** A request that goes no further. A resolver may throw it too. */
export class TenantRefusal extends Error {
  override readonly name = "TenantRefusal"
  readonly code: TenantRefusalCode
  readonly status: number
  readonly headers: Readonly<Record<string, string>>

  constructor(
    code: TenantRefusalCode,
    detail: string,
    options: { headers?: Readonly<Record<string, string>>; cause?: unknown } = {},
  ) {
    super(detail, "cause" in options ? { cause: options.cause } : undefined)
    this.code = code
    this.status = REFUSALS[code].status
    this.headers = options.headers ?? {}
  }
}

/** By its name, as each entry of the package may have been built with a class of its own. */
export const isRefusal = (thrown: unknown): thrown is TenantRefusal =>
  thrown instanceof Error && thrown.name === "TenantRefusal"

/** A refusal as it is answered: RFC 9457. */
export interface RefusalAnswer {
  status: number
  headers: Record<string, string>
  body: string
}

export const answerTo = (
  { code, status, message, headers }: TenantRefusal,
  instance: string,
): RefusalAnswer => ({
  status,
  headers: {
    ...headers,
    "content-type": "application/problem+json; charset=utf-8",
    "cache-control": "no-store",
  },
  body: JSON.stringify({
    type: "about:blank",
    title: REFUSALS[code].title,
    status,
    detail: message,
    code,
    instance,
  }),
})
