import type { Context, Env, MiddlewareHandler } from "hono"
import { routePath } from "hono/route"
import { TenantContext } from "../context.ts"
import type { Incoming } from "./resolve.ts"
import { type Begun, begin, type TenantOptions } from "./serve.ts"

export type { RequestMetric, TenantOptions, TenantSource } from "./serve.ts"

/** For Hono: gives each request its tenant context, and whoever may not have one a problem document. */
export const withTenant =
  <E extends Env = Env>(options: TenantOptions<Context<E>>): MiddlewareHandler<E> =>
  async (c, next) => {
    const begun = await begin(options, incomingOf(c))
    if (begun.kind === "refused") {
      const { body, ...rest } = begun.answer
      return new Response(body, rest)
    }
    const { context, headers, finish } = begun
    TenantContext.attach(c, context)
    TenantContext.attach(c.req.raw, context)
    try {
      await TenantContext.run(context, next)
    } catch (error) {
      finish({ status: 500, route: () => routePath(c, -1), failed: true })
      throw error
    }
    for (const [name, value] of Object.entries(headers)) c.header(name, value)
    watch(c, begun)
    return undefined
  }

const incomingOf = <E extends Env>(c: Context<E>): Incoming<Context<E>> => ({
  method: c.req.method,
  path: c.req.path,
  header: (name) => c.req.header(name),
  raw: c,
})

/** The answer is over when its last byte is; until then its body is made in the context, whoever reads it. */
const watch = (c: Context, { context, finish }: Begun): void => {
  const { status, body } = c.res
  const route = () => routePath(c, -1)
  // Of an answer to HEAD the body is made and read by nobody.
  if (!body || c.req.method === "HEAD") {
    finish({ status, route })
    return
  }
  const watched = watchedBody(body, context, (failed) => finish({ status, route, failed }))
  c.res = new Response(watched, c.res)
}

const watchedBody = (
  body: ReadableStream<Uint8Array>,
  context: TenantContext,
  over: (failed: boolean) => void,
): ReadableStream<Uint8Array> => {
  const reader = body.getReader()
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          const { done, value } = await TenantContext.run(context, () => reader.read())
          if (!done) return controller.enqueue(value)
          over(false)
          controller.close()
        } catch (error) {
          over(true)
          controller.error(error)
        }
      },
      async cancel(reason) {
        over(false)
        await TenantContext.run(context, () => reader.cancel(reason))
      },
    },
    { highWaterMark: 0 },
  )
}
