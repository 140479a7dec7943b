// What the policies of a template allow, and which of it cannot be named more closely.

export interface Statement {
  Action: string | string[]
  Resource: unknown
  Condition?: unknown
}
export const statementsOf = (properties: object): Statement[] =>
  (properties as { PolicyDocument?: { Statement: Statement[] } }).PolicyDocument?.Statement ?? []

/** Log deliveries and traces belong to no resource that could be named. */
export const isOnEverything = (id: string, actions: string | string[], resource: unknown): boolean =>
  id.startsWith("RolloutRole") &&
  resource === "*" &&
  [actions].flat().every((action) => /^(logs:(?!\*)\w+|xray:(Put|Get)\w+)$/.test(action))

/** Tenants' keys are made while it runs: they are told by the tag of their stage, and by their aliases. */
export const isOfTenantKeys = (stage: string, { Action, Resource, Condition }: Statement): boolean => {
  const actions = [Action].flat()
  if (!actions.every((action) => /^kms:(?!\*)\w+$/.test(action))) return false
  const condition = JSON.stringify(Condition ?? null)
  if (actions.includes("kms:CreateKey"))
    return condition === `{"StringEquals":{"aws:RequestTag/hotswap:keys":"hotswap/${stage}"}}`
  if (condition === `{"StringEquals":{"aws:ResourceTag/hotswap:keys":"hotswap/${stage}"}}`) return true
  return (
    actions.every((action) => action.endsWith("Alias")) &&
    JSON.stringify(Resource).includes(`:alias/hotswap/${stage}/*"`)
  )
}

/** What is kept is named by what is in it, so a bucket's objects are named together; the other region's key by its alias. */
export const isOfArchives = (stage: string, { Action, Resource, Condition }: Statement): boolean => {
  const resource = JSON.stringify(Resource)
  const alias = `{"ForAnyValue:StringEquals":{"kms:ResourceAliases":"alias/hotswap-backups/${stage}-copy"}}`
  if ([Action].flat().every((action) => /^kms:(GenerateDataKey|Decrypt)$/.test(action)))
    return JSON.stringify(Condition) === alias && resource.endsWith(':key/*"]]}')
  return (
    [Action].flat().every((action) => /^s3:(Get|Put|Delete)Object[A-Za-z]*$/.test(action)) &&
    (/^\{"Fn::Join":\["",\[\{"Fn::GetAtt":\["BackupsBucket\w+","Arn"\]\},"\/\*"\]\]\}$/.test(resource) ||
      (resource.includes(`:::hotswap-${stage}-backup-copy-`) && resource.endsWith('"/*"]]}')))
  )
}
