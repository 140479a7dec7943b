import { installIn, withCheckout } from "./checkout.ts"
import { setting, show } from "./command.ts"
import { deployAssembly } from "./deploy.ts"
import { openGitHub } from "./github.ts"

/**
 * Deploys the commit that was last deployed well. The database stays as it was migrated: what is there is what the
 * functions before can use, too. The Worker took itself back already.
 */
export const rollBack = async (stage: string): Promise<void> => {
  const before = await openGitHub().deployedBefore(stage, setting("GITHUB_SHA"))
  if (before === null) {
    console.log(`nothing was deployed to ${stage} before this: there is nothing to go back to`)
    return
  }
  console.log(`going back to ${before}`)
  await withCheckout(before, async (directory) => {
    await installIn(directory)
    await show("cdk", ["synth", "--quiet"], { directory })
    await deployAssembly(directory, stage)
  })
}
