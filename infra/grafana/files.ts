import { stringify } from "yaml"
import { groups } from "./rules.ts"
import { service } from "./service.ts"
import { tenants } from "./tenants.ts"

const NOTE = "# Written by `npm run dashboards` from infra/grafana/rules.ts: change it there.\n"

/** What Grafana and Prometheus load, by path from here. */
export const files = (): ReadonlyMap<string, string> =>
  new Map([
    ...[service(), tenants()].map(
      (made) => [`${made.uid}.json`, `${JSON.stringify(made, null, 2)}\n`] as const,
    ),
    ["hotswap.rules.yaml", NOTE + stringify({ groups }, { lineWidth: 0 })],
  ])
