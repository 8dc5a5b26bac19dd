await github.rest.actions.createWorkflowDispatch({
  owner: context.repo.owner,
  repo: process.env.TARGET,
  workflow_id: 'main.yml',
  ref: 'main',
  inputs: {
    reportTo: context.repo.repo,
    releaseTicketNumber: process.env.TICKET,
    draftRelease: 'true'
  }
})
