import { expect, test } from "vitest"
import { readTraceSettings } from "../../../core/trace/settings.ts"

const HERE = "http://127.0.0.1:4318"
const read = (variables: Record<string, string>) => {
  const lines: string[] = []
  return { settings: readTraceSettings(variables, (line) => lines.push(line)), lines }
}

test.each([
  ["nobody is named", {}],
  ["the SDK is disabled", { OTEL_EXPORTER_OTLP_ENDPOINT: HERE, OTEL_SDK_DISABLED: "TRUE" }],
  ["traces are exported nowhere", { OTEL_EXPORTER_OTLP_ENDPOINT: HERE, OTEL_TRACES_EXPORTER: "none" }],
])("where %s nothing is traced, and that is no mistake", (_, variables) => {
  expect(read(variables)).toEqual({ settings: null, lines: [] })
})

test("an endpoint alone is enough", () => {
  expect(read({ OTEL_EXPORTER_OTLP_ENDPOINT: `${HERE}/` })).toEqual({
    settings: {
      url: `${HERE}/v1/traces`,
      headers: {},
      timeoutMs: 2_000,
      sampler: { asParent: true, ratio: 1 },
      resource: {},
    },
    lines: [],
  })
})

test("all that OpenTelemetry's variables say is taken, what they say of traces alone first", () => {
  const { settings, lines } = read({
    OTEL_EXPORTER_OTLP_ENDPOINT: HERE,
    OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: "https://otlp.example.com/in/as-it-is",
    OTEL_EXPORTER_OTLP_PROTOCOL: "http/json",
    OTEL_EXPORTER_OTLP_HEADERS: "authorization=Basic%20abc%3D%3D, x-team = a ",
    OTEL_EXPORTER_OTLP_TIMEOUT: "500",
    OTEL_TRACES_SAMPLER: "traceidratio",
    OTEL_TRACES_SAMPLER_ARG: "0.25",
    OTEL_SERVICE_NAME: "config",
    OTEL_RESOURCE_ATTRIBUTES: "deployment.environment.name=prod,service.name=other",
  })
  expect(lines).toEqual([])
  expect(settings).toEqual({
    url: "https://otlp.example.com/in/as-it-is",
    headers: { authorization: "Basic abc==", "x-team": "a" },
    timeoutMs: 500,
    sampler: { asParent: false, ratio: 0.25 },
    resource: { "deployment.environment.name": "prod", "service.name": "config" },
  })
})

test.each([
  ["OTEL_EXPORTER_OTLP_ENDPOINT", "localhost:4318"],
  ["OTEL_EXPORTER_OTLP_ENDPOINT", "https://user:word@otlp.example.com"],
  ["OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"],
  ["OTEL_EXPORTER_OTLP_HEADERS", "just-a-key"],
  ["OTEL_EXPORTER_OTLP_HEADERS", "x-key=two%0d%0alines"],
  ["OTEL_EXPORTER_OTLP_HEADERS", "x-key=%zz"],
  ["OTEL_EXPORTER_OTLP_TIMEOUT", "2s"],
  ["OTEL_EXPORTER_OTLP_TIMEOUT", "70000"],
  ["OTEL_TRACES_SAMPLER", "sometimes"],
  ["OTEL_TRACES_SAMPLER_ARG", "10%"],
  ["OTEL_TRACES_SAMPLER_ARG", "1.5"],
  ["OTEL_RESOURCE_ATTRIBUTES", "a b=c"],
])("%s=%s is told by name, without its value, and nothing is traced", (name, value) => {
  const others = { OTEL_EXPORTER_OTLP_ENDPOINT: HERE, OTEL_TRACES_SAMPLER: "traceidratio" }
  const { settings, lines } = read({ ...others, [name]: value })
  expect(settings).toBeNull()
  expect(lines).toEqual([expect.stringMatching(`^${name} (is|would) `)])
  expect(lines[0]).not.toContain(value)
})

test("of several that are wrong each is told", () => {
  const { lines } = read({ OTEL_EXPORTER_OTLP_ENDPOINT: "somewhere", OTEL_TRACES_SAMPLER: "sometimes" })
  expect(lines).toEqual([
    "OTEL_EXPORTER_OTLP_ENDPOINT is not a URL like https://host:4318",
    expect.stringMatching("^OTEL_TRACES_SAMPLER is not one of "),
  ])
})

test("what opens the receiver is sent over https, or not off this machine", () => {
  const headers = { OTEL_EXPORTER_OTLP_HEADERS: "x-key=secret" }
  expect(read({ ...headers, OTEL_EXPORTER_OTLP_ENDPOINT: HERE }).settings).not.toBeNull()
  expect(
    read({ ...headers, OTEL_EXPORTER_OTLP_ENDPOINT: "https://otlp.example.com" }).settings,
  ).not.toBeNull()
  expect(read({ ...headers, OTEL_EXPORTER_OTLP_ENDPOINT: "http://otlp.example.com" })).toEqual({
    settings: null,
    lines: ["OTEL_EXPORTER_OTLP_HEADERS would be sent to an endpoint that is not https"],
  })
})
