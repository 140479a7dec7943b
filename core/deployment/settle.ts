import { type FieldError, Refusal } from "../errors.ts"
import type { ConfigKey, Tier } from "../ids.ts"
import { canonical, type Json } from "../json.ts"
import { looksMarked, markedVersion, markerOf } from "../secret/marker.ts"
import { Secret } from "../secret/secret.ts"
import {
  BACKENDS,
  type Backend,
  type BackendName,
  type Deployments,
  secretsOf,
  targetUrl,
  withSecrets,
} from "./deployments.ts"
import { TEMPLATES } from "./template.ts"

/** A secret that is new, to be sealed under its name and number. */
export interface FreshSecret {
  key: ConfigKey
  version: number
  value: Secret
}

/** What is to be kept of deployments that were asked for. */
export interface Settled {
  /** With markers in the place of secrets. */
  document: Deployments
  fresh: FreshSecret[]
  /** The backends that are not what they were, or are gone. */
  altered: BackendName[]
}

const invalid = (path: string, message: string): FieldError => ({ path, message })

const targetErrors = (name: BackendName, { targets }: Backend, tier: Tier): FieldError[] => {
  const path = `/${name}/targets`
  const errors: FieldError[] = []
  const most = TEMPLATES[tier].targetsMax
  if (targets.length > most) errors.push(invalid(path, `${tier} has room for ${most}.`))
  const seen = new Set<string>()
  targets.forEach(({ url }, nth) => {
    const kept = targetUrl(url)
    if (kept === null)
      errors.push(
        invalid(
          `${path}/${nth}/url`,
          "Expected http or https, a host and a plain path; no user, query or fragment.",
        ),
      )
    else if (seen.has(kept)) errors.push(invalid(`${path}/${nth}/url`, "It is named twice."))
    else seen.add(kept)
  })
  for (const use of ["query", "write"] as const)
    if (!targets.some((target) => target.use === undefined || target.use === use))
      errors.push(invalid(path, `None is for use "${use}".`))
  return errors
}

const tlsErrors = (name: BackendName, { tls, targets }: Backend): FieldError[] => {
  if (tls === undefined) return []
  const errors: FieldError[] = []
  if ((tls.certificate === undefined) !== (tls.key === undefined))
    errors.push(invalid(`/${name}/tls`, "A client's certificate and its key belong together."))
  if (targets.some(({ url }) => url.startsWith("http:")))
    errors.push(invalid(`/${name}/tls`, "A target without https has no TLS."))
  return errors
}

/** The hosts of the second are all among those of the first. */
const staysAmong = (before: Backend, after: Backend): boolean => {
  const hosts = new Set(before.targets.map(({ url }) => URL.parse(url)?.origin))
  return after.targets.every(({ url }) => hosts.has(URL.parse(url)?.origin))
}

const normal = (deployments: Deployments): Deployments =>
  Object.fromEntries(
    Object.entries(deployments).map(([name, backend]) => [
      name,
      { ...backend, targets: backend.targets.map((one) => ({ ...one, url: targetUrl(one.url) ?? one.url })) },
    ]),
  )

const textOf = (backend: Backend | undefined): string => canonical((backend ?? null) as unknown as Json)

/**
 * What is to be kept when these deployments are asked for. A secret that is sent as its marker stays, as long as it goes to
 * nobody it did not go to before: who names another host knows the secret or has no business with it. Throws Refusal
 * DEPLOYMENT_INVALID, SECRET_MARKER, SECRET_VALUE_NEEDED.
 *
 * @param last the number of the last value that each name ever had.
 */
export const settled = (
  before: Deployments,
  asked: Deployments,
  last: ReadonlyMap<string, number>,
  tier: Tier,
): Settled => {
  const wanted = normal(asked)
  const errors = BACKENDS.flatMap((name) => {
    const backend = wanted[name]
    return backend ? [...targetErrors(name, backend, tier), ...tlsErrors(name, backend)] : []
  })
  if (errors.length > 0) throw new Refusal("DEPLOYMENT_INVALID", errors[0]!.message, { errors })
  const kept = secretsOf(before)
  const fresh: FreshSecret[] = []
  const document = withSecrets(wanted, (name, value) => {
    const backend = name.split(".")[0] as BackendName
    if (!looksMarked(value)) {
      const version = (last.get(name) ?? 0) + 1
      fresh.push({ key: name as ConfigKey, version, value: new Secret(value) })
      return markerOf(version)
    }
    const version = markedVersion(value)
    if (version === null) throw new Refusal("SECRET_MARKER", `"${name}" is neither text nor a marker.`)
    const isKept = version === markedVersion(kept.get(name))
    if (!isKept || !staysAmong(before[backend]!, wanted[backend]!))
      throw new Refusal(
        "SECRET_VALUE_NEEDED",
        isKept
          ? `"${name}" would go to a host that it did not go to before: send the secret itself.`
          : `"${name}" is at no version ${version}: send the secret itself.`,
      )
    return value
  })
  const altered = BACKENDS.filter((name) => textOf(before[name]) !== textOf(document[name]))
  return { document, fresh, altered }
}
