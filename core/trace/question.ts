import type { Attributes } from "./otlp.ts"

/** What a neighbour is asked: a statement without its parameters, or the names of commands. */
export type Question = { of: "postgresql"; statement: string } | { of: "redis"; commands: readonly string[] }

/** The first function or table of ours, as SQL or Drizzle names it; in quotes it is the name of a setting. */
const OURS = /(?<!')"?\bhotswap"?\."?([a-z_]+)/
const OPERATION = /^\s*([a-z]+)/i

/** The question in so few words that none of them can be a value: the statement itself is not told. */
export const describeQuestion = (question: Question): { name: string; attributes: Attributes } => {
  if (question.of === "redis") {
    const { commands } = question
    const name = [...new Set(commands)].join(" ")
    const many = commands.length > 1 ? { "db.operation.batch.size": commands.length } : {}
    return { name, attributes: { "db.system.name": "redis", "db.operation.name": name, ...many } }
  }
  const { statement } = question
  const operation = (OPERATION.exec(statement)?.[1] ?? "").toUpperCase()
  const target = OURS.exec(statement)?.[1]
  const name = target === undefined ? operation : `${operation} hotswap.${target}`
  const attributes = {
    "db.system.name": "postgresql",
    "db.operation.name": operation,
    "db.query.summary": name,
  }
  return { name, attributes }
}
