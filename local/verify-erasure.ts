import { readFile } from "node:fs/promises"
import { parseArgs } from "node:util"
import { parseTenantId } from "../core/ids.ts"
import { openCertificate } from "../core/report/certificate.ts"
import { noteKeys } from "../functions/platform/checkpoint-signer.ts"

const HELP = `
  node local/verify-erasure.ts FILE KEY --tenant ID

  Checks an erasure certificate without asking anybody, and shows what it says. It ends with 0 if it is what was signed,
  with 1 if not, with 2 if it could not be checked.

  FILE           the \`certificate\` that GET /api/v1/tenants/{tenantId}/erasure answered, or that whole answer
  KEY            a file with what GET /api/v1/audit/key answered
  --tenant ID    whose it should be
`

const say = (text: string): void => void process.stdout.write(`${text}\n`)

const keysFrom = async (path: string) => {
  const { keys } = JSON.parse(await readFile(path, "utf8")) as { keys: { publicKey: string }[] }
  const rawOf = (text: string) => Buffer.from(text, "base64").subarray(-32).toString("base64url")
  return noteKeys({
    keys: keys.map(({ publicKey }) => ({ kty: "OKP", crv: "Ed25519", x: rawOf(publicKey) })),
  })
}

const certificateIn = (text: string): string =>
  text.startsWith("{") ? String((JSON.parse(text) as { certificate: unknown }).certificate) : text

const main = async (): Promise<number> => {
  const { values, positionals } = parseArgs({
    options: { tenant: { type: "string" }, help: { type: "boolean", short: "h" } },
    allowPositionals: true,
  })
  const [file, key] = positionals
  const tenantId = parseTenantId(values.tenant ?? "")
  if (values.help || !file || !tenantId || !key) {
    say(HELP)
    return values.help ? 0 : 2
  }
  const certificate = certificateIn(await readFile(file, "utf8"))
  const statement = openCertificate(certificate, tenantId, await keysFrom(key))
  if (statement === null) {
    say("NOT what was signed")
    return 1
  }
  say(`ok: ${tenantId} was erased at ${statement.erasedAt}\n${JSON.stringify(statement, null, 2)}`)
  return 0
}

process.exitCode = await main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
  return 2
})
