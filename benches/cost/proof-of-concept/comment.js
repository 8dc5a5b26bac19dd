await github.rest.issues.createComment({
  ...context.repo,
  issue_number: Number(process.env.TICKET),
  body: process.env.MESSAGE
})
