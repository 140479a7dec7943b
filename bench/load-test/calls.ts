import { ENVIRONMENT, FLAG, type Service, type Subject, WRITTEN } from "./people.ts"

/** In hundredths, what users do. */
const MIX = { read: 60, evaluate: 25, limit: 10, write: 5 } as const

export type Kind = keyof typeof MIX
export const KINDS = Object.keys(MIX) as readonly Kind[]
/** What became of a call: `limited` is a 429, `failed` anything else that it should not be. */
export type Ending = "well" | "limited" | "failed"

export interface Called {
  kind: Kind
  ending: Ending
  ms: number
  /** Of one that failed. */
  why?: string
}

const PATIENCE_MS = 10_000

interface Request {
  method: string
  path: string
  token: string
  body?: unknown
  /** Is the answer what was asked for, and of nobody else? */
  isRight: (body: Record<string, unknown>) => boolean
}

const requestOf = (kind: Kind, { tenantId, reader, engineer }: Subject, user: string): Request => {
  switch (kind) {
    case "read":
      return {
        method: "GET",
        path: `/api/v1/configs/tenant/${tenantId}?environment=${ENVIRONMENT}&targetingKey=${user}`,
        token: reader,
        isRight: (body) => body.tenantId === tenantId,
      }
    case "evaluate":
      return {
        method: "POST",
        path: `/ofrep/v1/evaluate/flags/${FLAG}`,
        token: reader,
        body: { context: { targetingKey: user } },
        isRight: ({ value }) => value === true,
      }
    case "limit":
      return {
        method: "POST",
        path: `/api/v1/tenants/${tenantId}/limits/command/consume`,
        token: reader,
        isRight: ({ allowed }) => allowed === true,
      }
    case "write":
      return {
        method: "PUT",
        path: `/api/v1/configs/${tenantId}:${ENVIRONMENT}:${WRITTEN}`,
        token: engineer,
        body: { value: `${user} at ${performance.now()}` },
        isRight: (body) => body.tenantId === tenantId,
      }
  }
}

/** Which kind a number from 0 to 1 comes to. */
export const kindAt = (chance: number): Kind => {
  let hundredths = chance * 100
  for (const kind of KINDS) {
    hundredths -= MIX[kind]
    if (hundredths < 0) return kind
  }
  return "read"
}

/** One call, whole: until the last byte of its answer. Never throws. */
export const call = async ({ url }: Service, kind: Kind, subject: Subject, user: string): Promise<Called> => {
  const { method, path, token, body, isRight } = requestOf(kind, subject, user)
  const started = performance.now()
  const ended = (ending: Ending, why?: string): Called => ({
    kind,
    ending,
    ms: performance.now() - started,
    ...(why === undefined ? {} : { why }),
  })
  try {
    const answer = await fetch(url + path, {
      method,
      headers: { authorization: `Bearer ${token}` },
      signal: AbortSignal.timeout(PATIENCE_MS),
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    const text = await answer.text()
    if (answer.status === 429) return ended("limited")
    if (answer.status === 200 && isRight(JSON.parse(text) as Record<string, unknown>)) return ended("well")
    return ended("failed", `${answer.status} ${/"code":"(\w+)"/.exec(text)?.[1] ?? text.slice(0, 200)}`)
  } catch (error) {
    const { message, cause } = error as Error & { cause?: { code?: string } }
    return ended("failed", `${message} ${cause?.code ?? ""}`.trim())
  }
}
