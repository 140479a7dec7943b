/** What a command answers. Strings are Redis strings; a status such as `OK` is a {@link Status}. */
export type Reply = string | number | null | Status | Reply[]

/** A simple string: `+OK` on the wire. It differs from a bulk string only to Lua scripts. */
export class Status {
  readonly text: string
  constructor(text: string) {
    this.text = text
  }
}

export const OK = new Status("OK")

/** An error that Redis itself would answer with; the text is its own, code word first. */
export class RedisFault extends Error {
  constructor(text: string) {
    super(text)
    this.name = "RedisFault"
  }
}

export const wrongType = (): RedisFault =>
  new RedisFault("WRONGTYPE Operation against a key holding the wrong kind of value")
export const syntaxError = (): RedisFault => new RedisFault("ERR syntax error")
export const notAnInteger = (): RedisFault => new RedisFault("ERR value is not an integer or out of range")
export const notAFloat = (): RedisFault => new RedisFault("ERR value is not a valid float")
export const wrongArity = (name: string): RedisFault =>
  new RedisFault(`ERR wrong number of arguments for '${name.toLowerCase()}' command`)
export const unknownCommand = (name: string, args: readonly string[]): RedisFault =>
  new RedisFault(
    `ERR unknown command '${name}', with args beginning with: ${args
      .slice(0, 20)
      .map((arg) => `'${arg}' `)
      .join("")}`,
  )
