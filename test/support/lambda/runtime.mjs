// What Lambda's managed Node runtime does around a function, as its runtime API has it
// (https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html), in a process that holds nothing else.
import { request as httpRequest } from "node:http"
import { PassThrough } from "node:stream"

const { AWS_LAMBDA_RUNTIME_API: api, _HANDLER: named, LAMBDA_TASK_ROOT: root } = process.env
const [module, exported] = named.split(".")
const [hostname, port] = api.split(":")

const STREAMING = "application/vnd.awslambda.http-integration-response"
/** Between the head of a streamed answer and its body. */
const PRELUDE_END = Buffer.alloc(8)

/** Resolves with the answer, its body read whole. */
const ask = (method, path, headers, body) =>
  new Promise((resolve, reject) => {
    const options = { hostname, port, method, path: `/2018-06-01/runtime/${path}`, headers }
    const request = httpRequest(options, (response) => {
      const pieces = []
      response.on("data", (piece) => pieces.push(piece)).on("error", reject)
      response.on("end", () => resolve({ headers: response.headers, text: Buffer.concat(pieces).toString() }))
    })
    request.on("error", reject)
    if (typeof body === "string" || body === undefined) request.end(body)
    else body.pipe(request)
  })

const told = (error) => ({
  errorType: error instanceof Error ? error.name : typeof error,
  errorMessage: error instanceof Error ? error.message : String(error),
  stackTrace: error instanceof Error ? (error.stack ?? "").split("\n") : [],
})

const streamifying = Symbol("streamifying")
globalThis.awslambda = {
  streamifyResponse: (handler) => Object.assign(handler, { [streamifying]: true }),
  HttpResponseStream: {
    from: (stream, head) => {
      stream.write(JSON.stringify(head))
      stream.write(PRELUDE_END)
      return stream
    },
  },
}

const load = async () => {
  try {
    return (await import(`${root}/${module}.mjs`))[exported]
  } catch (error) {
    await ask("POST", "init/error", { "content-type": "application/json" }, JSON.stringify(told(error)))
    process.exit(1)
  }
}

const handler = await load()
for (;;) {
  const { headers, text } = await ask("GET", "invocation/next", {})
  const id = headers["lambda-runtime-aws-request-id"]
  const deadlineMs = Number(headers["lambda-runtime-deadline-ms"])
  const context = { awsRequestId: id, getRemainingTimeInMillis: () => deadlineMs - Date.now() }
  const failed = (error) =>
    ask("POST", `invocation/${id}/error`, { "content-type": "application/json" }, JSON.stringify(told(error)))
  try {
    const event = JSON.parse(text)
    if (handler[streamifying]) {
      const stream = new PassThrough()
      const type = { "content-type": STREAMING, "lambda-runtime-function-response-mode": "streaming" }
      const sent = ask(
        "POST",
        `invocation/${id}/response`,
        { ...type, "transfer-encoding": "chunked" },
        stream,
      )
      await handler(event, stream, context)
      stream.end()
      await sent
    } else {
      const answer = JSON.stringify((await handler(event, context)) ?? null)
      await ask("POST", `invocation/${id}/response`, { "content-type": "application/json" }, answer)
    }
  } catch (error) {
    await failed(error)
  }
}
