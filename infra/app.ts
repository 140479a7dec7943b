import { App } from "aws-cdk-lib"
import { addStages } from "./stages.ts"

const app = new App()
addStages(app)
app.synth()
