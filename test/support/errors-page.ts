import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { PROBLEM_HELP } from "../../core/error-help.ts"
import { PROBLEMS, type ProblemCode } from "../../core/errors.ts"

const PAGE = join(import.meta.dirname, "../../docs/errors.md")

const rowOf = (code: ProblemCode): string => {
  const { status, title } = PROBLEMS[code]
  return `| <a id="${code}"></a>\`${code}\` | ${status} | ${cell(title)} | ${cell(PROBLEM_HELP[code])} |`
}

const cell = (text: string): string => text.replaceAll("|", "\\|")

/** `docs/errors.md` as the registry of problems would have it. */
export const errorsPage = (): string => `# Errors

<!-- Written by \`npm run docs:errors\` from core/errors.ts and core/error-help.ts: change it there. -->

Whatever is refused is answered with \`application/problem+json\` ([RFC 9457](https://www.rfc-editor.org/rfc/rfc9457)),
and changes nothing:

\`\`\`json
{
  "type": "/docs/errors#VERSION_STALE",
  "title": "The config has changed since you read it",
  "status": 412,
  "detail": "acme-corp:Staging:feature.new_dashboard is at version 4; If-Match names 3",
  "code": "VERSION_STALE",
  "instance": "f6a26e0d-0922-40bb-9af6-bf2811456786"
}
\`\`\`

\`code\` is stable and meant for programs. \`detail\` says what exactly was wrong this time and is meant for people.
\`errors\`, where there is one, lists \`{path, message}\` for each field, parameter or key. \`instance\` names this one
answer; it stands in the log as well.

| code | status | what it means | what to do |
|---|---|---|---|
${(Object.keys(PROBLEMS) as ProblemCode[]).map(rowOf).join("\n")}
`

if (import.meta.main) writeFileSync(PAGE, errorsPage())
