// What the policies of a template say.

export interface Statement {
  Action: string | string[]
  Resource: unknown
  Condition?: unknown
}
export const statementsOf = (properties: object): Statement[] =>
  (properties as { PolicyDocument?: { Statement: Statement[] } }).PolicyDocument?.Statement ?? []
