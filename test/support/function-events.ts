import type { FunctionUrlEvent } from "../../functions/http/events.ts"

/** A function URL's event, as the runtime delivers it. */
export const eventOf = (
  method: string,
  path: string,
  {
    headers = {},
    body,
    requestId = "request-1",
  }: { headers?: Record<string, string>; body?: string; requestId?: string } = {},
): FunctionUrlEvent => {
  const [rawPath = "/", rawQueryString = ""] = path.split("?")
  return {
    version: "2.0",
    routeKey: "$default",
    rawPath,
    rawQueryString,
    headers,
    ...(body === undefined ? {} : { body }),
    isBase64Encoded: false,
    requestContext: {
      accountId: "anonymous",
      apiId: "test",
      domainName: "test.example",
      domainPrefix: "test",
      http: { method, path: rawPath, protocol: "HTTP/1.1", sourceIp: "192.0.2.1", userAgent: "test" },
      requestId,
      routeKey: "$default",
      stage: "$default",
      time: "01/Jan/2026:00:00:00 +0000",
      timeEpoch: 1_767_225_600_000,
    },
  }
}

export const CONTEXT = { awsRequestId: "request-1", getRemainingTimeInMillis: () => 30_000 }
