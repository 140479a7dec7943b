import { CfnOutput } from "aws-cdk-lib"
import { FunctionUrlAuthType, type IFunction, type InvokeMode } from "aws-cdk-lib/aws-lambda"
import { Construct } from "constructs"
import type { EdgeIdentity } from "./edge-identity.ts"

interface DoorProps {
  fn: IFunction
  invokeMode: InvokeMode
  /** Who alone is let in. Without it anybody is, and the handler checks each by their token. */
  onlyFor?: EdgeIdentity
}

/** A function's URL. The stack tells it, as an output named after the door. */
export class Door extends Construct {
  constructor(scope: Construct, id: string, { fn, invokeMode, onlyFor }: DoorProps) {
    super(scope, id)
    const authType = onlyFor === undefined ? FunctionUrlAuthType.NONE : FunctionUrlAuthType.AWS_IAM
    const { url } = fn.addFunctionUrl({ authType, invokeMode })
    onlyFor?.mayCall(fn)
    new CfnOutput(this, "Url", { key: `${id}Url`, value: url })
  }
}
