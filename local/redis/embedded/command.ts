import type { Reply } from "../reply.ts"
import type { Keyspace } from "./keyspace.ts"

/** One command: how many words it takes and what it does. The arguments come without the command's name. */
export interface CommandDefinition {
  /** As Redis counts: the name included; negative for "at least". */
  arity: number
  run(space: Keyspace, args: readonly string[]): Reply
}
export type CommandTable = Readonly<Record<string, CommandDefinition>>

export const takes = (
  arity: number,
  run: (space: Keyspace, args: readonly string[]) => Reply,
): CommandDefinition => ({ arity, run })

/** `a b c d` as `[[a, b], [c, d]]`. */
export const pairs = (args: readonly string[]): [string, string][] => {
  const result: [string, string][] = []
  for (let i = 0; i + 1 < args.length; i += 2) result.push([args[i]!, args[i + 1]!])
  return result
}
