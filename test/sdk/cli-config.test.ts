import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import fc from "fast-check"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { FORMATS, readConfigText, writeConfigText } from "../../sdk/src/cli/config-file.ts"
import { asInFile, type Edit, editsOf, linesOf, type Standing } from "../../sdk/src/cli/config-plan.ts"
import { runCli } from "../../sdk/src/cli/run.ts"
import { jsonValues } from "../core/json-values.ts"
import { type RunningHotswap, removeHome, startHotswap } from "../support/hotswap.ts"

const KEYS = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._-]{0,20}$/)
const TEXTS = fc.string({ unit: "grapheme", maxLength: 40 })
const WRITTEN = { numRuns: 300, seed: 26 }

describe("a file of configs", () => {
  test("has the same again after it was written and read, in each format", () => {
    const configs = fc.dictionary(
      KEYS,
      fc.record(
        { value: fc.oneof(jsonValues(3), TEXTS), owner: TEXTS, locked: fc.constant(true) },
        { requiredKeys: ["value"] },
      ),
      { noNullPrototype: true },
    )
    fc.assert(
      fc.property(configs, fc.constantFrom(...FORMATS), (given, format) => {
        const file = {
          tenantId: "acme",
          environment: "Staging",
          configs: new Map(Object.entries(given)),
          valuesOnly: false,
        }
        const read = readConfigText(writeConfigText(file, format), format, false)
        const kept = ([key, config]: [string, { value: unknown }]) =>
          format === "env" ? [key, { value: config.value }] : [key, config]
        expect([...read.configs]).toEqual(Object.entries(given).map(kept))
      }),
      WRITTEN,
    )
  })

  test("of another hand is read as its format has it", () => {
    const dotenv = [
      "# settings",
      "export a=1 # one",
      "b = true",
      'c="true"',
      "d=hello world",
      "e='[1, 2]'",
      "f='it is # so'",
      "g=",
      "h=007",
    ].join("\n")
    const values = (text: string, format: "env" | "yaml") =>
      Object.fromEntries(
        [...readConfigText(text, format, true).configs].map(([key, { value }]) => [key, value]),
      )
    expect(values(dotenv, "env")).toEqual({
      a: 1,
      b: true,
      c: "true",
      d: "hello world",
      e: [1, 2],
      f: "it is # so",
      g: "",
      h: "007",
    })
    expect(values("a: 1\nb: &x [yes, 2026-01-01]\nc: *x\nd: |\n  two\n  lines\n", "yaml")).toEqual({
      a: 1,
      b: ["yes", "2026-01-01"],
      c: ["yes", "2026-01-01"],
      d: "two\nlines\n",
    })
  })

  test.each([
    ["json", '{"configs": {"a": {"value": 12345678901234567890}}}', "12345678901234567890"],
    ["json", '{"configs": {"a": {"value": 1}, "a": {"value": 2}}}', '"a"'],
    ["json", '{"configs": {"a": {"vlaue": 1}}}', '"vlaue"'],
    ["json", '{"configs": {"a": 1}}', "configs/a"],
    ["json", '{"configs": {"a": {"owner": "x"}}}', "no value"],
    ["json", '{"config": {}}', '"configs"'],
    ["json", '{"configs": {}, "tenant": "x"}', '"tenant"'],
    ["yaml", "configs:\n  a: {value: 12345678901234567890}\n", "12345678901234567890"],
    ["yaml", "configs:\n  a: {value: .inf}\n", "Infinity"],
    ["yaml", "configs:\n  a: {value: 1}\n  a: {value: 2}\n", "unique"],
    ["env", "a=1\nb\n", "line 2"],
    ["env", "a=1\na=2\n", "line 2"],
    ["env", 'a="1\n', "line 1"],
  ] as const)(
    "that cannot be kept as it is, is refused, and what is wrong is named: %s %s",
    (format, text, named) => {
      expect(() => readConfigText(text, format, false)).toThrow(named)
    },
  )
})

const standing = (key: string, members: Partial<Standing> = {}): Standing => ({
  key,
  version: 3,
  value: 1,
  secret: false,
  locked: false,
  schema: null,
  description: null,
  owner: null,
  ...members,
})
const fileOf = (configs: Record<string, object>, valuesOnly = false) => ({
  configs: new Map(Object.entries(configs)),
  valuesOnly,
})

describe("what has to change", () => {
  test("is nothing where a file is as it was exported, and each edit is bound to the version it was found out of", () => {
    const standings = [
      standing("a", { owner: "me", locked: true }),
      standing("b", { schema: { type: "number" } }),
      standing("c", { secret: true, value: { $secret: true, version: 1 } }),
    ]
    const exported = Object.fromEntries(standings.map((one) => [one.key, asInFile(one)]))
    expect(editsOf(fileOf(exported), standings, true)).toEqual([])
    const { a: _, ...others } = exported
    const altered = { ...others, b: { value: 2 }, d: { value: 4 } }
    expect(editsOf(fileOf(altered), standings, true)).toEqual<Edit[]>([
      { key: "b", value: 2, schema: null, ifMatch: 3 },
      { key: "d", value: 4, ifMatch: 0 },
      { key: "a", delete: true, ifMatch: 3 },
    ])
    expect(editsOf(fileOf(altered), standings, false).map(({ key }) => key)).toEqual(["b", "d"])
  })

  test("leaves alone what a file with values only cannot say", () => {
    const standings = [standing("a", { owner: "me", locked: true })]
    expect(editsOf(fileOf({ a: { value: 1 } }, true), standings, false)).toEqual([])
    expect(editsOf(fileOf({ a: { value: 2 } }, true), standings, false)).toEqual([
      { key: "a", value: 2, ifMatch: 3 },
    ])
  })

  test("is told a line each, and never what a secret is", () => {
    const standings = [
      standing("a"),
      standing("old"),
      standing("kept", { secret: true, value: { $secret: true, version: 1 } }),
    ]
    const file = fileOf({
      a: { value: 2, owner: "me" },
      new: { value: "x" },
      kept: { value: "correct horse", secret: true },
      pin: { value: "battery staple", secret: true },
    })
    const lines = linesOf(editsOf(file, standings, true), standings)
    expect(lines).toEqual([
      "~ a  1 → 2 (owner)",
      '+ new  "x"',
      "~ kept  (secret) → (secret)",
      "+ pin  (secret)",
      "- old  1",
    ])
    expect(() => editsOf(fileOf({ pin: { secret: true } }), [], false)).toThrow('"pin"')
  })
})

describe("against the service", () => {
  let hotswap: RunningHotswap
  let folder: string
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "hotswap-config-"))
    hotswap = await startHotswap()
    await hotswap.call("POST", "/api/v1/tenants", { body: { tenantId: "acme", name: "ACME" } })
  }, 90_000)
  afterAll(async () => {
    await hotswap?.stop()
    if (hotswap) await removeHome(hotswap.home)
    await rm(folder, { recursive: true, force: true })
  })

  const cli = async (...words: string[]) => {
    let out = ""
    let noted = ""
    const terminal = {
      out: (given: string) => {
        out += given
      },
      note: (given: string) => {
        noted += given
      },
      isWatched: false,
    }
    const variables = { HOTSWAP_URL: hotswap.url, HOTSWAP_TOKEN: hotswap.adminToken }
    return { code: await runCli(words, variables, terminal), out: out.trim(), noted: noted.trim() }
  }
  const at = (name: string) => join(folder, name)
  const readIn = async (environment: string) =>
    (await hotswap.call<{ configs: object }>("GET", `/api/v1/configs/tenant/acme?environment=${environment}`))
      .body.configs

  test("what is imported, exported, altered and applied is what readers get; a plan alters nothing", async () => {
    await writeFile(at("old.env"), "greeting=hello\nitems.max=5\n")
    expect(await cli("import", "acme", at("old.env"), "--environment", "Staging")).toMatchObject({ code: 0 })
    expect(await readIn("Staging")).toEqual({ greeting: "hello", "items.max": 5 })

    expect(await cli("export", "acme", "--environment", "Staging", "--out", at("acme.yaml"))).toMatchObject({
      code: 0,
    })
    expect(await cli("plan", at("acme.yaml"), "--prune", "--check")).toEqual({
      code: 0,
      out: "nothing to change",
      noted: "",
    })

    const text = await readFile(at("acme.yaml"), "utf8")
    await writeFile(
      at("acme.yaml"),
      text.replace("value: 5", "value: 6").replace(/ {2}greeting:\n {4}value: hello\n/, ""),
    )
    const planned = await cli("plan", at("acme.yaml"), "--prune", "--check")
    expect([planned.code, planned.out.split("\n")]).toEqual([
      1,
      ["~ items.max  5 → 6", '- greeting  "hello"', "", "needs no approval", "is live at once"],
    ])
    expect(await readIn("Staging")).toEqual({ greeting: "hello", "items.max": 5 })
    const applied = await cli("apply", at("acme.yaml"), "--prune")
    expect([applied.code, applied.noted]).toEqual([0, `hotswap: 2 to change: ${applied.out} is live`])
    expect(await readIn("Staging")).toEqual({ "items.max": 6 })
    expect(await cli("apply", at("acme.yaml"), "--prune")).toMatchObject({
      code: 0,
      out: "nothing to change",
    })
  })

  test("rules are checked, set, read and promoted as files, and what the policy asks of that is told", async () => {
    const rule = (id: string, max: number) => ({
      id,
      description: `At most ${max}.`,
      require: { "<=": [{ var: "rows.max" }, max] },
    })
    await writeFile(at("values.env"), "rows.max=7\n")
    for (const environment of ["QA", "Development"])
      expect(await cli("import", "acme", at("values.env"), "--environment", environment)).toMatchObject({
        code: 0,
      })
    await writeFile(at("rules.json"), JSON.stringify([rule("loose", 9), rule("tight", 5)]))
    const there = ["--environment", "QA"]
    const checked = await cli("rules", "check", "acme", at("rules.json"), ...there)
    expect([checked.code, checked.out.split("\n")]).toEqual([
      1,
      [
        "rule   now               about",
        "loose  holds             rows.max",
        "tight  broken on stable  rows.max",
      ],
    ])
    expect(checked.noted).toBe("hotswap: RULE_BROKEN: It would break a rule: tight.")
    expect(await cli("rules", "set", "acme", at("rules.json"), ...there)).toMatchObject({ code: 1, out: "" })
    expect(await cli("rules", "get", "acme", ...there)).toMatchObject({ out: '{\n  "rules": []\n}' })
    await writeFile(at("rules.yaml"), JSON.stringify({ rules: [rule("loose", 9)] }))
    expect(await cli("rules", "check", "acme", at("rules.yaml"), ...there)).toMatchObject({ code: 0 })
    expect(await cli("rules", "set", "acme", at("rules.yaml"), ...there)).toMatchObject({
      code: 0,
      out: expect.stringMatching(/^acme:chg_/),
    })
    expect(await cli("rules", "get", "acme", ...there, "--out", at("got.yaml"))).toMatchObject({ code: 0 })
    for (const did of ["check", "set"])
      expect(await cli("rules", did, "acme", at("got.yaml"), ...there)).toMatchObject({ code: 0 })
    const promote = (...rest: string[]) => cli("rules", "promote", "acme", ...rest)
    const ownIn = async (environment: string) =>
      (await hotswap.call<{ own: object[] }>("GET", `/api/v1/tenants/acme/environments/${environment}/rules`))
        .body.own
    const toDevelopment = ["--from", "QA", "--to-environment", "Development"]
    expect(await promote(...toDevelopment, "--dry-run")).toMatchObject({ code: 0, noted: "" })
    expect(await ownIn("Development")).toEqual([])
    expect(await promote(...toDevelopment)).toMatchObject({ code: 0 })
    expect(await ownIn("Development")).toEqual([rule("loose", 9)])
    const toProduction = ["--from", "QA", "--to-environment", "Production", "--comment", "as in QA"]
    expect((await promote(...toProduction)).noted).toContain("waits for the approval of: engineer, manager")
    expect(await promote("--from", "Staging", "--to-environment", "QA")).toMatchObject({
      code: 1,
      noted: "hotswap: acme has no rules of its own in Staging",
    })
    await writeFile(at("wrong.json"), "{}")
    expect(await cli("rules", "set", "acme", at("wrong.json"), ...there)).toMatchObject({ code: 2 })
    const gone = await cli("rules", "check", "~platform", at("rules.json"), ...there)
    expect([gone.code, gone.out.split("\n").at(-1)]).toEqual([0, "does not hold at 1 of 1 tenants: acme"])
  })

  test("where the policy asks for approval the change is filed and says for whom it waits, and nothing is read of it yet", async () => {
    await writeFile(
      at("live.json"),
      JSON.stringify({ tenantId: "acme", environment: "Production", configs: { a: { value: 1 } } }),
    )
    const planned = await cli("plan", at("live.json"))
    expect(planned.out).toContain("waits for the approval of: engineer, manager, compliance")
    const { code, out, noted } = await cli("apply", at("live.json"), "--comment", "as code")
    expect([code, noted]).toEqual([
      0,
      expect.stringContaining("waits for the approval of: engineer, manager, compliance"),
    ])
    expect((await hotswap.call("GET", `/api/v1/changes/${out}`)).body).toMatchObject({
      state: "awaiting_approval",
      comment: "as code",
    })
    expect(await readIn("Production")).toEqual({})
  })

  test("what the service refuses is told before anything is filed, and a file without a place is asked for it", async () => {
    await writeFile(at("bad.json"), JSON.stringify({ configs: { "limit.command": { value: "many" } } }))
    expect(await cli("plan", at("bad.json"))).toMatchObject({
      code: 2,
      noted: expect.stringContaining("--tenant"),
    })
    const place = ["--tenant", "acme", "--environment", "QA"]
    expect(await cli("plan", at("bad.json"), ...place)).toMatchObject({
      code: 1,
      noted: expect.stringContaining("LIMIT_INVALID"),
    })
    expect(await cli("apply", at("bad.json"), ...place)).toMatchObject({ code: 1, out: "" })
    const rules = ["one", "two"].map((name) => ({
      id: `rule-${name}`,
      description: `There is no ${name}.`,
      forbid: { var: name },
    }))
    const body = { rules }
    await hotswap.call("PUT", "/api/v1/tenants/acme/environments/QA/rules", { body })
    await writeFile(at("broken.json"), JSON.stringify({ configs: { one: { value: 1 }, two: { value: 2 } } }))
    const { noted, code } = await cli("plan", at("broken.json"), ...place)
    expect([code, noted.split("\n")]).toEqual([
      1,
      [
        "hotswap: breaks the rule rule-one of acme: There is no one.",
        "hotswap: breaks the rule rule-two of acme: There is no two.",
        "hotswap: RULE_BROKEN: It would break 2 rules: rule-one, rule-two.",
      ],
    ])
    expect(await cli("plan", at("none.json"))).toMatchObject({
      code: 2,
      noted: expect.stringContaining("cannot be read"),
    })
    expect(await cli("plan", at("bad.toml"))).toMatchObject({
      code: 2,
      noted: expect.stringContaining("--format"),
    })
  })
})
