// Which statements of a migration take something away that deployed code may still use.

const COMMENT = /--[^\n]*|\/\*[\s\S]*?\*\//g
/** What stands in quotes, or is the body of a function, is text and not a statement of the migration's own. */
const QUOTED = /\$(\w*)\$[\s\S]*?\$\1\$|'(?:[^']|'')*'/g

const NARROWING: readonly RegExp[] = [
  /\bdrop\s+(table|column|function|type|schema|view|role|constraint\s+\w*_pkey)\b/i,
  /\brename\b/i,
  /\balter\s+column\s+\S+\s+(set\s+data\s+)?type\b/i,
  /\bset\s+not\s+null\b/i,
  /\balter\s+column\s+\S+\s+drop\s+default\b/i,
  /\brevoke\b/i,
  /\btruncate\b/i,
]

/** Rows of code that does not know of the column would be refused. */
const demands = (statement: string): boolean =>
  statement
    .split(/\badd\s+column\b/i)
    .slice(1)
    .some((column) => /\bnot\s+null\b/i.test(column) && !/\b(default|generated)\b/i.test(column))

const CONTRACT = /^-- contract: \S.{10,}$/m

/** Each statement that narrows, shortened; none where the migration says since when nobody uses what goes. */
export const narrowingIn = (sql: string): string[] => {
  if (CONTRACT.test(sql)) return []
  return sql
    .replaceAll(COMMENT, "")
    .replaceAll(QUOTED, "''")
    .split(";")
    .map((statement) => statement.trim().replaceAll(/\s+/g, " "))
    .filter((statement) => demands(statement) || NARROWING.some((pattern) => pattern.test(statement)))
    .map((statement) => statement.slice(0, 120))
}
