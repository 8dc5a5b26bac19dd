// The work of actions/github-script for a step: the same libraries in the same versions, bundled with the
// same tool, and the script as the body of an async function. No package registry has the action, so this
// is its main.ts without the parts that the scripts here do not use: exec, glob, io, require, and the
// inputs that have defaults. https://github.com/actions/github-script/blob/v8/src/main.ts
const core = require('@actions/core')
const {context, getOctokit} = require('@actions/github')
const {requestLog} = require('@octokit/plugin-request-log')
const {retry} = require('@octokit/plugin-retry')

const AsyncFunction = Object.getPrototypeOf(async () => {}).constructor

async function main() {
  const options = {retry: {enabled: false}}
  const github = getOctokit(core.getInput('github-token', {required: true}), options, retry, requestLog)
  const script = new AsyncFunction('github', 'context', 'core', core.getInput('script', {required: true}))
  core.setOutput('result', JSON.stringify(await script(github, context, core)))
}

main().catch(error => core.setFailed(`Unhandled error: ${error}`))
