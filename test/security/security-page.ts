import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { PERMISSIONS, ROLES, WITHIN_ENVIRONMENT } from "../../core/access.ts"
import { type Attack, statusOf } from "./attack.ts"
import { JWT_ATTACKS } from "./attacks-jwt.ts"
import { REACH_ATTACKS } from "./attacks-reach.ts"
import { isCode } from "./corpus.ts"
import { CASES, PROVED } from "./corpus-all.ts"
import { EVASIONS } from "./evasions.ts"

const PAGE = join(import.meta.dirname, "../../docs/security.md")

export const WHO_ATTACKS: readonly Attack[] = [...JWT_ATTACKS, ...REACH_ATTACKS]

/** What is shown by every attack of a family being refused. */
const PROOFS: Readonly<Record<string, string>> = {
  Algorithm: "Only the algorithm that the issuer's entry names is used, whatever the token says.",
  "Key for something else":
    "Of the keys an issuer shows only those count that are public, for signing, strong, and of the algorithm's own kind.",
  "Signature written otherwise":
    "A signature has one text, so a token that was altered in any bit is another one.",
  "Key id": "A `kid` is looked up among the keys known, and is never a path, an address or a query.",
  "Smuggled key": "No key is taken from a token, and nothing that is not understood is passed over.",
  "Token for something else": "A token made for another purpose is none, however well it is signed.",
  Shape: "A token has one reading: what was signed is what is believed.",
  Issuer: "The issuer is compared whole, and has only its own keys.",
  Audience: "A token made for another service is refused.",
  Time: "A token has an end, near at hand, and neither it nor its beginning is a matter of types.",
  "Tenant claim": "A token speaks of one tenant, by its exact name, that its issuer may speak of.",
  "Roles claim":
    "Roles that are not known give nothing; the platform is administered only by an issuer's leave.",
  Subject: "Nobody has two names, and nobody has no name.",
  Environment: "A token bound to an environment does not act in another.",
  "Another tenant": "Whatever names it, a tenant that the token is not for is not there.",
  "API token": "Only the whole token, as it was issued, is the token.",
  "Reader token": "A reader token reads, until it is revoked, and nothing else is one.",
  "Authorization header": "A token comes in one place in one form.",
  "Token wished for": "Nobody issues more than they have, in a name that is not theirs to give.",
}

const cell = (text: string): string =>
  text.replaceAll("|", "\\|").replaceAll("__", "\\_\\_").replaceAll("*", "\\*").replaceAll("<", "&lt;")

const familyOf = (family: string): string => {
  const rows = WHO_ATTACKS.filter((attack) => attack.family === family).map(
    ({ name, code }) => `| ${cell(name)} | ${statusOf(code)} \`${code}\` |`,
  )
  return `### ${family}\n\n${PROOFS[family]}\n\n| attack | answer |\n|---|---|\n${rows.join("\n")}`
}

const casesOf = (family: string): string => {
  const rows = CASES.filter((one) => one.family === family).map(
    ({ name, comes }) => `| ${cell(name)} | ${isCode(comes) ? `${statusOf(comes)} \`${comes}\`` : comes} |`,
  )
  return `### ${family}\n\n${PROVED[family]}\n\n| attack | comes to |\n|---|---|\n${rows.join("\n")}`
}

const attacksPart = (): string => {
  const families = [...new Set(WHO_ATTACKS.map(({ family }) => family))]
  const evasions = EVASIONS.map(({ name }) => `| ${cell(name)} | 429 \`AUTHENTICATION_LIMITED\` |`)
  const limit = `### Guessing\n\nWho fails often is told so, whatever it calls itself, and whoever has a right token is not.\n\n| attack | answer |\n|---|---|\n${evasions.join("\n")}`
  const count = WHO_ATTACKS.length + EVASIONS.length + CASES.length
  const others = Object.keys(PROVED).map(casesOf)
  return [`${count} attacks, each sent by \`npm test\`.`, ...families.map(familyOf), limit, ...others].join(
    "\n\n",
  )
}

const mayPart = (): string => {
  const columns = [...ROLES]
  const rows = Object.entries(PERMISSIONS).map(([action, roles]) => {
    const marks = columns.map((role) => ((roles as readonly string[]).includes(role) ? "✓" : ""))
    return `| \`${action}\` | ${marks.join(" | ")} |`
  })
  const within = WITHIN_ENVIRONMENT.map((action) => `\`${action}\``).join(", ")
  const table = `| action | ${columns.join(" | ")} |\n|---|${columns.map(() => "---").join("|")}|\n${rows.join("\n")}`
  return `${table}\n\nA token bound to an environment may do these without naming one: ${within}.`
}

const PARTS: Readonly<Record<string, () => string>> = { may: mayPart, attacks: attacksPart }

/** The page with its generated parts as they should be; what stands between them is left as it is. */
export const securityPage = (page: string): string =>
  Object.entries(PARTS).reduce((text, [name, write]) => {
    const [begin, end] = [`<!-- ${name}: generated -->\n`, `\n<!-- ${name}: end -->`]
    const [before = "", rest] = text.split(begin)
    const after = rest?.split(end)[1]
    if (after === undefined) throw new Error(`docs/security.md has no place for "${name}"`)
    return `${before}${begin}${write()}${end}${after}`
  }, page)

if (import.meta.main) writeFileSync(PAGE, securityPage(readFileSync(PAGE, "utf8")))
