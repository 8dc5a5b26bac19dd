await github.rest.actions.createWorkflowDispatch({
  owner: context.repo.owner,
  repo: process.env.REPORT_TO,
  workflow_id: 'update_release_ticket.yml',
  ref: 'main',
  inputs: {
    ticketNumber: process.env.TICKET,
    message: process.env.MESSAGE
  }
})
