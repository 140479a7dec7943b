import { createHmac, randomBytes, timingSafeEqual } from "node:crypto"
import { createServer, type IncomingMessage } from "node:http"
import type { AddressInfo } from "node:net"
import { type AwsCredentials, signedHeaders } from "../../functions/platform/keys/aws-request.ts"
import { open, seal } from "../../functions/platform/keys/sealing.ts"

// As much of AWS KMS as is asked of it, after its API reference: the JSON protocol, signatures checked, keys that wait
// to be deleted refusing everything, aliases, and the encryption context as additional data.

interface Key {
  arn: string
  secret: Uint8Array
  pending: boolean
  tags: { TagKey: string; TagValue: string }[]
}
type Input = Record<string, unknown> & {
  KeyId?: string
  AliasName?: string
  TargetKeyId?: string
  Plaintext?: string
  CiphertextBlob?: string
  EncryptionContext?: Record<string, string>
  PendingWindowInDays?: number
  Tags?: Key["tags"]
}

class Fault extends Error {
  constructor(name: string) {
    super(name)
    this.name = name
  }
}

const CREDENTIALS: Required<AwsCredentials> = {
  accessKeyId: "AKIDEXAMPLE",
  secretAccessKey: randomBytes(20).toString("hex"),
  sessionToken: "a-session",
}
const ARN = "arn:aws:kms:eu-central-1:123456789012:"
const CONTEXT_BYTES_MAX = 8_192

/** Members sorted by name, as AWS says that their order does not matter. */
const contextBytes = (context: Record<string, string> = {}): Buffer => {
  const bytes = Buffer.from(JSON.stringify(Object.entries(context).sort()))
  if (bytes.length > CONTEXT_BYTES_MAX) throw new Fault("ValidationException")
  return bytes
}

export const startKms = async () => {
  const keys = new Map<string, Key>()
  const aliases = new Map<string, string>()
  /** Faults to answer with before anything else, first come, first served. */
  const failing: string[] = []
  const asked: string[] = []

  const find = (id: string | undefined): Key => {
    const name = id?.startsWith("alias/") ? aliases.get(id) : id
    const key = name === undefined ? undefined : (keys.get(name) ?? keys.get(`${ARN}key/${name}`))
    if (!key) throw new Fault("NotFoundException")
    return key
  }
  const usable = (id: string | undefined): Key => {
    const key = find(id)
    if (key.pending) throw new Fault("KMSInvalidStateException")
    return key
  }

  const operations: Record<string, (input: Input) => object> = {
    CreateKey: ({ Tags = [] }) => {
      const id = crypto.randomUUID()
      const key = { arn: `${ARN}key/${id}`, secret: randomBytes(32), pending: false, tags: Tags }
      keys.set(key.arn, key)
      return { KeyMetadata: { KeyId: id, Arn: key.arn } }
    },
    CreateAlias: ({ AliasName, TargetKeyId }) => {
      if (!/^alias\/[a-zA-Z0-9/_-]+$/.test(AliasName!)) throw new Fault("InvalidAliasNameException")
      if (aliases.has(AliasName!)) throw new Fault("AlreadyExistsException")
      aliases.set(AliasName!, usable(TargetKeyId).arn)
      return {}
    },
    UpdateAlias: ({ AliasName, TargetKeyId }) => {
      if (!aliases.has(AliasName!)) throw new Fault("NotFoundException")
      aliases.set(AliasName!, usable(TargetKeyId).arn)
      return {}
    },
    DescribeKey: ({ KeyId }) => {
      const { arn, pending } = find(KeyId)
      return { KeyMetadata: { Arn: arn, KeyState: pending ? "PendingDeletion" : "Enabled" } }
    },
    ScheduleKeyDeletion: ({ KeyId, PendingWindowInDays = 30 }) => {
      if (KeyId?.startsWith("alias/")) throw new Fault("InvalidArnException")
      if (PendingWindowInDays < 7 || PendingWindowInDays > 30) throw new Fault("ValidationException")
      const key = usable(KeyId)
      key.pending = true
      return { KeyId: key.arn, KeyState: "PendingDeletion" }
    },
    Encrypt: ({ KeyId, Plaintext, EncryptionContext }) => {
      const key = usable(KeyId)
      const plain = Buffer.from(Plaintext!, "base64")
      if (plain.length === 0 || plain.length > 4_096) throw new Fault("ValidationException")
      const sealed = seal(key.secret, plain, contextBytes(EncryptionContext))
      return { CiphertextBlob: Buffer.from(sealed).toString("base64"), KeyId: key.arn }
    },
    Decrypt: ({ KeyId, CiphertextBlob, EncryptionContext }) => {
      const key = usable(KeyId)
      try {
        const plain = open(
          key.secret,
          Buffer.from(CiphertextBlob!, "base64"),
          contextBytes(EncryptionContext),
        )
        return { Plaintext: Buffer.from(plain).toString("base64"), KeyId: key.arn }
      } catch {
        const owner = [...keys.values()].find(({ secret }) =>
          opens(secret, CiphertextBlob!, EncryptionContext),
        )
        throw new Fault(owner ? "IncorrectKeyException" : "InvalidCiphertextException")
      }
    },
  }

  const answer = async (request: IncomingMessage): Promise<object> => {
    let body = ""
    for await (const piece of request) body += piece
    checkSignature(request, body)
    const operation = String(request.headers["x-amz-target"]).replace("TrentService.", "")
    asked.push(operation)
    const failure = failing.shift()
    if (failure) throw new Fault(failure)
    const work = operations[operation]
    if (!work) throw new Fault("UnknownOperationException")
    return work(JSON.parse(body) as Input)
  }

  const server = createServer((request, response) => {
    const send = (status: number, document: object) =>
      response
        .writeHead(status, { "content-type": "application/x-amz-json-1.1" })
        .end(JSON.stringify(document))
    answer(request).then(
      (document) => send(200, document),
      (error: Error) => send(400, { __type: error.name, message: error.message }),
    )
  })
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve))
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
  return {
    endpoint,
    keys,
    failing,
    asked,
    variables: {
      AWS_REGION: "eu-central-1",
      AWS_ACCESS_KEY_ID: CREDENTIALS.accessKeyId,
      AWS_SECRET_ACCESS_KEY: CREDENTIALS.secretAccessKey,
      AWS_SESSION_TOKEN: CREDENTIALS.sessionToken,
    },
    stop: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

const opens = (secret: Uint8Array, text: string, context: Record<string, string> | undefined): boolean => {
  try {
    open(secret, Buffer.from(text, "base64"), contextBytes(context))
    return true
  } catch {
    return false
  }
}

/** What was signed is made again from what came. The signing itself is held to AWS's own example elsewhere. */
const checkSignature = ({ headers }: IncomingMessage, body: string): void => {
  const at = String(headers["x-amz-date"]).replace(
    /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/,
    "$1-$2-$3T$4:$5:$6.000Z",
  )
  const request = {
    url: `http://${headers.host}/`,
    service: "kms",
    region: "eu-central-1",
    headers: {
      "content-type": String(headers["content-type"]),
      "x-amz-target": String(headers["x-amz-target"]),
    },
    body,
  }
  const expected = signedHeaders(request, CREDENTIALS, new Date(at)).authorization!
  const digest = (text: string): Buffer => createHmac("sha256", "compare").update(text).digest()
  if (!timingSafeEqual(digest(expected), digest(String(headers.authorization))))
    throw new Fault("InvalidSignatureException")
}
