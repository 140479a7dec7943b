import { App, Validations } from "aws-cdk-lib"
import { AwsSolutionsChecks } from "cdk-nag"
import { SETTINGS, STAGES } from "./settings.ts"
import { ServiceStack } from "./stacks/service.ts"

const app = new App()
for (const stage of STAGES) new ServiceStack(app, SETTINGS[stage])
Validations.of(app).addPlugins(new AwsSolutionsChecks(app))
app.synth()
