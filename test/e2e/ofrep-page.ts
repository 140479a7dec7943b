import { OFREPWebProvider } from "@openfeature/ofrep-web-provider"
import { type EvaluationDetails, OpenFeature, type Provider, ProviderEvents } from "@openfeature/web-sdk"

/** What a test may have the page do. */
export interface OnPage {
  start(baseUrl: string, token: string, context: Subject): Promise<void>
  become(context: Subject): Promise<void>
  refresh(): void
  greeting(): EvaluationDetails<string>
  newUi(): EvaluationDetails<boolean>
  wrong(): EvaluationDetails<number>
  unknown(): EvaluationDetails<string>
  changed(): string[][]
}

export interface Subject {
  targetingKey: string
  beta: boolean
}

const client = OpenFeature.getClient()
const changed: string[][] = []
client.addHandler(ProviderEvents.ConfigurationChanged, (event) => changed.push(event?.flagsChanged ?? []))

const onPage: OnPage = {
  start: async (baseUrl, token, context) => {
    await OpenFeature.setContext({ ...context })
    const provider = new OFREPWebProvider({ baseUrl, headers: [["Authorization", `Bearer ${token}`]] })
    // Its types are for projects that take a missing member for one that is undefined.
    await OpenFeature.setProviderAndWait(provider as Provider)
  },
  become: (context) => OpenFeature.setContext({ ...context }),
  refresh: () => {
    const { document } = globalThis as never as { document: EventTarget }
    document.dispatchEvent(new Event("visibilitychange"))
  },
  greeting: () => client.getStringDetails("greeting", "?"),
  newUi: () => client.getBooleanDetails("new-ui", false),
  wrong: () => client.getNumberDetails("greeting", 7),
  unknown: () => client.getStringDetails("unknown", "mine"),
  changed: () => changed,
}
Object.assign(globalThis, onPage)
