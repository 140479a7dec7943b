/** Rounds after which an execution ends: one may hold 25,000 events, and a round takes fourteen. */
const ROUNDS_MAX = 1_000
/** The function's own limit and what it takes to hear of it. */
const TASK_SECONDS = 65

/** Some minutes for what paces, longer for what rolls back. */
const ATTEMPTS_MAX = 10
const ROLL_BACK_ATTEMPTS_MAX = 100

/** A function that fails, or is not there, is tried again, and never by all executions at the same moment. */
const retry = (attemptsMax: number) => [
  // Never better the next time.
  { ErrorEquals: ["TaskInvalid"], MaxAttempts: 0 },
  {
    ErrorEquals: ["States.ALL"],
    IntervalSeconds: 1,
    BackoffRate: 2,
    MaxDelaySeconds: 60,
    MaxAttempts: attemptsMax,
    JitterStrategy: "FULL",
  },
]

const ROLL_BACK = { ErrorEquals: ["States.ALL"], ResultPath: "$.failure", Next: "RollBack" }

/** What the function says stays where it was found: what it is sent has the same shape as what it said. */
const SEEN = { "Payload.$": "$.Payload" }

/** The path of the timeout leads to the same number whether it is followed in the state's input or in what is sent. */
const WAIT = {
  task: "wait",
  "taskToken.$": "$$.Task.Token",
  "waitSeconds.$": "$.Payload.waitSeconds",
}

/** The function that every task asks. */
export interface Asked {
  functionArn: string
  partition: string
}

/**
 * How one change is paced, in the Amazon States Language (https://states-language.net, JSONPath). It only carries
 * messages: `functions/advance` says what the change waits for, and the database lets everything happen once. So an
 * execution that runs twice, late or never does no harm.
 */
export const rolloutDefinition = (advance: Asked): Record<string, unknown> => ({
  Comment: "Paces one change until it has ended.",
  StartAt: "Begin",
  States: {
    Begin: {
      Type: "Pass",
      Parameters: { Payload: { "changeId.$": "$.changeId", round: 0 } },
      Next: "Look",
    },
    Look: {
      ...ask(advance, { task: "look", "round.$": "$.Payload.round" }),
      ResultSelector: SEEN,
      Catch: [ROLL_BACK],
      Next: "WhatNext",
    },
    WhatNext: {
      Type: "Choice",
      Choices: [
        { Variable: "$.Payload.awaits", StringEquals: "nothing", Next: "Done" },
        { Variable: "$.Payload.round", NumericGreaterThanEquals: ROUNDS_MAX, Next: "LeftToTheSweeper" },
        { Variable: "$.Payload.awaits", StringEquals: "somebody", Next: "WaitForSomebody" },
      ],
      Default: "WaitUntilDue",
    },
    WaitUntilDue: {
      Type: "Wait",
      TimestampPath: "$.Payload.wakeAt",
      Next: "Advance",
    },
    // An approval, a resumption, the end of another rollout: whoever commits it hands the token back.
    WaitForSomebody: {
      ...ask(advance, WAIT, ".waitForTaskToken"),
      TimeoutSecondsPath: "$.Payload.waitSeconds",
      ResultPath: null,
      // A wait that is over is not a failure: the change may have expired.
      Retry: [{ ErrorEquals: ["States.Timeout"], MaxAttempts: 0 }, ...retry(ATTEMPTS_MAX)],
      Catch: [{ ErrorEquals: ["States.Timeout"], ResultPath: "$.timeout", Next: "Advance" }, ROLL_BACK],
      Next: "Look",
    },
    // Names the step that was seen, so that two who come for it do not take two.
    Advance: {
      ...ask(advance, { task: "advance", "round.$": "$.Payload.round", "step.$": "$.Payload.step" }),
      ResultSelector: SEEN,
      Catch: [ROLL_BACK],
      Next: "WhatNext",
    },
    // What nobody watches any more is not left rolling out. What has not begun stays as it is.
    RollBack: {
      ...ask(advance, { task: "abort", reason: "timed_out" }),
      ResultPath: null,
      Retry: retry(ROLL_BACK_ATTEMPTS_MAX),
      Catch: [{ ErrorEquals: ["States.ALL"], ResultPath: "$.rollBackFailure", Next: "Failed" }],
      Next: "Failed",
    },
    Failed: { Type: "Fail", ErrorPath: "$.failure.Error", CausePath: "$.failure.Cause" },
    LeftToTheSweeper: { Type: "Succeed" },
    Done: { Type: "Succeed" },
  },
})

const ask = ({ functionArn, partition }: Asked, payload: Record<string, unknown>, pattern = "") => ({
  Type: "Task",
  Resource: `arn:${partition}:states:::lambda:invoke${pattern}`,
  Parameters: { FunctionName: functionArn, Payload: { "changeId.$": "$.Payload.changeId", ...payload } },
  ...(pattern === "" ? { TimeoutSeconds: TASK_SECONDS, Retry: retry(ATTEMPTS_MAX) } : {}),
})
