import { useState } from "preact/hooks"
import { pathPart } from "../client.ts"
import { useConsole } from "../console.tsx"
import { problemOf } from "../problem.ts"
import type { Problem, Token } from "../shapes.ts"
import { Dialog, DialogFoot } from "./dialog.tsx"
import { Choice, Choices, Field } from "./field.tsx"
import { ProblemShown } from "./problem.tsx"
import { ToldOnce } from "./told-once.tsx"

const ROLES = [
  ["viewer", "Viewer: looks at everything but secrets and the audit"],
  ["engineer", "Engineer: submits changes, and agrees to those of others"],
  ["manager", "Manager: also writes policies and rules"],
  ["compliance", "Compliance: agrees to changes, and reads the audit"],
  ["tenant_admin", "Tenant admin: also tokens, secrets, notifications and backups"],
] as const
type RoleName = (typeof ROLES)[number][0]

type Kind = "person" | "application"
const LIFETIMES = [
  ["3600", "1 hour"],
  ["86400", "1 day"],
  ["2592000", "30 days"],
  ["7776000", "90 days"],
  ["31536000", "1 year"],
] as const
type Lifetime = (typeof LIFETIMES)[number][0]
const USUAL = { person: "7776000", application: "31536000" } as const satisfies Record<Kind, Lifetime>

/** A token for somebody else, and then the token itself. */
export const NewToken = ({ onClose, onDone }: { onClose: () => void; onDone: () => void }) => {
  const { client, who, tenant, environment } = useConsole()
  const isOfPlatform = tenant === "~platform"
  const [kind, setKind] = useState<Kind>("person")
  const [subject, setSubject] = useState("")
  const [roles, setRoles] = useState<RoleName[]>(["engineer"])
  const [where, setWhere] = useState(who.environment ?? "")
  const [lifetime, setLifetime] = useState<Lifetime>(USUAL.person)
  const [made, setMade] = useState<Token | null>(null)
  const [problem, setProblem] = useState<Problem | null>(null)
  const [isBusy, setBusy] = useState(false)
  const isForApplication = kind === "application"
  // Whoever is bound to an environment hands on that one; an application reads one.
  const environments = who.environment === null ? who.environments : [who.environment]
  const mayBeForAll = who.environment === null && !isForApplication
  const rolesNamed = isForApplication ? ["reader"] : isOfPlatform ? ["platform_admin"] : roles
  const isReady = subject.trim() !== "" && rolesNamed.length > 0 && !isBusy

  const choose = (next: Kind): void => {
    setKind(next)
    setLifetime(USUAL[next])
    setWhere(next === "application" ? environment : (who.environment ?? ""))
  }
  const issue = async (): Promise<void> => {
    if (!isReady) return
    setBusy(true)
    setProblem(null)
    const body = {
      subject: subject.trim(),
      roles: rolesNamed,
      expiresInSeconds: Number(lifetime),
      ...(where === "" ? {} : { environment: where }),
      ...(isOfPlatform ? { tenants: "*" } : {}),
    }
    try {
      const path = isOfPlatform ? "/api/v1/tokens" : `/api/v1/tenants/${pathPart(tenant)}/tokens`
      setMade(await client.send<Token>("POST", path, body))
      onDone()
    } catch (error) {
      setProblem(problemOf(error))
      setBusy(false)
    }
  }
  if (made)
    return (
      <ToldOnce
        title={`The token of ${made.subject}`}
        label="Token"
        secret={made.token}
        note="Hand it on where nobody else reads it. Whoever has it is taken for its owner, until it expires or is revoked."
        onClose={onClose}
      />
    )
  return (
    <Dialog title="New token" onClose={onClose}>
      <form
        class="dialog-body"
        onSubmit={(event) => {
          event.preventDefault()
          void issue()
        }}
      >
        <Choice
          label="For"
          value={kind}
          options={[
            ["person", isOfPlatform ? "A platform admin" : "A person, or a pipeline"],
            ["application", isOfPlatform ? "An application of all tenants" : "An application"],
          ]}
          onChange={choose}
          inline={false}
        />
        <Field
          label="Name"
          hint={
            isForApplication
              ? "What reads with it, such as shop."
              : "Stands with whatever is done with it. Who has one that you issued cannot agree to your changes, nor you to theirs."
          }
        >
          {(ids) => (
            <input
              {...ids}
              required
              maxLength={200}
              autocomplete="off"
              autocapitalize="none"
              spellcheck={false}
              value={subject}
              onInput={(event) => setSubject(event.currentTarget.value)}
            />
          )}
        </Field>
        {!isForApplication && !isOfPlatform && (
          <Choices legend="Roles" chosen={roles} options={ROLES} onChange={setRoles} />
        )}
        {(isForApplication || !isOfPlatform) && (
          <Choice
            label="Environment"
            value={where}
            options={[
              ...(mayBeForAll ? [["", "All of them"] as const] : []),
              ...environments.map((name) => [name, name] as const),
            ]}
            onChange={setWhere}
            inline={false}
          />
        )}
        <Choice
          label="Expires after"
          value={lifetime}
          options={LIFETIMES}
          onChange={setLifetime}
          inline={false}
        />
        {problem && <ProblemShown problem={problem} />}
        <DialogFoot verb={isBusy ? "One moment…" : "Issue it"} isReady={isReady} onCancel={onClose} />
      </form>
    </Dialog>
  )
}
