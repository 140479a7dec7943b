import type { ScopeId } from "../ids.ts"

/** Whose a data key is, what it seals, and which of its kind it is. */
export interface KeyName {
  scope: ScopeId
  /** An environment, `~channels`, `~backups`, or `~deployments`. */
  realm: string
  /** From 1; rises with every rotation. */
  generation: number
}

/** Where a sealed value belongs. It opens nowhere else. */
export interface Place {
  scope: ScopeId
  realm: string
  /** A config's key, a channel's id, or the part of a deployment. */
  name: string
  version: number
}

/** What seals notification channels' parts, as environments seal their configs. */
export const CHANNELS = "~channels"
/** What seals the credentials of a tenant's deployments; their values are kept as those of an environment are. */
export const DEPLOYMENTS = "~deployments"
/** What seals a scope's archives. */
export const BACKUPS = "~backups"

const encoder = new TextEncoder()

/**
 * The parts as bytes from which they can be told apart again: each behind its length in four bytes. No two lists of
 * parts come to the same bytes, whatever characters they hold.
 */
export const framed = (...parts: readonly (string | number)[]): Uint8Array => {
  const texts = parts.map((part) => encoder.encode(String(part)))
  const bytes = new Uint8Array(texts.reduce((sum, { length }) => sum + 4 + length, 0))
  const view = new DataView(bytes.buffer)
  let at = 0
  for (const text of texts) {
    view.setUint32(at, text.length)
    bytes.set(text, at + 4)
    at += 4 + text.length
  }
  return bytes
}

/** Additional data of a sealed value. */
export const placeBytes = ({ scope, realm, name, version }: Place): Uint8Array =>
  framed("hotswap secret 1", scope, realm, name, version)

/** Additional data of a wrapped data key. */
export const keyNameBytes = ({ scope, realm, generation }: KeyName): Uint8Array =>
  framed("hotswap data key 1", scope, realm, generation)
