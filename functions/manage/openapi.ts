import { OpenAPIHono } from "@hono/zod-openapi"
import type { Route } from "../http/route.ts"
import { EVENTS } from "./events.ts"
import { HOT_READ } from "./hot-read.ts"
import { OFREP } from "./ofrep.ts"
import { OUTCOMES } from "./outcomes.ts"
import { ROUTED } from "./routed.ts"
import { STREAM } from "./stream.ts"

const INFO = {
  openapi: "3.1.0",
  info: {
    title: "Hotswap",
    version: "1",
    description:
      "Tenants' configuration: versioned, approved, rolled out by degrees, and put back. Errors are RFC 9457 problems; see /docs/errors.",
    license: { name: "Apache-2.0", identifier: "Apache-2.0" },
  },
  servers: [{ url: "/" }],
}

/** The reference, made of the very routes that answer. Two spaces, a line feed at the end: fit to be committed. */
export const openapiText = (routes: readonly Route[]): string => {
  const app = new OpenAPIHono()
  for (const { reference } of routes) app.openAPIRegistry.registerPath(reference)
  app.openAPIRegistry.registerPath(HOT_READ)
  app.openAPIRegistry.registerPath(OUTCOMES)
  app.openAPIRegistry.registerPath(EVENTS)
  app.openAPIRegistry.registerPath(STREAM)
  for (const route of [...OFREP, ...ROUTED]) app.openAPIRegistry.registerPath(route)
  app.openAPIRegistry.registerComponent("securitySchemes", "bearer", { type: "http", scheme: "bearer" })
  app.openAPIRegistry.registerComponent("securitySchemes", "ticket", {
    type: "apiKey",
    in: "query",
    name: "ticket",
  })
  return `${JSON.stringify(app.getOpenAPI31Document(INFO), null, 2)}\n`
}
