//! A permission that a token lacks, and where people grant it.

use crate::names::RepoName;
use crate::problem::{Advice, Topic};

/// A permission that a token lacks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lack {
    /// The repository where the token lacks it.
    pub repository: RepoName,
    /// The permission as people grant it, `issues: write` in a code span.
    pub permissions: String,
    /// The holder that needs the permission.
    pub grantee: Grantee,
}

/// A holder of permissions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Grantee {
    /// The token of an input.
    Token,
    /// The account of an input's token: a token may do no more than its account.
    Account,
    /// A GitHub App, by its id.
    App(String),
    /// The jobs that a trust policy trusts, by the file of the policy.
    Policy(String),
}

impl Lack {
    /// How to grant the permission.
    pub(in crate::github) fn remedy(&self) -> Advice {
        let Self { repository, permissions, grantee } = self;
        let text = match grantee {
            Grantee::Token => format!("grant the token {permissions} on {repository}"),
            Grantee::Account => format!(
                "give the token's account the role write on {repository}: without it, the account may not change texts \
                 of others there; or give the step a token of a GitHub App"
            ),
            Grantee::App(app) => format!(
                "grant the GitHub App {app} {permissions} on {repository}: add it in the App's settings, and \
                 accept it where the App is installed"
            ),
            Grantee::Policy(file) => {
                format!("grant {permissions} in `{file}` on the default branch of {repository}")
            }
        };
        Topic::Permission.advice(text)
    }
}
