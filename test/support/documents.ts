import { existsSync, globSync, readFileSync } from "node:fs"
import { dirname, join, normalize } from "node:path"
import { ROOT } from "./source-tree.ts"

/** A Markdown file of the repository, taken apart. */
export interface Document {
  path: string
  text: string
  /** Targets as written, those of images included; code is not searched. */
  links: string[]
  /** What is inside fences, with the language named after them. */
  blocks: { language: string; code: string }[]
  /** What is inside single backticks. */
  spans: string[]
  /** What a link's fragment may name: headings as GitHub slugs them, and ids given by hand. */
  anchors: Set<string>
}

const FENCE = /^(`{3,})(\S*)\n([\s\S]*?)^\1\s*$/gm
const SPAN = /`([^`\n]+)`/g
const LINK = /\[[^\]]*\]\(([^)\s]+)\)/g
const HEADING = /^#{1,6} (.+)$/gm
const ID = /\bid="([^"]+)"/g

const slugOf = (heading: string): string =>
  heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N} _-]/gu, "")
    .replaceAll(" ", "-")

const all = (pattern: RegExp, text: string): string[] =>
  [...text.matchAll(pattern)].map((match) => match[1] ?? "")

export const parseDocument = (path: string, text: string): Document => {
  const blocks = [...text.matchAll(FENCE)].map((match) => ({
    language: match[2] ?? "",
    code: match[3] ?? "",
  }))
  const prose = text.replaceAll(FENCE, "")
  return {
    path,
    text,
    links: all(LINK, prose.replaceAll(SPAN, "")),
    blocks,
    spans: all(SPAN, prose),
    anchors: new Set([...all(HEADING, prose).map(slugOf), ...all(ID, prose)]),
  }
}

/** The README and everything under `docs/`. */
export const readDocuments = (): Document[] =>
  ["README.md", ...globSync("docs/**/*.md", { cwd: ROOT })]
    .map((path) => path.replaceAll("\\", "/"))
    .sort()
    .map((path) => parseDocument(path, readFileSync(join(ROOT, path), "utf8")))

/** The links that lead nowhere: to a file that is not there, or to an anchor that the file does not have. */
export const brokenLinks = (document: Document, documents: readonly Document[]): string[] =>
  document.links
    .filter((link) => !/^[a-z]+:/.test(link))
    .filter((link) => {
      const [target = "", fragment] = link.split("#")
      const path = target === "" ? document.path : normalize(join(dirname(document.path), target))
      if (!existsSync(join(ROOT, path))) return true
      if (fragment === undefined) return false
      return !documents.find((other) => other.path === path)?.anchors.has(fragment)
    })
