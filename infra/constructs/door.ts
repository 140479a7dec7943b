import { CfnOutput } from "aws-cdk-lib"
import { FunctionUrlAuthType, type IFunction, type InvokeMode } from "aws-cdk-lib/aws-lambda"
import { Construct } from "constructs"

/**
 * A function's public URL. Whoever calls is checked by the handler: by bearer token, or by the edge's secret on the
 * routes that only the edge may use.
 */
export class Door extends Construct {
  constructor(scope: Construct, id: string, fn: IFunction, invokeMode: InvokeMode) {
    super(scope, id)
    const url = fn.addFunctionUrl({ authType: FunctionUrlAuthType.NONE, invokeMode })
    new CfnOutput(this, "Url", { value: url.url })
  }
}
