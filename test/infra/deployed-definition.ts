import { App } from "aws-cdk-lib"
import { Template } from "aws-cdk-lib/assertions"
import { SETTINGS } from "../../infra/settings.ts"
import { ServiceStack } from "../../infra/stacks/service.ts"

/** The name the deployed function `advance` goes by here. */
export const ADVANCE_ARN = "arn:aws:lambda:eu-central-1:123456789012:function:advance"

interface Joined {
  "Fn::Join": [separator: string, parts: unknown[]]
}

/** What CloudFormation puts in the place of a part. Throws for one that the definition has no business naming. */
const resolved = (part: unknown): string => {
  if (typeof part === "string") return part
  const reference = JSON.stringify(part)
  if (reference === '{"Ref":"AWS::Partition"}') return "aws"
  if (/^\{"Fn::GetAtt":\["AdvanceFunction[0-9A-F]{8}","Arn"\]\}$/.test(reference)) return ADVANCE_ARN
  throw new Error(`the definition names ${reference}`)
}

/** The definition of the state machine as the template of production deploys it. */
export const deployedDefinition = () => {
  const app = new App({ context: { "aws:cdk:bundling-stacks": [] } })
  const template = Template.fromStack(new ServiceStack(app, SETTINGS.prod))
  const machines = Object.values(template.findResources("AWS::StepFunctions::StateMachine"))
  if (machines.length !== 1) throw new Error(`there are ${machines.length} state machines`)
  const joined: Joined = machines[0]!.Properties.DefinitionString
  const [separator, parts] = joined["Fn::Join"]
  return JSON.parse(parts.map(resolved).join(separator))
}
