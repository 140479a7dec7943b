import { ArnFormat, Stack, Validations } from "aws-cdk-lib"
import { PolicyStatement, Role, ServicePrincipal } from "aws-cdk-lib/aws-iam"
import type { IKey } from "aws-cdk-lib/aws-kms"
import type { IFunction } from "aws-cdk-lib/aws-lambda"
import { LogGroup } from "aws-cdk-lib/aws-logs"
import { DefinitionBody, LogLevel, StateMachine, StateMachineType } from "aws-cdk-lib/aws-stepfunctions"
import { Construct } from "constructs"
import type { StageSettings } from "../settings.ts"
import { rolloutDefinition } from "./rollout-definition.ts"

interface RolloutProps {
  settings: StageSettings
  /** Encrypts the log. */
  key: IKey
  advance: IFunction
}

/** The state machine that paces changes: an execution for each, which asks `advance` and nobody else. */
export class Rollout extends Construct {
  readonly machine: StateMachine

  constructor(scope: Construct, id: string, { settings, key, advance }: RolloutProps) {
    super(scope, id)
    const stack = Stack.of(this)
    const log = new LogGroup(this, "Log", {
      encryptionKey: key,
      retention: settings.logRetention,
      removalPolicy: settings.removalPolicy,
    })
    // Nobody else's state machine may have Step Functions take it on.
    const stepFunctions = new ServicePrincipal("states.amazonaws.com", {
      conditions: { StringEquals: { "aws:SourceAccount": stack.account } },
    })
    const role = new Role(this, "Role", { assumedBy: stepFunctions })
    role.addToPolicy(
      new PolicyStatement({ actions: ["lambda:InvokeFunction"], resources: [advance.functionArn] }),
    )
    const definition = rolloutDefinition({ functionArn: advance.functionArn, partition: stack.partition })
    this.machine = new StateMachine(this, "Machine", {
      stateMachineName: rolloutName(settings),
      stateMachineType: StateMachineType.STANDARD,
      definitionBody: DefinitionBody.fromString(stack.toJsonString(definition)),
      role,
      tracingEnabled: true,
      // Without what is handed from state to state: there are task tokens among it.
      logs: { destination: log, level: LogLevel.ALL, includeExecutionData: false },
    })
    Validations.of(role).acknowledge({
      id: "AwsSolutions-IAM5[Resource::*]",
      reason: "Deliveries of logs and X-Ray's segments belong to no resource that a policy could name.",
    })
  }
}

const rolloutName = ({ stage }: StageSettings): string => `Hotswap-${stage}-Rollout`

/** Known before it is made: the function it calls is told it too. */
export const rolloutArn = (stack: Stack, settings: StageSettings): string =>
  stack.formatArn({
    service: "states",
    resource: "stateMachine",
    resourceName: rolloutName(settings),
    arnFormat: ArnFormat.COLON_RESOURCE_NAME,
  })
