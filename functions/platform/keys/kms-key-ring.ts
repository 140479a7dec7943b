import { Refusal } from "../../../core/errors.ts"
import type { ScopeId } from "../../../core/ids.ts"
import type { KeyName } from "../../../core/secret/place.ts"
import type { Clock } from "../clock.ts"
import { type AwsCredentials, signedHeaders } from "./aws-request.ts"
import type { KeyRing } from "./key-ring.ts"
import { NotOpened } from "./sealing.ts"

export interface KmsOptions {
  /** Keys' aliases begin with `alias/{alias}/`. */
  alias: string
  /** Where region and credentials stand, as Lambda sets them. */
  variables: Readonly<Record<string, string | undefined>>
  clock: Clock
  /** In the place of AWS's own. */
  endpoint?: string
}

const DEADLINE_MS = 2_000
const TRIES = 3
/** The shortest that AWS lets a key wait before it is gone; from the first moment nothing can be done with it. */
const PENDING_DAYS = 7
const PENDING = "PendingDeletion"

/** What KMS has against a request. */
class KmsFault extends Error {
  constructor(name: string) {
    super(`KMS answered ${name}`)
    this.name = name
  }
}

/** Worth another try. */
const PASSING = new Set([
  "DependencyTimeoutException",
  "KeyUnavailableException",
  "KMSInternalException",
  "LimitExceededException",
  "ThrottlingException",
])
/** It waits to be deleted, or has been. */
const GONE = new Set(["KMSInvalidStateException", "DisabledException"])

/**
 * One KMS key for each scope, found by its alias and made when it is first needed. AWS deletes it when the scope is
 * shredded; until then it can be used for nothing. What it wraps is bound to its name by the encryption context.
 */
export const kmsKeyRing = (options: KmsOptions): KeyRing => {
  const call = kmsCalls(options)

  const aliasOf = (scope: ScopeId): string =>
    // A slug holds no underscore, so that no two scopes come to one alias.
    `alias/${options.alias}/${scope.replaceAll(/[~.]/g, "_")}`

  /** Every key that a scope ever had has one: copies of the database from before a rotation name keys that it names no more. */
  const numberedAlias = (scope: ScopeId, place: number): string => `${aliasOf(scope)}/${place}`

  /** `null`: nothing is called that. */
  const described = async (alias: string) => {
    try {
      const { KeyMetadata } = await call<{ KeyMetadata: { Arn: string; KeyState: string } }>("DescribeKey", {
        KeyId: alias,
      })
      return KeyMetadata
    } catch (error) {
      if (isNamed(error, "NotFoundException")) return null
      throw error
    }
  }

  /** `false`: that number is another's. */
  const number = async (scope: ScopeId, place: number, key: string): Promise<boolean> => {
    try {
      await call("CreateAlias", { AliasName: numberedAlias(scope, place), TargetKeyId: key })
      return true
    } catch (error) {
      if (isNamed(error, "AlreadyExistsException")) return false
      throw error
    }
  }

  const makeKey = async (scope: ScopeId): Promise<string> => {
    const { KeyMetadata } = await call<{ KeyMetadata: { KeyId: string } }>("CreateKey", {
      Description: `Hotswap ${options.alias}: secrets of ${scope}`,
      Tags: [{ TagKey: "hotswap:keys", TagValue: options.alias }],
    })
    return KeyMetadata.KeyId
  }

  const deleteKey = async (key: string): Promise<boolean> => {
    try {
      await call("ScheduleKeyDeletion", { KeyId: key, PendingWindowInDays: PENDING_DAYS })
      return true
    } catch (error) {
      if (isFault(error, GONE) || isNamed(error, "NotFoundException")) return false
      throw error
    }
  }

  /** The first of a scope. Where somebody else made it at this moment, theirs is the one. */
  const makeFirst = async (scope: ScopeId): Promise<void> => {
    const key = await makeKey(scope)
    try {
      await call("CreateAlias", { AliasName: aliasOf(scope), TargetKeyId: key })
    } catch (error) {
      await deleteKey(key)
      if (!isNamed(error, "AlreadyExistsException")) throw error
    }
  }

  const encrypt = (name: KeyName, key: Uint8Array) =>
    call<{ CiphertextBlob: string; KeyId: string }>("Encrypt", {
      KeyId: aliasOf(name.scope),
      Plaintext: Buffer.from(key).toString("base64"),
      EncryptionContext: contextOf(name),
    })

  return {
    wrap: (name, key) =>
      told(name.scope, async () => {
        const sealed = await encrypt(name, key).catch(async (error: unknown) => {
          if (!isNamed(error, "NotFoundException")) throw error
          await makeFirst(name.scope)
          return await encrypt(name, key)
        })
        return { bytes: Buffer.from(sealed.CiphertextBlob, "base64"), by: sealed.KeyId }
      }),
    unwrap: (name, { bytes, by }) =>
      told(name.scope, async () => {
        const { Plaintext } = await call<{ Plaintext: string }>("Decrypt", {
          KeyId: by,
          CiphertextBlob: Buffer.from(bytes).toString("base64"),
          EncryptionContext: contextOf(name),
        })
        return Buffer.from(Plaintext, "base64")
      }),
    renew: (scope) =>
      told(scope, async () => {
        const current = await described(aliasOf(scope))
        if (current === null) return await makeFirst(scope)
        if (current.KeyState === PENDING) throw new KmsFault("KMSInvalidStateException")
        await number(scope, 1, current.Arn)
        const key = await makeKey(scope)
        for (let place = 2; !(await number(scope, place, key)); ) place++
        await call("UpdateAlias", { AliasName: aliasOf(scope), TargetKeyId: key })
      }),
    shred: (scope, known) =>
      told(scope, async () => {
        // It must never get another: one that is to be deleted stands in its alias.
        if ((await described(aliasOf(scope))) === null) await makeFirst(scope)
        const keys = new Set([...known, (await described(aliasOf(scope)))!.Arn])
        for (let place = 1; ; place++) {
          const numbered = await described(numberedAlias(scope, place))
          if (numbered === null) break
          keys.add(numbered.Arn)
        }
        let destroyed = 0
        // The first of them last: with a key its aliases go, and those behind a gap would not be found again.
        for (const key of [...keys].reverse()) if (await deleteKey(key)) destroyed++
        return destroyed
      }),
  }
}

const contextOf = ({ scope, realm, generation }: KeyName) => ({
  "hotswap:scope": scope,
  "hotswap:realm": realm,
  "hotswap:generation": String(generation),
})

const isNamed = (error: unknown, name: string): boolean => error instanceof KmsFault && error.name === name
const isFault = (error: unknown, names: ReadonlySet<string>): boolean =>
  error instanceof KmsFault && names.has(error.name)

/** What KMS has against it, in our words. */
const told = async <Result>(scope: ScopeId, work: () => Promise<Result>): Promise<Result> => {
  try {
    return await work()
  } catch (error) {
    if (isFault(error, GONE))
      throw new Refusal("SECRET_SHREDDED", `The keys of "${scope}" were destroyed.`, { cause: error })
    if (isNamed(error, "InvalidCiphertextException") || isNamed(error, "IncorrectKeyException"))
      throw new NotOpened()
    throw new Refusal("SECRET_KEYS_UNAVAILABLE", "KMS does not do what is asked of it.", { cause: error })
  }
}

const kmsCalls = ({ variables, clock, endpoint }: KmsOptions) => {
  const region = variables.AWS_REGION ?? ""
  const url = endpoint ?? `https://kms.${region}.amazonaws.com/`
  const credentials: AwsCredentials = {
    accessKeyId: variables.AWS_ACCESS_KEY_ID ?? "",
    secretAccessKey: variables.AWS_SECRET_ACCESS_KEY ?? "",
    sessionToken: variables.AWS_SESSION_TOKEN,
  }

  const ask = async (operation: string, body: string): Promise<unknown> => {
    const headers = {
      "content-type": "application/x-amz-json-1.1",
      "x-amz-target": `TrentService.${operation}`,
    }
    const request = { url, service: "kms", region, headers, body }
    const response = await fetch(url, {
      method: "POST",
      headers: signedHeaders(request, credentials, clock.now()),
      body,
      signal: AbortSignal.timeout(DEADLINE_MS),
    })
    const answer = (await response.json().catch(() => ({}))) as { __type?: unknown }
    if (response.ok) return answer
    // Newer services write a namespace before it.
    const name = typeof answer.__type === "string" ? answer.__type.split("#").at(-1)! : "KMSInternalException"
    throw new KmsFault(response.status >= 500 && !PASSING.has(name) ? "KMSInternalException" : name)
  }

  return async <Answer>(operation: string, input: object): Promise<Answer> => {
    for (let tries = 1; ; tries++)
      try {
        return (await ask(operation, JSON.stringify(input))) as Answer
      } catch (error) {
        const isPassing = !(error instanceof KmsFault) || PASSING.has(error.name)
        if (!isPassing || tries === TRIES) throw error
      }
  }
}
