import { expect } from "vitest"
import { PROBLEMS, type ProblemCode } from "../../core/errors.ts"
import type { Asked, Told, World } from "./corpus-world.ts"

export const CONSOLE = "https://console.example.com"
/** Stands in what belongs to another tenant, and must not be seen in any answer. */
export const SENTINEL = "globex-keeps-this-to-itself"

/** One way to misuse the service that must come to nothing. */
export interface Case {
  family: string
  name: string
  /** What comes of it, for people: a problem's code, or a few words. */
  comes: ProblemCode | string
  /** Fails if the attack gets anywhere. */
  attack: (world: World) => unknown
  /** The same without what is wrong with it: fails if that is refused too. `null`: there is nothing to take away. */
  control: ((world: World) => unknown) | null
}

type Ask = Asked | ((world: World) => Asked)
const made = (ask: Ask, world: World): Asked => (typeof ask === "function" ? ask(world) : ask)

export const isCode = (comes: string): comes is ProblemCode => Object.hasOwn(PROBLEMS, comes)

/** The answer is this problem and nothing else. */
export const refusedWith = (told: Told, code: ProblemCode): void => {
  expect({ status: told.status, code: told.code }, told.text.slice(0, 500)).toEqual({
    status: PROBLEMS[code].status,
    code,
  })
}

const passed = (told: Told): void => {
  expect(told.status, `what is right does not pass: ${told.text.slice(0, 500)}`).toBeLessThan(400)
}

/** Requests through the door that are answered with a code; each has the request beside it that passes. */
export const asks = (
  family: string,
  code: ProblemCode,
  attacks: Readonly<Record<string, Ask>>,
  control: Ask | null,
): Case[] =>
  Object.entries(attacks).map(([name, ask]) => ({
    family,
    name,
    comes: code,
    attack: async (world) => refusedWith(await world.ask(made(ask, world)), code),
    control: control && (async (world) => passed(await world.ask(made(control, world)))),
  }))

/** Cases of any other kind. */
export const shows = (
  family: string,
  comes: string,
  attacks: Readonly<Record<string, Case["attack"]>>,
  control: Case["control"] = null,
): Case[] => Object.entries(attacks).map(([name, attack]) => ({ family, name, comes, attack, control }))

/** A number that no other case has, for names. */
let last = 0
export const fresh = (): number => ++last
