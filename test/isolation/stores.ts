import { type BlobStore, blobPrefix } from "../../functions/platform/blob-store.ts"

/** The Cache API of one data centre, which can be looked into. */
export const cacheStorage = () => {
  const kept = new Map<string, string>()
  const cache = {
    match: async (url: string) => {
      const text = kept.get(String(url))
      return text === undefined ? undefined : new Response(text)
    },
    put: async (url: string, response: Response) => {
      kept.set(String(url), await response.text())
    },
    delete: async (url: string) => kept.delete(String(url)),
  }
  return { kept, caches: { open: async () => cache } }
}

/** Workers KV. */
export const keyValues = () => {
  const kept = new Map<string, string>()
  const metadata = new Map<string, unknown>()
  return {
    kept,
    store: {
      get: async (key: string) => kept.get(key) ?? null,
      getWithMetadata: async (key: string) => ({ value: null, metadata: metadata.get(key) ?? null }),
      put: async (key: string, value: string, options: { metadata: unknown }) => {
        kept.set(key, value)
        metadata.set(key, options.metadata)
      },
      delete: async (key: string) => {
        kept.delete(key)
        metadata.delete(key)
      },
    },
  }
}

/** Where each name is written once. */
export const memoryBlobs = (): BlobStore & { kept: Map<string, string> } => {
  const kept = new Map<string, string>()
  return {
    kept,
    putOnce: async (name, bytes) => {
      if (kept.has(name)) return "there"
      kept.set(name, Buffer.from(bytes).toString("latin1"))
      return "written"
    },
    get: async (name) => (kept.has(name) ? Buffer.from(kept.get(name)!, "latin1") : null),
    size: async (name) => kept.get(name)?.length ?? null,
    list: async (folder, { after = "" } = {}) => {
      const names = [...kept.keys()].filter((name) => name.startsWith(blobPrefix(folder)) && name > after)
      return { names: names.sort(), after: null }
    },
    remove: async (name) => (kept.delete(name) ? "removed" : "absent"),
  }
}
