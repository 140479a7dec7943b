import { mkdir, writeFile } from "node:fs/promises"
import { dirname, join } from "node:path"
import { files } from "./files.ts"

// `npm run dashboards`
for (const [path, text] of files()) {
  const file = join(import.meta.dirname, path)
  await mkdir(dirname(file), { recursive: true })
  await writeFile(file, text)
}
