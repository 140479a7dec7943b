import { spawnSync } from "node:child_process"
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { App } from "aws-cdk-lib"
import { afterAll, beforeAll, expect, test } from "vitest"
import { SETTINGS } from "../../infra/settings.ts"
import { ServiceStack } from "../../infra/stacks/service.ts"
import { ROOT } from "../support/source-tree.ts"

// The guide's own commands, as somebody pastes them, before stand-ins that listen and answer what the next command needs.

const GUIDE = readFileSync(join(ROOT, "docs/deploy.md"), "utf8")
const BLOCKS = /(?<skipped><!-- deploy: not run[^>]*-->\n)?```sh\n(?<code>[\s\S]*?)```/g

const TRACES = { endpoint: "https://otlp.example.com", ratio: 0.1, hasHeaders: true }
const MANAGE = "https://manage.lambda-url.eu-central-1.on.aws/"
const TOKEN = "hsr_a-reader-token"

/** Writes down what it was called with; answers what is asked of an account. */
const AWS = `
const fs = require("node:fs"), path = require("node:path")
const args = process.argv.slice(2)
const option = (name) => args[args.indexOf(name) + 1]
const kept = (name) => path.join(process.env.STAND_IN, encodeURIComponent(name))
fs.appendFileSync(path.join(process.env.STAND_IN, "log"), ["aws", ...args].join(" ").split("\\n")[0] + "\\n")
const answers = {
  "sts get-caller-identity": () => "111122223333",
  "lambda get-account-settings": () => "1000",
  "rds describe-orderable-db-instance-options": () => "18.4",
  "iam create-service-linked-role": () => process.exit(254),
  "secretsmanager create-secret": () => fs.writeFileSync(kept(option("--name")), option("--secret-string")),
  "secretsmanager get-secret-value": () => fs.readFileSync(kept(option("--secret-id")), "utf8"),
  "cloudformation describe-stacks": () => "${MANAGE}",
}
const answer = answers[args.slice(0, 2).join(" ")]
if (!answer) throw new Error("nobody knows aws " + args.join(" "))
console.log(answer() ?? "")
`
const logs = (name: string): string => `echo "${name} $*" >> "$STAND_IN/log"`
const COMMANDS: Readonly<Record<string, string>> = {
  aws: `exec "$NODE" "$STAND_IN/aws.cjs" "$@"`,
  npm: logs("npm"),
  npx: logs("npx"),
  openssl: `echo ${"0123456789abcdef".repeat(4)}`,
  curl: `${logs("curl")}\necho '{"token":"${TOKEN}"}'`,
  node: `case "$1" in ci/*) ${logs("node")}; env | grep -E '^HOTSWAP_|^CLOUDFLARE_' >> "$STAND_IN/environment";; *) exec "$NODE" "$@";; esac`,
}

let folder: string
let ran: { status: number | null; stderr: string }
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "hotswap-guide-"))
  mkdirSync(join(folder, "bin"))
  writeFileSync(join(folder, "aws.cjs"), AWS)
  for (const [name, script] of Object.entries(COMMANDS)) {
    writeFileSync(join(folder, "bin", name), `#!/bin/sh\n${script}\n`)
    chmodSync(join(folder, "bin", name), 0o755)
  }
  const code = [...GUIDE.matchAll(BLOCKS)].flatMap(({ groups }) =>
    groups?.skipped ? [] : (groups?.code ?? []),
  )
  const environment = {
    PATH: `${join(folder, "bin")}:${process.env.PATH}`,
    STAND_IN: folder,
    NODE: process.execPath,
  }
  const { status, stderr } = spawnSync("bash", ["--norc", "-euo", "pipefail", "-c", code.join("\n")], {
    cwd: folder,
    env: environment,
    encoding: "utf8",
  })
  ran = { status, stderr }
}, 60_000)
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const said = (file: string): string[] => readFileSync(join(folder, file), "utf8").trim().split("\n")
const kept = (name: string): Record<string, string> =>
  JSON.parse(readFileSync(join(folder, encodeURIComponent(name)), "utf8"))

test("the guide's commands go through, one after the other, in one shell", () => {
  expect(ran).toEqual({ status: 0, stderr: "" })
  const steps = said("log").filter((line) => !/^aws (rds|lambda|sts|iam|secretsmanager create)/.test(line))
  expect(steps.map((line) => line.split(" ").slice(0, 4).join(" "))).toEqual([
    "npm run synth",
    "npx cdk bootstrap aws://111122223333/eu-central-1",
    "node ci/run.ts deploy ready",
    "aws cloudformation describe-stacks --stack-name",
    "aws secretsmanager get-secret-value --secret-id",
    `curl -sSf ${MANAGE}api/v1/tenants -H`,
    `curl -sSf ${MANAGE}api/v1/tenants/smoke/tokens -H`,
    "node ci/run.ts worker",
    "curl -sSf https://hotswap.example.com/api/v1/configs/tenant/smoke -H",
  ])
  expect(steps[1]).toContain(` aws://111122223333/${SETTINGS.prod.backups.copyRegion}`)
  expect(said("environment")).toEqual(
    expect.arrayContaining([
      "HOTSWAP_STAGE=prod",
      "HOTSWAP_SMOKE_TENANT=smoke",
      `HOTSWAP_SMOKE_TOKEN=${TOKEN}`,
    ]),
  )
})

test("every secret that a deployment looks up is made by the guide, with each of its fields, and before", () => {
  const app = new App({ context: { "aws:cdk:bundling-stacks": [] } })
  new ServiceStack(app, { ...SETTINGS.prod, mailFrom: "hotswap@example.com", traces: TRACES })
  const text = JSON.stringify(app.synth().stacks[0]!.template)
  const looked = [...text.matchAll(/:secret:(hotswap\/[^:]+):SecretString:(\w+)/g)]
    .map(([, name = "", field = ""]) => ({ name, field }))
    // Of the database's roles: the data stack makes them.
    .filter(({ field }) => field !== "password")
  expect(looked.length).toBeGreaterThan(20)
  for (const { name, field } of looked) expect(kept(name)[field], `${name} ${field}`).toBeTruthy()
  const log = said("log")
  const deployed = log.findIndex((line) => line.startsWith("node ci/run.ts deploy"))
  expect(log.findLastIndex((line) => line.startsWith("aws secretsmanager create"))).toBeLessThan(deployed)
})

test.each(["reader-keys", "audit-key", "hand-over"])(
  "of %s, the public half holds nothing private",
  (name) => {
    const halves = kept(`hotswap/prod/${name}`)
    const keysOf = (half = ""): Record<string, string>[] => JSON.parse(half).keys
    expect(keysOf(halves.private)[0]).toMatchObject({
      kty: "OKP",
      d: expect.any(String),
      kid: expect.any(String),
    })
    expect(keysOf(halves.public)[0]).not.toHaveProperty("d")
  },
)
