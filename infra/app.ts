import { App } from "aws-cdk-lib"
import { addPipelines } from "./pipelines.ts"
import { addStages } from "./stages.ts"

const app = new App()
addStages(app)
addPipelines(app)
app.synth()
