import type { Route } from "../../functions/http/route.ts"
import { BODIES, type BodyFill } from "./bodies.ts"
import {
  type Fill,
  HEADERS,
  PATH_PARAMETERS,
  QUERY_PARAMETERS,
  queryFills,
  TENANT_HEADERS,
  UNASKED_HEADERS,
} from "./cases.ts"
import type { Names } from "./names.ts"
import type { Sent } from "./worker.ts"

/** A route as the reference describes it: what can be put where. */
export interface Operation {
  id: string
  method: string
  path: string
  query: readonly { name: string; required: boolean }[]
  headers: readonly string[]
  hasBody: boolean
  /** Also answered at an address besides the Worker's. */
  alsoAtOrigin: boolean
}

interface Described {
  operationId: string
  parameters?: { in: string; name: string; required?: boolean }[]
  requestBody?: unknown
}

/** Between the Worker and the read function, and in no reference. */
const INTERNAL = ["pointer/{tenantId}/{environment}", "view/{tenantId}/{environment}/1"].map(
  (rest): Operation => ({
    id: `internal ${rest.split("/")[0]}`,
    method: "GET",
    path: `/internal/${rest}`,
    query: [],
    headers: [],
    hasBody: false,
    alsoAtOrigin: true,
  }),
)

/** Every operation of the reference, and those that are in none. */
export const operationsOf = (document: { paths: Record<string, Record<string, unknown>> }): Operation[] => {
  const described = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods as Record<string, Described>).map(([method, operation]): Operation => {
      const { operationId, parameters = [] } = operation
      return {
        id: operationId,
        method: method.toUpperCase(),
        path,
        query: parameters
          .filter((one) => one.in === "query")
          .map(({ name, required = false }) => ({ name, required })),
        headers: parameters.filter((one) => one.in === "header").map(({ name }) => name.toLowerCase()),
        hasBody: operation.requestBody !== undefined || operationId === "reportOutcomes",
        alsoAtOrigin: ["readTenantConfigs", "ofrepEvaluateFlags", "ofrepEvaluateFlag"].includes(operationId),
      }
    }),
  )
  return [...described, ...INTERNAL]
}

const parametersOf = (path: string): string[] => [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name!)

/** What an operation has that no case says how to fill. A new route stands here until somebody has thought about it. */
export const withoutCase = (operations: readonly Operation[], routes: readonly Route[]): string[] => {
  const known = new Set(operations.map(({ method, path }) => `${method} ${path}`))
  return [
    ...routes
      .map(({ method, path }) => `${method.toUpperCase()} ${path}`)
      .filter((route) => !known.has(route))
      .map((route) => `${route} is in no reference`),
    ...operations.flatMap(({ id, path, query, headers, hasBody }) => [
      ...parametersOf(path)
        .filter((name) => !Object.hasOwn(PATH_PARAMETERS, name))
        .map((name) => `${id}: path ${name}`),
      ...query
        .filter(({ name }) => !Object.hasOwn(QUERY_PARAMETERS, name))
        .map(({ name }) => `${id}: query ${name}`),
      ...headers
        .filter((name) => name !== "x-tenant-id" && !Object.hasOwn(HEADERS, name))
        .map((name) => `${id}: header ${name}`),
      ...(hasBody && !Object.hasOwn(BODIES, id) ? [`${id}: body`] : []),
    ]),
  ]
}

/** A request that waits for names. */
export interface Recipe {
  operation: Operation
  door: Sent["door"]
  sent(others: Names, own: Names, token: string | null, serial: number): Sent
}

const product = <T>(lists: readonly (readonly T[])[]): T[][] =>
  lists.reduce<T[][]>((rows, list) => rows.flatMap((row) => list.map((item) => [...row, item])), [[]])

type PathFill = Fill | { raw: Fill }

const pathWith = (path: string, fills: readonly PathFill[], others: Names, own: Names): string => {
  let nth = 0
  return path.replaceAll(/\{\w+\}/g, () => {
    const fill = fills[nth++]!
    return typeof fill === "function" ? encodeURIComponent(fill(others, own)) : fill.raw(others, own)
  })
}

interface Extra {
  /** In place of the operation's own. */
  method: string | null
  query: readonly [string, Fill][]
  headers: readonly [string, Fill][]
}
const NO_EXTRA: Extra = { method: null, query: [], headers: [] }

const withQuery = (...query: [string, Fill][]): Extra => ({ ...NO_EXTRA, query })

const ownSlug: Fill = (_, own) => own.slug
const otherSlug: Fill = ({ slug }) => slug

/** Each further place by itself: a query parameter that may be left out, a header, one that nothing asks for, HEAD for GET. */
const extrasOf = ({ id, method, query, headers }: Operation): Extra[] => {
  const queries = query
    .filter(({ required }) => !required)
    .flatMap(({ name }) => queryFills(id, name, false).map((fill) => withQuery([name, fill])))
  const named = headers
    .filter((name) => name !== "x-tenant-id")
    .concat(id === "readTenantConfigs" ? ["if-none-match", "hotswap-at-least"] : [])
    .flatMap((name) => (HEADERS[name] ?? []).map((fill): Extra => ({ ...NO_EXTRA, headers: [[name, fill]] })))
  const twice = query.some(({ name }) => name === "tenantId")
    ? [withQuery(["tenantId", ownSlug]), withQuery(["tenantId", otherSlug])]
    : [withQuery(["tenantId", otherSlug])]
  const unasked: Extra = { ...NO_EXTRA, headers: Object.entries(UNASKED_HEADERS) }
  const head = method === "GET" ? [{ ...NO_EXTRA, method: "HEAD" }] : []
  return [NO_EXTRA, ...queries, ...named, ...twice, unasked, ...head]
}

/** Every request to one operation: each way to name what it is about × what X-Tenant-ID says × each further place × each body. */
export const recipesOf = (operation: Operation): Recipe[] => {
  const { id, path, query, hasBody, alsoAtOrigin } = operation
  const targets = product<PathFill>(parametersOf(path).map((name) => PATH_PARAMETERS[name] ?? []))
  const required = product<readonly [string, Fill]>(
    query
      .filter(({ required }) => required)
      .map(({ name }) => queryFills(id, name, true).map((fill) => [name, fill] as const)),
  )
  const bodies: readonly (BodyFill | null)[] = hasBody ? (BODIES[id] ?? []) : [null]
  const doors: Sent["door"][] = alsoAtOrigin ? ["worker", "origin"] : ["worker"]
  const recipes: Recipe[] = []
  for (const target of targets)
    for (const asked of required)
      for (const tenantHeader of TENANT_HEADERS)
        for (const extra of extrasOf(operation))
          for (const body of bodies)
            for (const door of doors)
              recipes.push({
                operation,
                door,
                sent: (others, own, token, serial) => {
                  const parameters = [...asked, ...extra.query].map(
                    ([name, fill]) => `${name}=${encodeURIComponent(fill(others, own))}`,
                  )
                  const headers: Record<string, string> = {}
                  if (token !== null) headers.authorization = `Bearer ${token}`
                  if (tenantHeader !== null) headers["x-tenant-id"] = tenantHeader(others, own)
                  for (const [name, fill] of extra.headers) headers[name] = fill(others, own)
                  return {
                    method: extra.method ?? operation.method,
                    path:
                      pathWith(path, target, others, own) +
                      (parameters.length > 0 ? `?${parameters.join("&")}` : ""),
                    headers,
                    body: body === null ? null : JSON.stringify(body(others, own, serial)),
                    door,
                  }
                },
              })
  return recipes
}

/** Where two requests differ that are the same but for the names in them. */
export const placesIn = (one: Sent, other: Sent): string[] => {
  const parts = ({ path }: Sent) => path.split("?")
  const parameters = (sent: Sent) => (parts(sent)[1] ?? "").split("&")
  return [
    ...(parts(one)[0] === parts(other)[0] ? [] : ["path"]),
    ...parameters(one)
      .filter((text, nth) => text !== parameters(other)[nth])
      .map((text) => `query ${text.split("=")[0]}`),
    ...Object.keys(one.headers)
      .filter((name) => one.headers[name] !== other.headers[name])
      .map((name) =>
        Object.hasOwn(UNASKED_HEADERS, name) ? "headers that nothing asks for" : `header ${name}`,
      )
      .filter((name, nth, all) => all.indexOf(name) === nth),
    ...(one.body === other.body ? [] : ["body"]),
  ]
}
