import { expect } from "vitest"
import { ACME, VIEW } from "../functions/read/world.ts"
import { asks, type Case, fresh, shows } from "./corpus.ts"
import type { Asked, World } from "./corpus-world.ts"

const TENANT = "/api/v1/tenants/acme"
const OWN = '{"polluted":true,"isAdmin":true}'
const post = (path: string, raw: string, by: Asked["by"] = "tenant_admin", method = "POST"): Asked => ({
  method,
  path,
  raw,
  by,
})
const preview = (raw: string): Asked => post("/api/v1/changes/preview", raw, "engineer")
const PREVIEWED = '"tenantId":"acme","environment":"Staging","edits":[{"key":"k","value":1}]'
const alert = (labels: string, annotations: string): Asked =>
  post(
    `${TENANT}/environments/Staging/signals`,
    `{"version":"4","alerts":[{"status":"resolved","labels":${labels},"annotations":${annotations}}]}`,
    "engineer",
  )
const polluting: Case[] = [
  ...asks(
    "Prototype pollution",
    "BODY_INVALID",
    {
      "`__proto__` in a body": preview(`{${PREVIEWED},"__proto__":${OWN}}`),
      "`__proto__` in escapes": preview(`{${PREVIEWED},"\\u005f_proto__":${OWN}}`),
      "`constructor.prototype` in a body": preview(`{${PREVIEWED},"constructor":{"prototype":${OWN}}}`),
      "`prototype` in a body": preview(`{${PREVIEWED},"prototype":${OWN}}`),
      "`__proto__` with all that is required": preview(`{"__proto__":{${PREVIEWED}}}`),
      "`__proto__` in an edit": preview(
        `{"tenantId":"acme","environment":"Staging","edits":[{"key":"k","value":1,"__proto__":${OWN}}]}`,
      ),
      "a strategy named `constructor`": preview(`{${PREVIEWED},"strategy":{"type":"constructor"}}`),
      "a strategy named `__proto__`": preview(`{${PREVIEWED},"strategy":{"type":"__proto__"}}`),
      "`__proto__` among a tenant's features": post(
        TENANT,
        `{"features":{"__proto__":{"polluted":true}}}`,
        "platform",
        "PATCH",
      ),
      "`__proto__` among a tenant's quotas": post(
        TENANT,
        `{"quotas":{"__proto__":${OWN}}}`,
        "platform",
        "PATCH",
      ),
      "`__proto__` among external ids": post(
        TENANT,
        `{"externalIds":{"__proto__":"x"}}`,
        "platform",
        "PATCH",
      ),
      "`toString` in a body": preview(`{${PREVIEWED},"toString":1}`),
      "`hasOwnProperty` in a body": preview(`{${PREVIEWED},"hasOwnProperty":1}`),
    },
    preview(`{${PREVIEWED}}`),
  ),
  ...asks(
    "Prototype pollution",
    "SIGNAL_INVALID",
    {
      "`__proto__` among an alert's labels": alert(`{"__proto__":${OWN}}`, "{}"),
      "`__proto__` among an alert's annotations": alert("{}", `{"__proto__":${OWN}}`),
    },
    alert("{}", "{}"),
  ),
  ...asks(
    "Prototype pollution",
    "QUERY_INVALID",
    Object.fromEntries(
      [
        "__proto__",
        "__proto__[polluted]",
        "__proto__.polluted",
        "constructor",
        "constructor[prototype][polluted]",
        "toString",
      ].map((name): [string, Asked] => [
        `\`${name}\` in a query`,
        { path: `${TENANT}?${encodeURIComponent(name)}=true` },
      ]),
    ),
    { path: TENANT },
  ),
  ...asks(
    "Prototype pollution",
    "KEY_INVALID",
    {
      "`__proto__` as a config's key": post(
        "/api/v1/configs",
        '{"tenantId":"acme","environment":"Staging","key":"__proto__","value":1}',
        "engineer",
      ),
    },
    () =>
      post(
        "/api/v1/configs",
        `{"tenantId":"acme","environment":"Staging","key":"proto.${fresh()}","value":1}`,
        "engineer",
      ),
  ),
  ...asks(
    "Prototype pollution",
    "TENANT_ID_INVALID",
    { "`__proto__` as a tenant": { path: "/api/v1/tenants/__proto__" } },
    { path: TENANT },
  ),
  ...asks(
    "Prototype pollution",
    "TENANT_NOT_FOUND",
    { "`constructor` as a tenant": { path: "/api/v1/tenants/constructor" } },
    { path: TENANT },
  ),
  ...asks(
    "Prototype pollution",
    "ENVIRONMENT_UNKNOWN",
    Object.fromEntries(
      ["constructor", "__proto__", "toString"].map((name): [string, Asked] => [
        `\`${name}\` as an environment`,
        { path: `${TENANT}/environments/${name}/policy`, by: "viewer" },
      ]),
    ),
    { path: `${TENANT}/environments/Staging/policy`, by: "viewer" },
  ),
  ...shows("Prototype pollution", "kept and given back as it is", {
    ...Object.fromEntries(
      [
        '{"__proto__":{"polluted":true}}',
        '{"constructor":{"prototype":{"polluted":true}}}',
        '[{"__proto__":null}]',
      ].map((value) => [
        `\`${value}\` as a config's value`,
        async (world: World) => {
          const key = `proto.${fresh()}`
          const raw = `{"tenantId":"acme","environment":"Staging","key":"${key}","value":${value}}`
          const made = await world.ask(post("/api/v1/configs", raw, "engineer"))
          expect(made.status, made.text).toBe(201)
          const read = await world.ask({ path: `/api/v1/configs/acme:Staging:${key}`, by: "viewer" })
          expect(read.text).toContain(`"value":${value}`)
        },
      ]),
    ),
    ...Object.fromEntries(
      ["constructor", "toString", "hasOwnProperty", "valueOf", "prototype"].map((key) => [
        `\`${key}\` as a config's key`,
        async (world: World) => {
          const { read } = world
          const token = await read.reader()
          const ask = async () => await read.call(`${VIEW}&key=${key}`, token)
          read.database.move(ACME, { "feature.a": true })
          expect(JSON.parse((await ask()).body).code, "before it is there").toBe("CONFIG_NOT_FOUND")
          read.database.move(ACME, { [key]: { of: key } })
          read.cache.pointers.clear()
          read.clock.advance(120_000)
          read.restart()
          expect(JSON.parse((await ask()).body).configs).toEqual({ [key]: { of: key } })
        },
      ]),
    ),
    "`__proto__` as a subject to target": async ({ read }) => {
      const told = await read.call(`${VIEW}&targetingKey=__proto__`, await read.reader())
      expect(told.statusCode, told.body).toBe(200)
    },
  }),
]

export const PROTOTYPE_CASES: readonly Case[] = polluting
