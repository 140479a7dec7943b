import { execFileSync, spawn } from "node:child_process"
import { once } from "node:events"
import { createInterface } from "node:readline"

const BINARY = "moto_server"

/** Is there somebody else's S3 here? It knows versions and Object Lock, and looks at no signature. */
export const hasMoto = (): boolean => {
  try {
    execFileSync(BINARY, ["--help"], { stdio: "ignore" })
    return true
  } catch {
    return false
  }
}

const LOCK = `<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled><Rule>
  <DefaultRetention><Mode>COMPLIANCE</Mode><Days>1</Days></DefaultRetention></Rule></ObjectLockConfiguration>`
const VERSIONS = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>"

/** One of its own, with the buckets `plain`, `versioned` and `locked`. */
export const startMoto = async () => {
  const child = spawn(BINARY, ["-H", "127.0.0.1", "-p", "0"], { stdio: ["ignore", "pipe", "pipe"] })
  const endpoint = await new Promise<string>((resolve, reject) => {
    child.once("exit", () => reject(new Error(`${BINARY} did not start`)))
    for (const stream of [child.stdout, child.stderr])
      createInterface(stream).on("line", (line) => {
        const [url] = /http:\/\/127\.0\.0\.1:\d+/.exec(line) ?? []
        if (url) resolve(url)
      })
  })
  const put = async (path: string, body: string, headers: Record<string, string> = {}): Promise<void> => {
    const authorization =
      "AWS4-HMAC-SHA256 Credential=a/20130524/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0"
    const response = await fetch(`${endpoint}/${path}`, {
      method: "PUT",
      headers: { authorization, ...headers },
      body,
    })
    if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`)
  }
  await put("plain", "")
  await put("versioned", "")
  await put("versioned?versioning", VERSIONS)
  await put("locked", "", { "x-amz-bucket-object-lock-enabled": "true" })
  await put("locked?object-lock", LOCK)
  return {
    endpoint,
    variables: { AWS_REGION: "us-east-1", AWS_ACCESS_KEY_ID: "a", AWS_SECRET_ACCESS_KEY: "b" },
    stop: async () => {
      const gone = once(child, "exit")
      child.kill("SIGTERM")
      await gone
    },
  }
}
