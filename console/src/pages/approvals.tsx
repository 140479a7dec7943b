import { useConsole, useMay } from "../console.tsx"
import { useApprovals } from "../parts/approvals.ts"
import { Empty, Loaded } from "../parts/loaded.tsx"
import { ChangeList } from "./changes.tsx"

export const ApprovalsPage = () => {
  const { who } = useConsole()
  const may = useMay()
  const live = useApprovals()
  return (
    <>
      <div class="page-head">
        <h1>Approvals</h1>
      </div>
      <p class="lead">Changes of which you, {who.subject}, may give the next approval.</p>
      {may("change.approve") ? (
        <Loaded live={live} what="what waits for you">
          {({ items }) =>
            items.length === 0 ? (
              <Empty title="Nothing waits for you">
                <p>
                  A change is listed here when its next approval is one that you may give. Your own changes
                  never are: somebody else has to agree to them.
                </p>
              </Empty>
            ) : (
              <ChangeList changes={items} />
            )
          }
        </Loaded>
      ) : (
        <Empty title="Your roles approve nothing">
          <p>
            Engineers, managers and compliance officers do. Yours: {who.roles.join(", ").replaceAll("_", " ")}
            .
          </p>
        </Empty>
      )}
    </>
  )
}
