import { deployedStacks } from "./assembly.ts"
import { OUT, show } from "./command.ts"

/** Asks CloudFormation whether each resource is as it was deployed. Throws, after naming them, if one is not. */
export const checkDrift = async (stage: string): Promise<void> => {
  await show("cdk", ["synth", "--quiet"])
  await show("cdk", ["drift", "--app", OUT, "--fail", ...(await deployedStacks(OUT, stage))])
}
