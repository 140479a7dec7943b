import { Duration, Stack } from "aws-cdk-lib"
import { PolicyStatement, Role, ServicePrincipal } from "aws-cdk-lib/aws-iam"
import type { IKey } from "aws-cdk-lib/aws-kms"
import { Architecture, Code, Function as LambdaFunction, Runtime } from "aws-cdk-lib/aws-lambda"
import { LogGroup } from "aws-cdk-lib/aws-logs"
import { Construct } from "constructs"
import type { HandlerName, StageSettings } from "../settings.ts"
import { bundledOnce, sourcesOf } from "./bundling.ts"

interface HandlerProps {
  name: HandlerName
  settings: StageSettings
  /** Encrypts the settings and the logs. */
  key: IKey
  environment: Record<string, string>
}

/** One folder of `functions/`, deployed: its code, its log and a role that may write that log, open its settings and nothing else. */
export class Handler extends Construct {
  readonly fn: LambdaFunction

  constructor(scope: Construct, id: string, { name, settings, key, environment }: HandlerProps) {
    super(scope, id)
    const size = settings.functions[name]
    const log = new LogGroup(this, "Log", {
      encryptionKey: key,
      retention: settings.logRetention,
      removalPolicy: settings.removalPolicy,
    })
    // A role of our own: the managed one may write every log of the account.
    const role = new Role(this, "Role", { assumedBy: new ServicePrincipal("lambda.amazonaws.com") })
    log.grantWrite(role)
    // Lambda opens the settings in the function's own name.
    role.addToPolicy(new PolicyStatement({ actions: ["kms:Decrypt"], resources: [key.keyArn] }))
    this.fn = new LambdaFunction(this, "Function", {
      code: Code.fromAsset(Stack.of(this).bundlingRequired ? bundledOnce(name) : sourcesOf(name)),
      handler: "index.handler",
      runtime: Runtime.NODEJS_24_X,
      architecture: Architecture.ARM_64,
      memorySize: size.memoryMb,
      timeout: Duration.seconds(size.timeoutSeconds),
      ...(size.concurrency === undefined ? {} : { reservedConcurrentExecutions: size.concurrency }),
      role,
      logGroup: log,
      environmentEncryption: key,
      environment,
    })
  }
}
