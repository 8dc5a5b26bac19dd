const run = `${context.serverUrl}/${context.repo.owner}/${context.repo.repo}/actions/runs/${context.runId}`
const {data: ticket} = await github.rest.issues.create({
  ...context.repo,
  title: `Release for ${process.env.TARGET}`,
  body: `Release driver: @${context.actor}\nTarget: ${process.env.TARGET}\nPipeline: ${run}`,
  labels: ['release'],
  assignees: [context.actor]
})
core.setOutput('ticket', ticket.number)
