import { text } from "node:stream/consumers"
import { expect, test } from "vitest"
import type { FunctionUrlEvent, InvocationContext, StreamHandler } from "../../../functions/http/events.ts"
import { type StreamingRuntime, streamed } from "../../../functions/http/streaming.ts"
import { awslambda } from "../../../local/streamified.ts"

const EVENT = {} as FunctionUrlEvent
const CONTEXT = {} as InvocationContext
const runtime = awslambda as StreamingRuntime

const answering = (body: string, afterwards = async () => {}) =>
  streamed<StreamHandler>(
    runtime,
    async () => ({ statusCode: 200, headers: { etag: '"1"' }, body, isBase64Encoded: false }),
    afterwards,
  )

test("an answer of any size is passed on, with its head", async () => {
  const body = "x".repeat(12 * 1_024 * 1_024)
  const result = await answering(body)(EVENT, CONTEXT)
  expect(result).toMatchObject({ statusCode: 200, headers: { etag: '"1"' } })
  expect((await text(result.body)).length).toBe(body.length)
})

test("the caller has the whole answer before what comes afterwards is done", async () => {
  const { promise, resolve } = Promise.withResolvers<void>()
  const result = await answering("{}", () => promise)(EVENT, CONTEXT)
  expect(await text(result.body)).toBe("{}")
  resolve()
})

test("an empty answer has its head too", async () => {
  const result = await answering("")(EVENT, CONTEXT)
  expect(result.headers).toEqual({ etag: '"1"' })
  expect(await text(result.body)).toBe("")
})
