import { CfnOutput, RemovalPolicy, SecretValue, Validations } from "aws-cdk-lib"
import { AccessKey, Policy, PolicyStatement, User } from "aws-cdk-lib/aws-iam"
import type { IKey } from "aws-cdk-lib/aws-kms"
import type { IFunction } from "aws-cdk-lib/aws-lambda"
import { Secret } from "aws-cdk-lib/aws-secretsmanager"
import { Construct } from "constructs"
import type { StageSettings } from "../settings.ts"

interface EdgeIdentityProps {
  settings: StageSettings
  /** Encrypts the secret that the access key is handed over in. */
  key: IKey
}

/** What IAM lets one user have. */
const KEYS_MAX = 2

const isInOrder = (numbers: readonly number[]): boolean =>
  numbers.every((each, nth) => Number.isSafeInteger(each) && each > (numbers[nth - 1] ?? 0))

/**
 * Whom the Worker signs as. It runs where AWS vouches for nobody, so this is a user with an access key: it may call the
 * functions behind the doors it is given, through their URLs, and nothing else. Its newest key is in the secret
 * `hotswap/{stage}/edge-key`, from where it is put into the Worker.
 */
export class EdgeIdentity extends Construct {
  readonly #policy: Policy

  /** Throws where the settings name no key, more than IAM allows, or keys that are out of order. */
  constructor(scope: Construct, id: string, { settings, key }: EdgeIdentityProps) {
    super(scope, id)
    const { stage, edgeKeys } = settings
    if (edgeKeys.length < 1 || edgeKeys.length > KEYS_MAX || !isInOrder(edgeKeys))
      throw new Error(
        `edgeKeys of ${stage} are not one or two rising numbers above zero: ${edgeKeys.join(", ")}`,
      )
    const user = new User(this, "User")
    this.#policy = new Policy(this, "Policy", { users: [user] })
    const keys = edgeKeys.map((number) => new AccessKey(this, `Key${number}`, { user }))
    const newest = keys.at(-1)!
    const secretName = `hotswap/${stage}/edge-key`
    const secret = new Secret(this, "Secret", {
      secretName,
      description: `Hotswap ${stage}: what the Worker signs with`,
      encryptionKey: key,
      removalPolicy: RemovalPolicy.DESTROY,
      secretObjectValue: {
        accessKeyId: SecretValue.unsafePlainText(newest.accessKeyId),
        secretAccessKey: newest.secretAccessKey,
      },
    })
    Validations.of(secret).acknowledge({
      id: "AwsSolutions-SMG4",
      reason:
        "The Worker takes a new key with an upload only, so a deployment renews it: a second key is made, and the first taken away.",
    })
    new CfnOutput(this, "KeySecret", { key: "EdgeKeySecret", value: secretName })
  }

  /** Through the function's URL, which takes both permissions, and no other way. */
  mayCall({ functionArn }: IFunction): void {
    this.#policy.addStatements(
      new PolicyStatement({
        actions: ["lambda:InvokeFunctionUrl"],
        resources: [functionArn],
        conditions: { StringEquals: { "lambda:FunctionUrlAuthType": "AWS_IAM" } },
      }),
      new PolicyStatement({
        actions: ["lambda:InvokeFunction"],
        resources: [functionArn],
        conditions: { Bool: { "lambda:InvokedViaFunctionUrl": "true" } },
      }),
    )
  }
}
