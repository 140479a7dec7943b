import { useState } from "preact/hooks"
import { useConsole } from "../console.tsx"
import type { EditBody } from "../shapes.ts"
import { ConfigForm } from "./config-form.tsx"
import { Dialog } from "./dialog.tsx"
import { Review } from "./review.tsx"

export const NewConfig = ({ onClose, onDone }: { onClose: () => void; onDone: () => void }) => {
  const { environment } = useConsole()
  const [edit, setEdit] = useState<EditBody | null>(null)
  return edit === null ? (
    <Dialog title={`New config in ${environment}`} onClose={onClose}>
      <ConfigForm config={null} verb="Review" onEdit={setEdit} onCancel={onClose} />
    </Dialog>
  ) : (
    <Review
      title={`New config ${edit.key}`}
      environment={environment}
      wanted={{ edits: [edit] }}
      onClose={onClose}
      onReload={onClose}
      onDone={onDone}
    />
  )
}
