//! A permission that a token lacks, and where people grant it.

use crate::names::RepoName;

/// A permission that a token lacks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lack {
    /// Where it is lacking.
    pub repository: RepoName,
    /// The permission as people grant it, `issues: write` in a code span.
    pub permissions: String,
    /// What the permission is granted to.
    pub grantee: Grantee,
}

/// What is granted permissions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Grantee {
    /// A token that the step was given.
    Token,
    /// The account of a token that the step was given: a token may do no more than its account.
    Account,
    /// A GitHub App, by its id.
    App(String),
    /// The jobs that a trust policy trusts, by the file of the policy.
    Policy(String),
}

impl Lack {
    /// Where to grant the permission, in the imperative.
    pub(in crate::github) fn remedy(&self) -> String {
        let Self { repository, permissions, grantee } = self;
        match grantee {
            Grantee::Token => format!("grant the token {permissions} on {repository}"),
            Grantee::Account => format!(
                "give the account of the token the role write on {repository}, without which it may not change what \
                 others have written there; or give the step a token of a GitHub App"
            ),
            Grantee::App(app) => format!(
                "grant the GitHub App {app} {permissions} on {repository}: add it in the App's settings, and \
                 accept it where the App is installed"
            ),
            Grantee::Policy(file) => {
                format!("grant {permissions} in `{file}` on the default branch of {repository}")
            }
        }
    }
}
