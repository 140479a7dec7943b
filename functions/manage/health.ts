import type { RouteReply } from "../http/route.ts"

/** The answer of who looks after the process. */
export const status = (word: "ok" | "ready"): RouteReply => ({
  status: 200,
  headers: { "content-type": "application/json; charset=utf-8" },
  body: `{"status":"${word}"}`,
})

/** The process answers. */
export const health = async (): Promise<RouteReply> => status("ok")
