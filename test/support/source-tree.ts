import { globSync, readFileSync } from "node:fs"
import { dirname, join, normalize, relative, resolve } from "node:path"
import { parseAst } from "vitest/node"

/** The repository's own folder. */
export const ROOT = resolve(import.meta.dirname, "../..")

/** What one module says it needs, read from its syntax tree. */
export interface ModuleFacts {
  /** From the repository's folder, with forward slashes. */
  path: string
  /** Every import and re-export, types and dynamic ones included. Own modules are paths, the rest is as written. */
  imports: { target: string; typeOnly: boolean; line: number }[]
  /** Names used but never declared in the module, such as `fetch`, and members of them, such as `Date.now`. */
  ambient: { name: string; line: number }[]
}

interface SyntaxNode {
  type: string
  start: number
  [property: string]: unknown
}

const isNode = (value: unknown): value is SyntaxNode =>
  typeof value === "object" && value !== null && "type" in value && typeof value.type === "string"

const walk = (
  node: SyntaxNode,
  parent: SyntaxNode | null,
  visit: (node: SyntaxNode, parent: SyntaxNode | null) => void,
) => {
  visit(node, parent)
  for (const value of Object.values(node))
    for (const child of Array.isArray(value) ? value : [value]) if (isNode(child)) walk(child, node, visit)
}

const nameOf = (node: unknown): string => (isNode(node) ? String(node.name ?? "") : "")

/** A name after a dot, or before a colon, refers to nothing outside. */
const isLabel = (node: SyntaxNode, parent: SyntaxNode | null): boolean =>
  parent !== null &&
  !parent.computed &&
  (parent.property === node || (parent.key === node && !parent.shorthand))

const DECLARERS = new Set([
  "VariableDeclarator",
  "FunctionDeclaration",
  "ArrowFunctionExpression",
  "FunctionExpression",
])
const isDeclared = (node: SyntaxNode, parent: SyntaxNode | null): boolean =>
  parent !== null &&
  (/^Import.*Specifier$/.test(parent.type) ||
    (DECLARERS.has(parent.type) &&
      (parent.id === node || (Array.isArray(parent.params) && parent.params.includes(node)))))

const importOf = (node: SyntaxNode): { source: SyntaxNode; typeOnly: boolean } | null => {
  const source = node.source
  if (!isNode(source)) return null
  const typeOnly = node.importKind === "type" || node.exportKind === "type" || node.type === "TSImportType"
  return { source, typeOnly }
}

/** `Date.now`, `new Date()`, `Date()`, or the plain name. */
const useOf = (node: SyntaxNode, parent: SyntaxNode | null): string => {
  const name = nameOf(node)
  if (parent?.type === "MemberExpression" && parent.object === node)
    return `${name}.${nameOf(parent.property)}`
  if (parent?.type === "NewExpression" && (parent.arguments as unknown[]).length === 0) return `new ${name}()`
  return name
}

/** Parses one TypeScript module. `path` places its relative imports. */
export const readModule = (path: string, text: string): ModuleFacts => {
  const lineOf = (offset: number) => text.slice(0, offset).split("\n").length
  const facts: ModuleFacts = { path, imports: [], ambient: [] }
  const declared = new Set<string>()
  const used: ModuleFacts["ambient"] = []
  const tree = parseAst(text, { lang: path.endsWith(".tsx") ? "tsx" : "ts" })
  walk(tree as unknown as SyntaxNode, null, (node, parent) => {
    const found = importOf(node)
    if (found) {
      const specifier = String(found.source.value)
      const target = specifier.startsWith(".")
        ? normalize(join(dirname(path), specifier)).replaceAll("\\", "/")
        : specifier
      facts.imports.push({ target, typeOnly: found.typeOnly, line: lineOf(node.start) })
    }
    if (node.type !== "Identifier" || isLabel(node, parent)) return
    if (isDeclared(node, parent)) declared.add(nameOf(node))
    else if (!parent?.type.startsWith("TS"))
      used.push({ name: useOf(node, parent), line: lineOf(node.start) })
  })
  facts.ambient = used.filter((use) => !declared.has(use.name.replace(/^new /, "").split(/[.(]/)[0] ?? ""))
  return facts
}

/** Every TypeScript module under the folders, parsed. */
export const readModules = (folders: readonly string[]): ModuleFacts[] =>
  folders
    .flatMap((folder) => globSync(join(ROOT, folder, "**/*.{ts,tsx}"), { exclude: ["**/node_modules/**"] }))
    .map((file) => relative(ROOT, file).replaceAll("\\", "/"))
    .sort()
    .map((path) => readModule(path, readFileSync(join(ROOT, path), "utf8")))

/** The module and everything it imports for its values, all the way down. */
export const reachableFrom = (entry: string, modules: readonly ModuleFacts[]): ModuleFacts[] => {
  const byPath = new Map(modules.map((module) => [module.path, module]))
  const reached = new Map<string, ModuleFacts>()
  const visit = (path: string) => {
    const module = byPath.get(path)
    if (!module || reached.has(path)) return
    reached.set(path, module)
    for (const { target, typeOnly } of module.imports) if (!typeOnly) visit(target)
  }
  visit(entry)
  return [...reached.values()]
}
