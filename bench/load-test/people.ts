import type { Tier } from "../../core/ids.ts"

/** A Hotswap under load, and who may make tenants there. */
export interface Service {
  url: string
  adminToken: string
}

/** A tenant under load, with a token of its application and one of its engineer. */
export interface Subject {
  tenantId: string
  tier: Tier
  reader: string
  engineer: string
}

export const ENVIRONMENT = "Development"
export const FLAG = "new-checkout"
/** What engineers write; the other configs stay as they are. */
export const WRITTEN = "banner.text"
const CONFIGS = 20
const AT_A_TIME = 8

/** Of ten one is Enterprise, two are Pro, seven are Free: also of the first ten, so that every stage of a ramp has them all. */
export const tierOf = (index: number): Tier => {
  const place = index % 10
  return place === 0 ? "Enterprise" : place <= 2 ? "Pro" : "Free"
}

/** Throws where the service answers anything but well. */
const ask = async <Body>(
  { url, adminToken }: Service,
  method: string,
  path: string,
  body?: unknown,
): Promise<Body> => {
  const answer = await fetch(url + path, {
    method,
    headers: { authorization: `Bearer ${adminToken}` },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  const text = await answer.text()
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text.slice(0, 300)}`)
  return JSON.parse(text) as Body
}

const join = async (service: Service, tenantId: string, tier: Tier): Promise<Subject> => {
  await ask(service, "POST", "/api/v1/tenants", { tenantId, name: tenantId, tier })
  const configs = Array.from({ length: CONFIGS }, (_, index) => ({ key: `setting.${index}`, value: index }))
  const flag = { state: "ENABLED", variants: { on: true, off: false }, defaultVariant: "on" }
  const edits = [...configs, { key: FLAG, value: flag }, { key: WRITTEN, value: "" }]
  await ask(service, "POST", "/api/v1/changes", { tenantId, environment: ENVIRONMENT, edits })
  const tokenOf = async (role: string): Promise<string> => {
    const body = { subject: `load.${role}`, roles: [role], environment: ENVIRONMENT }
    return (await ask<{ token: string }>(service, "POST", `/api/v1/tenants/${tenantId}/tokens`, body)).token
  }
  return { tenantId, tier, reader: await tokenOf("reader"), engineer: await tokenOf("engineer") }
}

/** Makes so many tenants of this name and number. */
export const populate = async (service: Service, name: string, many: number): Promise<Subject[]> => {
  const subjects: Subject[] = []
  for (let from = 0; from < many; from += AT_A_TIME) {
    const indices = Array.from({ length: Math.min(AT_A_TIME, many - from) }, (_, index) => from + index)
    subjects.push(
      ...(await Promise.all(indices.map((index) => join(service, `${name}-${index}`, tierOf(index))))),
    )
  }
  return subjects
}

/** Deletes them again; says how many would not go. */
export const disperse = async (service: Service, subjects: readonly Subject[]): Promise<number> => {
  let left = 0
  for (const { tenantId } of subjects)
    await ask(service, "DELETE", `/api/v1/tenants/${tenantId}`).catch(() => left++)
  return left
}
