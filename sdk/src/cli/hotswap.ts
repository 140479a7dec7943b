#!/usr/bin/env node
import { runCli } from "./run.ts"

process.exitCode = await runCli(process.argv.slice(2), process.env, {
  out: (text) => void process.stdout.write(text),
  note: (text) => void process.stderr.write(text),
  isWatched: process.stderr.isTTY === true,
})
