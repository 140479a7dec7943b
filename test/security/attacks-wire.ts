import { expect } from "vitest"
import { statusesOf } from "./attacks-place.ts"
import { type Case, shows } from "./corpus.ts"
import type { World } from "./corpus-world.ts"

/** What would take acme's own config away, if it were ever read as a request. */
const HIDDEN = "DELETE /api/v1/configs/acme:Staging:plan HTTP/1.1"
const CONFIG = "/api/v1/configs/acme:Staging:plan"
const hidden = ({ acme }: World): string =>
  `${HIDDEN}\r\nhost: hotswap.example\r\nauthorization: Bearer ${acme.tokens.tenant_admin}\r\n\r\n`

/** A request whose end two readers could see in two places; behind one of them stands another request. */
const smuggling = (lines: readonly string[], body: (world: World) => string) => async (world: World) => {
  const head = [
    "POST /api/v1/changes/preview HTTP/1.1",
    "host: hotswap.example",
    `authorization: Bearer ${world.acme.tokens.engineer}`,
    ...lines,
  ]
  const told = await world.write(`${head.join("\r\n")}\r\n\r\n${body(world)}`, { isCutOff: true })
  expect(
    statusesOf(told).every((status) => ["400", "413", "431", "501"].includes(status)),
    told,
  ).toBe(true)
  expect(statusesOf(told).length).toBeLessThanOrEqual(1)
  expect((await world.ask({ path: CONFIG })).status, "what was smuggled was read").toBe(200)
}
const inChunks = (world: World): string => `0\r\n\r\n${hidden(world)}`
const asBody = (world: World): string => hidden(world)

const CHUNKED: Readonly<Record<string, readonly string[]>> = {
  "a length and pieces": ["content-length: 4", "transfer-encoding: chunked"],
  "pieces and a length": ["transfer-encoding: chunked", "content-length: 4"],
  "pieces, spelt otherwise": ["content-length: 4", "transfer-encoding: xchunked"],
  "pieces after a blank": ["content-length: 4", "transfer-encoding : chunked"],
  "pieces after a tab": ["content-length: 4", "transfer-encoding:\tchunked"],
  "pieces on a line of their own": ["content-length: 4", "transfer-encoding:\r\n chunked"],
  "pieces twice": ["content-length: 4", "transfer-encoding: chunked", "transfer-encoding: identity"],
  "pieces before something else": ["content-length: 4", "transfer-encoding: chunked, identity"],
  "pieces in quotes": ["content-length: 4", 'transfer-encoding: "chunked"'],
  "pieces after a vertical tab": ["content-length: 4", "transfer-encoding: \x0bchunked"],
  "pieces behind a line feed": ["content-length: 4", "x: y\ntransfer-encoding: chunked"],
}
const LENGTHS: Readonly<Record<string, readonly string[]>> = {
  "two lengths": ["content-length: 0", "content-length: 4"],
  "two lengths in one": ["content-length: 0, 4"],
  "a length with a plus": ["content-length: +0"],
  "a length below nought": ["content-length: -1"],
  "a length in hexadecimal": ["content-length: 0x0"],
  "a length with a blank inside": ["content-length: 0 0"],
  "a length beyond all": ["content-length: 99999999999999999999"],
  "a length before a colon that stands apart": ["content-length : 0"],
  "a header without a name": [": 0", "content-length: 0"],
  "a header with a NUL": ["x: a\0b", "content-length: 0"],
  "a header with a carriage return alone": ["x: a\rcontent-length: 0"],
  "a header of 100,000 letters": [`x: ${"a".repeat(100_000)}`],
}
const PIECES: Readonly<Record<string, string>> = {
  "a piece of a length that is none": "zz\r\n",
  "a piece of a length below nought": "-1\r\n",
  "a piece of a length beyond all": "fffffffffffffffff\r\n",
  "a piece longer than it says": "1\r\nabc\r\n0\r\n\r\n",
  "a piece after a line feed alone": "1\na\n0\n\n",
  "a length in hexadecimal, said so": "0x1\r\na\r\n0\r\n\r\n",
}

const requests =
  (host: readonly string[], line = `GET ${CONFIG} HTTP/1.1`) =>
  async (world: World): Promise<string> =>
    await world.write(
      [line, ...host, `authorization: Bearer ${world.acme.tokens.viewer}`, "connection: close\r\n\r\n"].join(
        "\r\n",
      ),
      { isCutOff: true },
    )
const only = (ask: (world: World) => Promise<string>) => async (world: World) => {
  const told = await ask(world)
  expect(
    statusesOf(told).filter((status) => status !== "400" && status !== "505"),
    told,
  ).toEqual([])
}

const control: Case["control"] = async (world) => {
  const body = '{"tenantId":"acme","environment":"Staging","edits":[{"key":"k","value":1}]}'
  const told = await world.write(
    [
      "POST /api/v1/changes/preview HTTP/1.1",
      "host: hotswap.example",
      `authorization: Bearer ${world.acme.tokens.engineer}`,
      "transfer-encoding: chunked",
      "connection: close\r\n",
      `${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`,
    ].join("\r\n"),
  )
  expect(statusesOf(told)).toEqual(["200"])
}

export const WIRE_CASES: readonly Case[] = [
  ...shows(
    "Request smuggling",
    "one request, or none",
    {
      ...Object.fromEntries(
        Object.entries(CHUNKED).map(([name, lines]) => [name, smuggling(lines, inChunks)]),
      ),
      ...Object.fromEntries(Object.entries(LENGTHS).map(([name, lines]) => [name, smuggling(lines, asBody)])),
      ...Object.fromEntries(
        Object.entries(PIECES).map(([name, body]) => [
          name,
          smuggling(["transfer-encoding: chunked"], (world) => body + hidden(world)),
        ]),
      ),
    },
    control,
  ),
  ...shows(
    "Request smuggling",
    "400",
    {
      "no host": only(requests([])),
      "a request line of HTTP/3": only(requests(["host: a"], `GET ${CONFIG} HTTP/3.0`)),
      "a request line with a blank too many": only(requests(["host: a"], `GET ${CONFIG} evil HTTP/1.1`)),
      "a request line with a line feed": only(requests(["host: a"], `GET ${CONFIG}\n HTTP/1.1`)),
      "the preface of HTTP/2": only(requests(["host: a"], "PRI * HTTP/2.0")),
    },
    control,
  ),
]
