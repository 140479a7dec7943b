/** A public key of Ed25519 or X25519: 32 bytes, base64url. */
export const PUBLIC_KEY = /^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$/
export const isPublicKey = (text: string): boolean => PUBLIC_KEY.test(text)
