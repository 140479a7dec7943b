import { Duration, Stack, Validations } from "aws-cdk-lib"
import { Effect, ManagedPolicy, PolicyStatement, Role, WebIdentityPrincipal } from "aws-cdk-lib/aws-iam"
import { Construct } from "constructs"
import type { StageSettings } from "../settings.ts"

const GITHUB = "token.actions.githubusercontent.com"
/** What `cdk bootstrap` names its roles with, unless it is told otherwise. */
const QUALIFIER = "hnb659fds"
/** What deploying takes of the bootstrap's roles: the one that publishes images is left out, as there are none. */
const BOOTSTRAP_ROLES = ["deploy", "file-publishing", "lookup"]
/** What the Worker is deployed with. */
const WORKER_SECRETS = ["edge", "edge-key", "reader-keys", "redis"]

interface CiRoleProps {
  settings: StageSettings
  /** The repository in GitHub whose workflows may be it, `owner/name`. */
  repository: string
  /** The environment of that repository which a job has to be in: GitHub lets it in by the environment's rules. */
  environment: string
}

/** A role for jobs of one repository in one environment, and for nothing and nobody else. */
const roleOf = (scope: Construct, { repository, environment }: CiRoleProps, description: string): Role => {
  const { partition, account } = Stack.of(scope)
  return new Role(scope, "Role", {
    description,
    maxSessionDuration: Duration.hours(2),
    assumedBy: new WebIdentityPrincipal(`arn:${partition}:iam::${account}:oidc-provider/${GITHUB}`, {
      StringEquals: {
        [`${GITHUB}:aud`]: "sts.amazonaws.com",
        [`${GITHUB}:sub`]: `repo:${repository}:environment:${environment}`,
      },
    }),
  })
}

/** May deploy, through the roles of the bootstrap, and read the secrets that the Worker is given. */
export class DeployRole extends Construct {
  readonly role: Role

  constructor(scope: Construct, id: string, props: CiRoleProps) {
    super(scope, id)
    const { stage, backups } = props.settings
    const { partition, account, region } = Stack.of(this)
    this.role = roleOf(this, props, `Deploys Hotswap, ${stage}`)
    const regions = [region, ...(backups.copyRegion === null ? [] : [backups.copyRegion])]
    this.role.addToPolicy(
      new PolicyStatement({
        actions: ["sts:AssumeRole"],
        resources: regions.flatMap((where) =>
          BOOTSTRAP_ROLES.map(
            (name) =>
              `arn:${partition}:iam::${account}:role/cdk-${QUALIFIER}-${name}-role-${account}-${where}`,
          ),
        ),
      }),
    )
    const secret = (name: string): string =>
      `arn:${partition}:secretsmanager:${region}:${account}:secret:hotswap/${stage}/${name}-??????`
    this.role.addToPolicy(
      new PolicyStatement({
        actions: ["secretsmanager:GetSecretValue"],
        resources: WORKER_SECRETS.map(secret),
      }),
    )
    // The stack's key has no name that is known here: it opens for the one secret that is under it.
    const keys = `arn:${partition}:kms:${region}:${account}:key/*`
    this.role.addToPolicy(
      new PolicyStatement({
        actions: ["kms:Decrypt"],
        resources: [keys],
        conditions: {
          StringEquals: { "kms:ViaService": `secretsmanager.${region}.amazonaws.com` },
          StringLike: { "kms:EncryptionContext:SecretARN": secret("edge-key") },
        },
      }),
    )
    Validations.of(this.role).acknowledge({
      id: `AwsSolutions-IAM5[Resource::arn:<AWS::Partition>:kms:<AWS::Region>:<AWS::AccountId>:key/*]`,
      reason:
        "Only through Secrets Manager, and only what was encrypted for the secret of the Worker's access key.",
    })
  }
}

/** What nobody needs who asks whether all is as it was deployed. */
const CONTENTS = [
  "kms:Decrypt",
  "lambda:InvokeFunction",
  "logs:FilterLogEvents",
  "logs:GetLogEvents",
  "logs:StartQuery",
  "s3:GetObject",
  "s3:GetObjectVersion",
  "secretsmanager:GetSecretValue",
  "sqs:ReceiveMessage",
  "states:GetExecutionHistory",
]

/** May see how everything is set, which finding drift takes, and nothing of what is in it. */
export class WatchRole extends Construct {
  readonly role: Role

  constructor(scope: Construct, id: string, props: CiRoleProps) {
    super(scope, id)
    const { stage } = props.settings
    const { partition, account } = Stack.of(this)
    this.role = roleOf(this, props, `Looks whether Hotswap, ${stage}, is as it was deployed`)
    this.role.addManagedPolicy(ManagedPolicy.fromAwsManagedPolicyName("ReadOnlyAccess"))
    const stacks = `arn:${partition}:cloudformation:*:${account}:stack/Hotswap-${stage}*/*`
    this.role.addToPolicy(
      new PolicyStatement({
        actions: ["cloudformation:DetectStackDrift", "cloudformation:DetectStackResourceDrift"],
        resources: [stacks],
      }),
    )
    this.role.addToPolicy(new PolicyStatement({ effect: Effect.DENY, actions: CONTENTS, resources: ["*"] }))
    Validations.of(this.role).acknowledge(
      {
        id: "AwsSolutions-IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/ReadOnlyAccess]",
        reason:
          "Drift is found by reading how each resource is set; reading what is in them is denied beside it.",
      },
      {
        id: `AwsSolutions-IAM5[Resource::arn:<AWS::Partition>:cloudformation:*:<AWS::AccountId>:stack/Hotswap-${stage}*/*]`,
        reason:
          "The stage's stacks, in both of its regions; the end of their names is made by CloudFormation.",
      },
    )
  }
}
