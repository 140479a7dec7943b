import { CfnOutput, CfnParameter, Stack } from "aws-cdk-lib"
import { CfnOIDCProvider } from "aws-cdk-lib/aws-iam"
import type { Construct } from "constructs"
import { DeployRole, WatchRole } from "../constructs/ci-role.ts"
import type { StageSettings } from "../settings.ts"

/** Whose word about workflows an account takes. Once in each account, by a person. */
export class GitHubStack extends Stack {
  constructor(scope: Construct) {
    super(scope, "Hotswap-github", {
      description: "Hotswap: takes GitHub's word about its workflows",
      terminationProtection: true,
    })
    new CfnOIDCProvider(this, "Provider", {
      url: "https://token.actions.githubusercontent.com",
      clientIdList: ["sts.amazonaws.com"],
    })
  }
}

/** What workflows may do with a stage. A person deploys it: no pipeline says what it may do itself. */
export class PipelineStack extends Stack {
  constructor(scope: Construct, settings: StageSettings) {
    const { stage } = settings
    super(scope, `Hotswap-${stage}-pipeline`, {
      description: `Hotswap, ${stage}: what workflows may do`,
      terminationProtection: true,
    })
    const { valueAsString: repository } = new CfnParameter(this, "Repository", {
      description:
        "The repository in GitHub whose workflows may, as its tokens name it: owner@id/name@id or owner/name",
      // Repositories made or renamed since July 2026 are told with their numbers, which nobody else ever gets with the name.
      allowedPattern: "^[A-Za-z0-9][A-Za-z0-9-]*(@[0-9]+/[A-Za-z0-9._-]+@[0-9]+|/[A-Za-z0-9._-]+)$",
    })
    const deploying = new DeployRole(this, "Deploy", { settings, repository, environment: stage })
    const watching = new WatchRole(this, "Watch", { settings, repository, environment: `${stage}-watch` })
    new CfnOutput(this, "DeployRoleArn", { value: deploying.role.roleArn })
    new CfnOutput(this, "WatchRoleArn", { value: watching.role.roleArn })
  }
}
