import type { App } from "aws-cdk-lib"
import { SETTINGS, STAGES } from "./settings.ts"
import { GitHubStack, PipelineStack } from "./stacks/pipeline.ts"

/** What workflows may do, beside the stages that they deploy: a person deploys these. */
export const addPipelines = (app: App): void => {
  new GitHubStack(app)
  for (const stage of STAGES) {
    const settings = SETTINGS[stage]
    if (settings.isDeployedByWorkflows) new PipelineStack(app, settings)
  }
}
