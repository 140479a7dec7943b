import type { Strategy } from "../../core/change/change.ts"
import { type ConfigId, configIdOf } from "../../core/ids.ts"
import { permit, type Route, route } from "../http/route.ts"
import { promotionFrom } from "../platform/promotion.ts"
import { ChangeShown, PromoteBody } from "./change-shapes.ts"
import type { ManageDeps } from "./deps.ts"
import { configNamed, configNotFound, environmentNamed } from "./parse.ts"
import { ConfigPath } from "./shapes.ts"
import { accepted, submit } from "./submit.ts"

/** `POST …/promote`: one config, as it is stable, to the next environment. */
export const promoteRoute = (deps: ManageDeps): Route =>
  route({
    method: "post",
    path: "/api/v1/configs/{configId}/promote",
    operationId: "promoteConfig",
    tag: "Configs",
    summary: "Promote a config to the next environment",
    action: "change.submit",
    params: ConfigPath,
    body: PromoteBody,
    replies: {
      202: { description: "The change, with what leads to what in `configs`", schema: ChangeShown },
    },
    where: ({ params, body }) => ({
      scope: configNamed(params.configId, deps.settings.environments).scope,
      environment: environmentNamed(body.targetEnvironment, deps.settings.environments),
    }),
    run: async ({ params, body, environment, ...asker }) => {
      const { configId, ...source } = configNamed(params.configId, deps.settings.environments)
      permit(asker.principal, "config.read", source)
      const promotion = await promotionFrom(deps, source, [source.key])
      if (promotion.edits.length === 0) throw configNotFound(configId)
      const { approvalRequired, comment } = body
      // Its tiers and tenants are judged with the plan they make.
      const strategy = body.strategy as Strategy | undefined
      const target = { scope: source.scope, environment: environment! }
      const to: ConfigId = configIdOf(target.scope, target.environment, source.key)
      const wanted = { ...promotion, strategy, approvalRequired, comment }
      return await submit(deps, asker, target, wanted, (decided) =>
        accepted(deps, decided, { configs: [{ key: source.key, from: configId, to }] }),
      )
    },
  })
