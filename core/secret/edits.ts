import type { EditInput } from "../change/command.ts"
import type { Standing } from "../change/edits.ts"
import type { Environment } from "../environment.ts"
import { Refusal } from "../errors.ts"
import type { ConfigKey } from "../ids.ts"
import { canonical, type Json } from "../json.ts"
import { isMarker, looksMarked, markedVersion, markerOf } from "./marker.ts"
import { Secret } from "./secret.ts"

/** A sealed value of another environment. */
export interface SecretSource {
  environment: Environment
  version: number
}

/** The last value of a key that was sealed, live or not. */
export interface SecretStanding {
  version: number
  /** Where it was promoted from. */
  copiedFrom: SecretSource | null
}

/** A value to be sealed, before what names it is written: in plain text, or sealed for another environment. */
export interface SecretToKeep {
  key: ConfigKey
  version: number
  from: { kind: "plain"; value: Secret } | { kind: "copy"; source: SecretSource }
}

/** An edit in which a marker stands where the secret was, and the secret. */
export type Parted = { input: EditInput & { value?: Json | undefined }; secret: SecretToKeep | null }

/** May the edit's value turn out to be a secret? Then {@link partSecret} needs to know what was sealed last. */
export const mayBeSecret = ({ secret, copies, value }: EditInput, { entry }: Standing): boolean =>
  copies !== undefined || secret === true || (value !== undefined && isMarker(entry?.value))

/**
 * Takes the secret out of an edit. Secret is what is said to be, and what stands as one already, unless its value is
 * set anew and said not to be. `last` is what was sealed last, `next` the number that a new value gets.
 * Throws Refusal SECRET_MARKER, SECRET_VALUE_NEEDED.
 */
export const partSecret = (
  input: EditInput,
  standing: Standing,
  last: SecretStanding | null,
  next: number,
): Parted => {
  const { key, copies, secret, restores } = input
  const stands = markedVersion(standing.entry?.value)
  const marked = (version: number): Parted["input"] => ({ ...input, value: markerOf(version) })
  if (copies !== undefined) {
    const isThere =
      stands !== null &&
      last?.version === stands &&
      last.copiedFrom?.environment === copies.environment &&
      last.copiedFrom.version === copies.version
    return isThere
      ? { input: marked(stands), secret: null }
      : { input: marked(next), secret: { key, version: next, from: { kind: "copy", source: copies } } }
  }
  const value = input.value instanceof Secret ? input.value.reveal() : input.value
  if (input.delete || value === undefined || (stands !== null && markedVersion(value) === stands)) {
    if (!input.delete) checkKept(input, standing, stands)
    return { input: { ...input, value: value === undefined ? undefined : markerOf(stands!) }, secret: null }
  }
  if (looksMarked(value)) {
    // Whoever restores has been held to what that version was, and it is of this very key.
    if (restores !== undefined && isMarker(value)) return { input: { ...input, value }, secret: null }
    throw new Refusal("SECRET_MARKER", `The value of "${key}" has a member "$secret".`)
  }
  // What is restored was what it is: in plain text, if it was that.
  const isSecret = secret ?? (stands !== null && restores === undefined)
  if (!isSecret) return { input: { ...input, value }, secret: null }
  return {
    input: marked(next),
    secret: { key, version: next, from: { kind: "plain", value: new Secret(value) } },
  }
}

/**
 * What is kept of a value that stays. To judge it by another schema would tell, by and by, what it is; to show it
 * would tell at once.
 */
const checkKept = ({ key, schema, secret }: EditInput, { entry }: Standing, stands: number | null): void => {
  if (entry === null) return
  if (secret !== undefined && secret !== (stands !== null))
    throw new Refusal(
      "SECRET_VALUE_NEEDED",
      `"${key}" is ${secret ? "not secret, and its value is known" : "secret, and its value stays so"}.`,
    )
  const isOther =
    schema !== undefined && schema !== null && canonical(schema) !== canonical(entry.schema ?? null)
  if (stands !== null && isOther)
    throw new Refusal("SECRET_VALUE_NEEDED", `"${key}" is secret: another schema takes its value again.`)
}
