/** Of the DOM's `document`, what is used. */
interface PageDocument {
  visibilityState: string
  addEventListener(type: "visibilitychange", listener: () => void): void
  removeEventListener(type: "visibilitychange", listener: () => void): void
}

/** Whether somebody sees the page that this runs in; outside of pages, always. */
export class Page {
  readonly #document = (globalThis as { document?: PageDocument }).document

  get isHidden(): boolean {
    return this.#document?.visibilityState === "hidden"
  }

  /** Calls back whenever it is shown or hidden, until what is returned is called. */
  onTurned(listener: () => void): () => void {
    this.#document?.addEventListener("visibilitychange", listener)
    return () => this.#document?.removeEventListener("visibilitychange", listener)
  }
}
