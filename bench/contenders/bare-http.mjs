// The least that can answer: a bare server, from the start of its process.
import { createServer } from "node:http"

createServer((_, response) => response.end('{"status":"ok"}')).listen(0, "127.0.0.1", function () {
  process.stdout.write(`${this.address().port}\n`)
})
