import { join } from "node:path"
import { App } from "aws-cdk-lib"
import { Template } from "aws-cdk-lib/assertions"
import { SETTINGS } from "../../../infra/settings.ts"
import { ServiceStack } from "../../../infra/stacks/service.ts"

/** A function of the template, with the code that is deployed for it. */
export interface DeployedFunction {
  /** The folder of its asset: what Lambda unpacks. */
  root: string
  /** Its settings; references to what is known only in AWS are objects. */
  variables: Readonly<Record<string, unknown>>
  timeoutSeconds: number
}

/** Synthesises the production stage into that folder, and finds each function's asset by the id it has in the template. */
export const synthesise = (outdir: string): ReadonlyMap<string, DeployedFunction> => {
  const app = new App({ outdir })
  const template = Template.fromStack(new ServiceStack(app, SETTINGS.prod))
  const functions = template.findResources("AWS::Lambda::Function")
  return new Map(
    Object.entries(functions).map(([id, { Properties: found }]) => {
      const hash = String(found.Code.S3Key).replace(/\.zip$/, "")
      const root = join(outdir, `asset.${hash}`)
      return [id, { root, variables: found.Environment?.Variables ?? {}, timeoutSeconds: found.Timeout }]
    }),
  )
}
