import { useCallback, useState } from "preact/hooks"
import { pathPart } from "../client.ts"
import { useConsole, useMay } from "../console.tsx"
import { useLive } from "../live.ts"
import { Confirm } from "../parts/dialog.tsx"
import { Choice } from "../parts/field.tsx"
import { Empty, Loaded } from "../parts/loaded.tsx"
import { MoreButton, useMore } from "../parts/more.tsx"
import { NewToken } from "../parts/new-token.tsx"
import { Time } from "../parts/time.tsx"
import type { Page, Token } from "../shapes.ts"
import { roleOf, withinOf } from "../words.ts"

type Standing = "active" | "expired" | "revoked"

const standingOf = ({ revokedAt, expiresAt }: Token): Standing =>
  revokedAt !== null ? "revoked" : Date.parse(expiresAt) <= Date.now() ? "expired" : "active"

const WHICH = [
  ["active", "In use"],
  ["all", "All"],
] as const

const Revoke = ({ token, onClose, onDone }: { token: Token; onClose: () => void; onDone: () => void }) => {
  const { client, who, tenant, say } = useConsole()
  const [isDeep, setDeep] = useState(false)
  return (
    <Confirm
      title={`Revoke the token of ${token.subject}`}
      verb="Revoke it"
      isDangerous
      onClose={onClose}
      onReload={onDone}
      run={async () => {
        const path = `/api/v1/tenants/${pathPart(tenant)}/tokens/${pathPart(token.tokenId)}`
        await client.send<Token>("DELETE", `${path}${isDeep ? "?cascade=true" : ""}`)
        say(`The token of ${token.subject} is revoked.`)
        onDone()
      }}
    >
      {token.tokenId === who.tokenId && <p class="note">It is the one that you are signed in with.</p>}
      <p>
        Whoever uses it is refused from now on, and it cannot be brought back. What was done with it stays.
      </p>
      <label class="check">
        <input type="checkbox" checked={isDeep} onChange={(event) => setDeep(event.currentTarget.checked)} />
        Also what was issued with it, and with that, and so on
      </label>
    </Confirm>
  )
}

const TokenRow = ({ token, onRevoke }: { token: Token; onRevoke: (() => void) | null }) => {
  const standing = standingOf(token)
  return (
    <tr>
      <th scope="row">
        {token.subject}
        {token.issuedBy && <span class="quiet">issued by {token.issuedBy}</span>}
      </th>
      <td>{token.roles.map(roleOf).join(", ")}</td>
      <td>{token.environment ?? "All"}</td>
      <td>
        <Time at={token.createdAt} />
      </td>
      <td>
        {token.lastUsedAt ? (
          <Time at={token.lastUsedAt} />
        ) : token.lastUsedAt === null ? (
          "Not remembered"
        ) : (
          <span class="quiet">Not counted</span>
        )}
      </td>
      <td>
        {standing === "active" ? (
          <Time at={token.expiresAt} />
        ) : (
          <span class={`badge status-${standing}`}>{standing}</span>
        )}
      </td>
      <td>
        {standing === "active" && onRevoke && (
          <button type="button" class="danger" onClick={onRevoke}>
            Revoke<span class="hidden"> the token of {token.subject}</span>
          </button>
        )}
      </td>
    </tr>
  )
}

const TokensShown = () => {
  const { client, tenant } = useConsole()
  const may = useMay()
  const [which, setWhich] = useState<"active" | "all">("active")
  const [isNew, setNew] = useState(false)
  const [chosen, setChosen] = useState<Token | null>(null)
  const path = `/api/v1/tenants/${pathPart(tenant)}/tokens`
  const key = `tokens ${tenant}`
  const live = useLive(key, (signal) => client.get<Page<Token>>(path, { limit: 200 }, signal))
  const read = useCallback(
    (cursor: string) => client.get<Page<Token>>(path, { limit: 200, cursor }),
    [client, path],
  )
  const { items, ...rest } = useMore(key, live.data, read)
  const shown = items.filter((token) => which === "all" || standingOf(token) === "active")
  const mayIssue = may(tenant === "~platform" ? "token.issue_platform" : "token.issue")
  return (
    <>
      <div class="toolbar">
        <Choice label="Tokens" value={which} options={WHICH} onChange={setWhich} />
        {mayIssue && (
          <button type="button" class="primary" onClick={() => setNew(true)}>
            New token
          </button>
        )}
      </div>
      <Loaded live={live} what="the tokens">
        {() => (
          <>
            {shown.length === 0 ? (
              <Empty title={`No token of ${withinOf(tenant)} is in use`}>
                <p>A token lets somebody in: a person with their roles, or an application that reads.</p>
              </Empty>
            ) : (
              <div class="table-frame">
                <table class="list">
                  <caption class="hidden">Tokens, oldest first</caption>
                  <thead>
                    <tr>
                      <th scope="col">Whose</th>
                      <th scope="col">Roles</th>
                      <th scope="col">Environment</th>
                      <th scope="col">Issued</th>
                      <th scope="col">Last used</th>
                      <th scope="col">Expires</th>
                      <th scope="col">
                        <span class="hidden">What can be done</span>
                      </th>
                    </tr>
                  </thead>
                  <tbody>
                    {shown.map((token) => (
                      <TokenRow
                        key={token.tokenId}
                        token={token}
                        onRevoke={may("token.revoke") ? () => setChosen(token) : null}
                      />
                    ))}
                  </tbody>
                </table>
              </div>
            )}
            <MoreButton {...rest} label="More tokens" />
          </>
        )}
      </Loaded>
      {isNew && <NewToken onClose={() => setNew(false)} onDone={() => void live.refresh()} />}
      {chosen && (
        <Revoke
          token={chosen}
          onClose={() => setChosen(null)}
          onDone={() => {
            setChosen(null)
            void live.refresh()
          }}
        />
      )}
    </>
  )
}

export const TokensPage = () => {
  const { who, tenant } = useConsole()
  const may = useMay()
  return (
    <>
      <div class="page-head">
        <h1>Tokens</h1>
      </div>
      <p class="lead">Who is let in to {withinOf(tenant)}, as what, and until when.</p>
      {!may("token.list") ? (
        <Empty title="Your roles do not look at tokens">
          <p>Tenant admins do. Yours: {who.roles.map(roleOf).join(", ")}.</p>
        </Empty>
      ) : tenant.startsWith("~tier.") ? (
        <Empty title="A tier has no tokens">
          <p>People are of a tenant, or of the platform.</p>
        </Empty>
      ) : (
        <TokensShown />
      )}
    </>
  )
}
