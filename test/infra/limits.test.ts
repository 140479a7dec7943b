import { generateKeyPairSync } from "node:crypto"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { App } from "aws-cdk-lib"
import { beforeAll, describe, expect, test } from "vitest"
import { type AuroraSettings, HANDLERS, SETTINGS, type StageSettings } from "../../infra/settings.ts"
import { BackupCopyStack } from "../../infra/stacks/backup-copy.ts"
import { DataStack } from "../../infra/stacks/data.ts"
import { ServiceStack } from "../../infra/stacks/service.ts"
import { ROOT } from "../support/source-tree.ts"

// What AWS takes. It refuses the rest after half an hour, or in an account where everything else was made already.

interface Resource {
  Type: string
  Properties?: Record<string, unknown>
  DeletionPolicy?: string
  UpdateReplacePolicy?: string
}
interface Template {
  Resources: Record<string, Resource>
}

const WITHOUT_BUNDLING = { "aws:cdk:bundling-stacks": [] }

/** A stage that uses all there is, with two of each key, as while they are renewed. */
const FULL: StageSettings = {
  ...SETTINGS.prod,
  mailFrom: "hotswap@mail.example.com",
  consoleUrl: "https://console.hotswap.example.com",
  corsOrigins: ["https://console.hotswap.example.com", "https://www.hotswap.example.com"],
  alarmMails: ["first@example.com", "second@example.com"],
  edgeKeys: [1, 2],
  traces: { endpoint: "https://otlp-gateway.eu-central-1.example.com/otlp", ratio: 0.01, hasHeaders: true },
  trustedDeployments: ["x".repeat(43), "y".repeat(43)],
  jwtIssuers: [
    {
      issuer: "https://login.hotswap.example.com/realms/people",
      audience: "hotswap-production",
      jwksUrl: "https://login.hotswap.example.com/realms/people/protocol/openid-connect/certs",
      claims: { roles: "/realm_access/roles", tenant: "hotswap_tenant" },
    },
  ],
}

const templates = new Map<string, Template>()
beforeAll(() => {
  const app = new App({ context: WITHOUT_BUNDLING })
  new DataStack(app, FULL, FULL.database as AuroraSettings)
  new BackupCopyStack(app, FULL, FULL.backups.copyRegion!)
  new ServiceStack(app, FULL)
  for (const { stackName, template } of app.synth().stacks) templates.set(stackName, template)
})
const each = (): [string, Template][] => [...templates]
const resourcesIn = (type: string): [string, Resource][] =>
  each().flatMap(([stack, { Resources }]) =>
    Object.entries(Resources)
      .filter(([, { Type }]) => Type === type)
      .map(([id, resource]): [string, Resource] => [`${stack}: ${id}`, resource]),
  )

test("a stack has fewer resources, and a smaller template, than CloudFormation takes", () => {
  for (const [name, template] of each()) {
    expect(Object.keys(template.Resources).length, name).toBeLessThan(400)
    expect(JSON.stringify(template).length, name).toBeLessThan(800_000)
  }
})

/** https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/dynamic-references.html */
const REFERENCES_MAX = 60

test("a template looks up no more secrets than CloudFormation does for one", () => {
  for (const [name, template] of each())
    expect(JSON.stringify(template).split("{{resolve:").length - 1, name).toBeLessThanOrEqual(REFERENCES_MAX)
})

test("no secret's name ends as a secret's number does, which a name without one would be taken for", () => {
  const named = each().flatMap(([, template]) => [
    ...JSON.stringify(template).matchAll(/:secret:(hotswap\/[^:]+):SecretString/g),
  ])
  expect(named.length).toBeGreaterThan(40)
  for (const [, name] of named) expect(name).not.toMatch(/-[A-Za-z0-9]{6}$/)
})

const jwks = (type: "ed25519" | "x25519", half: "publicKey" | "privateKey"): string => {
  const keys = ["2026-11-01", "2026-12-01"].map((kid) => {
    const pair = type === "ed25519" ? generateKeyPairSync("ed25519") : generateKeyPairSync("x25519")
    return { ...pair[half].export({ format: "jwk" }), kid }
  })
  return JSON.stringify({ keys })
}

/** What CloudFormation finds: as long as it is with two keys where there may be two. */
const SECRETS: Readonly<Record<string, string>> = {
  "redis:url": `https://${"x".repeat(40)}.upstash.io`,
  "redis:token": "x".repeat(128),
  "reader-keys:private": jwks("ed25519", "privateKey"),
  "reader-keys:public": jwks("ed25519", "publicKey"),
  "audit-key:private": jwks("ed25519", "privateKey"),
  "audit-key:public": jwks("ed25519", "publicKey"),
  "hand-over:private": jwks("x25519", "privateKey"),
  "edge:secret": `${"x".repeat(64)},${"x".repeat(64)}`,
  "admin:token": "x".repeat(64),
  "smtp:url": `smtps://user:${"x".repeat(40)}@email-smtp.eu-central-1.amazonaws.com:465`,
  "otlp:headers": `authorization=Basic%20${"x".repeat(200)}`,
  password: "x".repeat(48),
}

/** A value as a function gets it. */
const resolved = (value: unknown): string => {
  const text = textOf(value)
  return text.replace(
    /\{\{resolve:[^}]*:secret:hotswap\/prod\/([\w-]+):SecretString:(\w+)::\}\}/g,
    (_, name, field) => {
      const found = SECRETS[field === "password" ? field : `${name}:${field}`]
      if (found === undefined) throw new Error(`nobody says how long ${name}:${field} is`)
      return found
    },
  )
}
const textOf = (value: unknown): string => {
  if (typeof value !== "object" || value === null) return String(value)
  const [[kind, of] = ["", null]] = Object.entries(value)
  if (kind === "Fn::Join") return (of as [string, unknown[]])[1].map(textOf).join("")
  if (kind === "Fn::ImportValue") return "hotswap-prod.cluster-abcdefghijkl.eu-central-1.rds.amazonaws.com"
  // The longest that anything of ours is called by.
  return "x".repeat(kind === "Ref" && String(of).startsWith("AWS::") ? 14 : 110)
}

const ENVIRONMENT_BYTES_MAX = 4_096

test("a function's settings fit into what Lambda gives it, with two of every key", () => {
  const functions = resourcesIn("AWS::Lambda::Function")
  expect(functions).toHaveLength(HANDLERS.length)
  for (const [id, { Properties = {} }] of functions) {
    const { Variables } = Properties.Environment as { Variables: Record<string, unknown> }
    const bytes = Object.entries(Variables).reduce(
      (sum, [name, value]) => sum + Buffer.byteLength(name) + Buffer.byteLength(resolved(value)),
      0,
    )
    expect(bytes, id).toBeLessThan(ENVIRONMENT_BYTES_MAX)
  }
})

/** Of all policies of one role, and of one user: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html */
const POLICY_MAX = { Roles: 10_240, Users: 2_048 }

test("what a role or a user may is said in fewer letters than IAM takes", () => {
  for (const [id, { Properties = {} }] of resourcesIn("AWS::IAM::Policy")) {
    const letters = resolved(JSON.stringify(Properties.PolicyDocument)).length
    expect(letters, id).toBeLessThan("Users" in Properties ? POLICY_MAX.Users : POLICY_MAX.Roles)
  }
})

describe("a first deployment that fails", () => {
  test("leaves nothing behind that would be in the way of the next", () => {
    const kept = each().flatMap(([stack, { Resources }]) =>
      Object.entries(Resources).map(
        ([id, { DeletionPolicy }]) => [`${stack}: ${id}`, DeletionPolicy] as const,
      ),
    )
    expect(kept.filter(([, policy]) => policy === "RetainExceptOnCreate").length).toBeGreaterThan(20)
    expect(kept.filter(([, policy]) => policy === "Retain")).toEqual([])
  })

  test("still keeps what was there when something in its place is made anew", () => {
    for (const [stack, { Resources }] of each())
      for (const [id, { DeletionPolicy, UpdateReplacePolicy }] of Object.entries(Resources))
        if (DeletionPolicy === "RetainExceptOnCreate")
          expect(UpdateReplacePolicy, `${stack}: ${id}`).toBe("Retain")
  })
})

test("the guide names the functions that an account has to let run at once, those it keeps back included", () => {
  const reserved = HANDLERS.reduce((sum, name) => sum + (SETTINGS.prod.functions[name].concurrency ?? 0), 0)
  const guide = readFileSync(join(ROOT, "docs/deploy.md"), "utf8")
  expect(guide).toContain(`at least ${reserved + 100}`)
})
