import type { Json } from "../json.ts"

const SHOWN = "[secret]"

/**
 * A value in plain text on its way from whoever sent it to where it is sealed, or back. Whatever is made of it by
 * accident (a text, JSON, a line of a log, a structured clone) does not hold the value; only {@link reveal} gives it.
 */
export class Secret {
  readonly #value: Json

  constructor(value: Json) {
    this.#value = value
  }

  /** The plain text. Every call of this is a place to look at. */
  reveal(): Json {
    return this.#value
  }

  toJSON(): string {
    return SHOWN
  }

  toString(): string {
    return SHOWN
  }

  [Symbol.toPrimitive](): string {
    return SHOWN
  }

  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return SHOWN
  }
}
