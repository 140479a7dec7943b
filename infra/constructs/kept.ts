import { Aspects, CfnDeletionPolicy, CfnResource, type Stack } from "aws-cdk-lib"

/**
 * What outlives its stack does so once it is there for good: a deployment that fails while it makes something takes that away again.
 * Left behind it would be in the way of the next attempt, which makes it under the same name.
 */
export const keepOnceMade = (stack: Stack): void =>
  Aspects.of(stack).add({
    visit: (node) => {
      if (!CfnResource.isCfnResource(node)) return
      if (node.cfnOptions.deletionPolicy === CfnDeletionPolicy.RETAIN)
        node.cfnOptions.deletionPolicy = CfnDeletionPolicy.RETAIN_EXCEPT_ON_CREATE
    },
  })
