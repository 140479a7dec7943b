import { generateKeyPairSync, randomBytes } from "node:crypto"
import { chmod, readFile, rename, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { calculateJwkThumbprint, type JWK } from "jose"
import { StartError } from "./settings.ts"

/** Made once for a home and kept there; nobody else on the machine can read them. */
export interface Secrets {
  adminToken: string
  edgeSecret: string
  redisToken: string
  /** The Ed25519 key that signs reader tokens, with its private part. */
  readerKey: JWK
  /** The Ed25519 key that signs the audit's checkpoints, with its private part. */
  auditKey: JWK
  /** The X25519 key that opens what other deployments hand over. */
  handOverKey: JWK
  /** Passwords of the roles in a database of the user's own. */
  databasePasswords: { app: string; read: string; system: string }
}

const random = (): string => randomBytes(32).toString("base64url")

/** The home's secrets; the missing ones are made. Throws StartError where the file cannot be read. */
export const keepSecrets = async (home: string): Promise<Secrets> => {
  const path = join(home, "secrets.json")
  const kept = await readKept(path)
  const secrets: Secrets = {
    adminToken: kept.adminToken ?? `hsa_${random()}`,
    edgeSecret: kept.edgeSecret ?? random(),
    redisToken: kept.redisToken ?? random(),
    readerKey: kept.readerKey ?? (await newKey("ed25519")),
    auditKey: kept.auditKey ?? (await newKey("ed25519")),
    handOverKey: kept.handOverKey ?? (await newKey("x25519")),
    databasePasswords: kept.databasePasswords ?? { app: random(), read: random(), system: random() },
  }
  // Written aside and renamed: a crash in between must not leave half a file that locks the tokens out.
  await writeFile(`${path}.new`, `${JSON.stringify(secrets, null, 2)}\n`, { mode: 0o600 })
  await chmod(`${path}.new`, 0o600)
  await rename(`${path}.new`, path)
  return secrets
}

/** The JWK set that signs, and the one that only verifies. */
export interface KeySets {
  signing: string
  verifying: string
}

const setsOf = (key: JWK): KeySets => {
  const { d: _private, ...publicKey } = key
  return { signing: JSON.stringify({ keys: [key] }), verifying: JSON.stringify({ keys: [publicKey] }) }
}

/** Of reader tokens. */
export const keySets = ({ readerKey }: Secrets): KeySets => setsOf(readerKey)

/** Of the audit's checkpoints. */
export const auditKeySets = ({ auditKey }: Secrets): KeySets => setsOf(auditKey)

/** Of what other deployments hand over. */
export const handOverKeySet = ({ handOverKey }: Secrets): string => JSON.stringify({ keys: [handOverKey] })

const readKept = async (path: string): Promise<Partial<Secrets>> => {
  let text: string
  try {
    text = await readFile(path, "utf8")
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return {}
    throw new StartError(
      `${path} cannot be read: start as the user it belongs to, or choose another HOTSWAP_HOME`,
      {
        cause: error,
      },
    )
  }
  try {
    return JSON.parse(text) as Partial<Secrets>
  } catch (error) {
    throw new StartError(`${path} is damaged: put it back, or remove it to have new tokens and keys made`, {
      cause: error,
    })
  }
}

const USES = { ed25519: { alg: "EdDSA", use: "sig" }, x25519: { alg: "ECDH-ES+A256KW", use: "enc" } }

const newKey = async (type: "ed25519" | "x25519"): Promise<JWK> => {
  // Of two overloads for one name each, TypeScript takes neither for both.
  const { privateKey } = type === "ed25519" ? generateKeyPairSync(type) : generateKeyPairSync(type)
  const key = privateKey.export({ format: "jwk" }) as JWK
  return { ...key, kid: await calculateJwkThumbprint(key), ...USES[type] }
}
