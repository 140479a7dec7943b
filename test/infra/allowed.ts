// Whom a template lets do what with what, a line each, as a person would write it down.

interface Statement {
  Effect: string
  Action: string | string[]
  Resource: unknown
  Condition?: Record<string, Record<string, unknown>>
}

interface Resource {
  Type: string
  Properties?: Record<string, unknown>
}

export type Resources = Readonly<Record<string, Resource>>

/** CloudFormation's hash at the end of an id says nothing to a person. */
const withoutHash = (id: string): string => id.replace(/(DefaultPolicy)?[0-9A-F]{8}$/, "")

/** A value of a template as text: references as `{what}`, parts joined. */
export const textOf = (value: unknown): string => {
  if (typeof value !== "object" || value === null) return String(value)
  if (Array.isArray(value)) return value.map(textOf).join(", ")
  const [[kind, of] = ["", null], ...more] = Object.entries(value)
  if (more.length === 0 && kind === "Ref")
    return `{${withoutHash(String(of)).replace("AWS::", "").toLowerCase()}}`
  if (more.length === 0 && kind === "Fn::GetAtt")
    return `{${withoutHash(String((of as string[])[0]))}}`
  if (more.length === 0 && kind === "Fn::Join") return ((of as [string, unknown[]])[1] ?? []).map(textOf).join("")
  return JSON.stringify(value)
}

const conditionOf = (condition: Statement["Condition"]): string =>
  Object.values(condition ?? {})
    .flatMap((pairs) => Object.entries(pairs).map(([name, value]) => ` if ${name} is ${textOf(value)}`))
    .join("")

/** `action on resource if condition`, one for each action. */
const linesOf = ({ Effect, Action, Resource, Condition }: Statement): string[] =>
  [Action]
    .flat()
    .flatMap((action) =>
      [Resource]
        .flat()
        .map((resource) => `${Effect === "Allow" ? "" : "NOT "}${action} on ${textOf(resource)}${conditionOf(Condition)}`),
    )

const statementsIn = (document: unknown): Statement[] => (document as { Statement: Statement[] }).Statement

/** What each role and user may do, by its id; whatever a statement cannot say exactly throws. */
export const allowedTo = (resources: Resources): Record<string, string[]> => {
  const allowed: Record<string, string[]> = {}
  for (const [id, { Type, Properties = {} }] of Object.entries(resources)) {
    if (Type === "AWS::IAM::Role" || Type === "AWS::IAM::User") allowed[id] ??= []
    if (Type !== "AWS::IAM::Policy") continue
    for (const holder of [Properties.Roles ?? [], Properties.Users ?? [], Properties.Groups ?? []].flat()) {
      const holderId = (holder as { Ref: string }).Ref
      allowed[holderId] ??= []
      allowed[holderId].push(...statementsIn(Properties.PolicyDocument).flatMap(linesOf))
    }
  }
  return Object.fromEntries(
    Object.entries(allowed).map(([id, lines]) => [withoutHash(id), [...new Set(lines)].toSorted()]),
  )
}
