// Whom a template lets do what with what, a line each, as a person would write it down.

interface Statement {
  Effect: string
  Action: string | string[]
  Resource: unknown
  Principal?: Record<string, unknown>
  Condition?: Record<string, Record<string, unknown>>
}

interface Resource {
  DeletionPolicy?: string
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
  if (more.length === 0 && kind === "Fn::GetAtt") {
    const [id, attribute] = of as [string, string]
    return `{${withoutHash(id)}${attribute === "Arn" ? "" : `.${attribute}`}}`
  }
  if (more.length === 0 && kind === "Fn::Join") {
    const [separator, parts] = of as [string, unknown[]]
    return parts.map(textOf).join(separator)
  }
  return JSON.stringify(value)
}

const OPERATORS: Readonly<Record<string, string>> = {
  StringEquals: "is",
  Bool: "is",
  StringLike: "is like",
  ArnLike: "is like",
  "ForAnyValue:StringEquals": "has",
}

/** Throws for an operator that has no word here yet. */
const conditionOf = (condition: Statement["Condition"]): string =>
  Object.entries(condition ?? {})
    .flatMap(([operator, pairs]) => {
      const word = OPERATORS[operator]
      if (word === undefined) throw new Error(`a condition says ${operator}`)
      return Object.entries(pairs).map(([name, value]) => ` if ${name} ${word} ${textOf(value)}`)
    })
    .join("")

/** `action on resource if condition`, one for each action. */
const linesOf = ({ Effect, Action, Resource, Condition }: Statement): string[] =>
  [Action]
    .flat()
    .flatMap((action) =>
      [Resource]
        .flat()
        .map(
          (resource) =>
            `${Effect === "Allow" ? "" : "NOT "}${action} on ${textOf(resource)}${conditionOf(Condition)}`,
        ),
    )

const statementsIn = (document: unknown): Statement[] => (document as { Statement: Statement[] }).Statement

/** Who takes a role on, and what it has of AWS's own policies or inside itself. */
const ofRole = ({
  AssumeRolePolicyDocument,
  ManagedPolicyArns = [],
  Policies = [],
}: Record<string, unknown>) => [
  ...statementsIn(AssumeRolePolicyDocument).map(
    ({ Principal, Condition }) =>
      `taken on by ${Object.values(Principal ?? {}).map(textOf)}${conditionOf(Condition)}`,
  ),
  ...(ManagedPolicyArns as unknown[]).map((policy) => `all that ${textOf(policy)} allows`),
  ...(Policies as { PolicyDocument: unknown }[]).flatMap((policy) =>
    statementsIn(policy.PolicyDocument).flatMap(linesOf),
  ),
]

/** What each role and user may do, by its id, and who takes the role on. Throws for what it does not know how to say. */
export const allowedTo = (resources: Resources): Record<string, string[]> => {
  const allowed: Record<string, string[]> = {}
  const add = (id: string, lines: readonly string[]): void => {
    allowed[id] = [...(allowed[id] ?? []), ...lines]
  }
  for (const [id, { Type, Properties = {} }] of Object.entries(resources)) {
    if (/^AWS::IAM::(ManagedPolicy|Group|RolePolicy|UserPolicy|GroupPolicy)$/.test(Type))
      throw new Error(`${id} is a ${Type}`)
    if (Type === "AWS::IAM::User" && Object.keys(Properties).length > 0)
      throw new Error(`${id} has ${Object.keys(Properties)}`)
    if (Type === "AWS::IAM::User") add(id, [])
    if (Type === "AWS::IAM::Role") add(id, ofRole(Properties))
    if (Type !== "AWS::IAM::Policy") continue
    for (const holder of [Properties.Roles ?? [], Properties.Users ?? [], Properties.Groups ?? []].flat())
      add((holder as { Ref: string }).Ref, statementsIn(Properties.PolicyDocument).flatMap(linesOf))
  }
  return Object.fromEntries(
    Object.entries(allowed).map(([id, lines]) => [withoutHash(id), [...new Set(lines)].toSorted()]),
  )
}

const ACCOUNT = "arn:{partition}:iam::{accountid}:root"
/** Where a resource says itself whom it lets in. */
const POLICIES: Readonly<Record<string, string>> = {
  "AWS::KMS::Key": "KeyPolicy",
  "AWS::S3::BucketPolicy": "PolicyDocument",
  "AWS::SQS::QueuePolicy": "PolicyDocument",
  "AWS::SNS::TopicPolicy": "PolicyDocument",
}

/** What a function's own permission says. */
const ofPermission = (properties: Record<string, unknown>): string => {
  const { Principal, Action, FunctionName, FunctionUrlAuthType, InvokedViaFunctionUrl, SourceArn } =
    properties
  const how = [
    FunctionUrlAuthType === undefined ? "" : ` by ${FunctionUrlAuthType}`,
    InvokedViaFunctionUrl === true ? " through its URL" : "",
    SourceArn === undefined ? "" : ` from ${textOf(SourceArn)}`,
  ]
  return `${Principal}: ${Action} on ${textOf(FunctionName)}${how.join("")}`
}

/** Whom resources let in by themselves, beside the account that they are in, a line each: `who: action on which how`. */
export const letIn = (resources: Resources): string[] => {
  const lines = Object.entries(resources).flatMap(([id, { Type, Properties = {} }]) => {
    if (Type === "AWS::Lambda::Permission") return [ofPermission(Properties)]
    const policy = POLICIES[Type]
    if (policy === undefined) return []
    return statementsIn(Properties[policy]).flatMap((statement) => {
      const who = textOf(
        typeof statement.Principal === "string" ? "*" : Object.values(statement.Principal ?? {})[0],
      )
      if (statement.Effect === "Deny" || who === ACCOUNT) return []
      const actions = [statement.Action].flat().join(", ")
      return [`${who}: ${actions} on {${withoutHash(id)}}${conditionOf(statement.Condition)}`]
    })
  })
  return lines.toSorted()
}
