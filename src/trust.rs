//! Belief in records: whether the author of a record may affect the board.
//!
//! GitHub's [association](https://docs.github.com/graphql/reference/enums#commentauthorassociation) of an author
//! settles it for bots, owners, members and collaborators. For all other people, it depends on the reader: a private
//! member of an organization is a `CONTRIBUTOR` for readers who may not see the membership. In these cases the
//! author's [role](https://docs.github.com/rest/collaborators/collaborators#get-repository-permissions-for-a-user)
//! settles it, which is the same for all readers.

use crate::github::GitHub;
use crate::github::issues::AuthoredText;
use crate::github::role::Role;
use crate::names::{Login, RepoName};
use crate::problem::{Problem, Topic};
use crate::ticket::marker::Marker;

/// The most authors for whose roles a step asks GitHub: a stranger can make many accounts.
const ROLE_LIMIT: usize = 20;

/// Settles for each text that looks like a record whether its author may write records.
pub async fn settle<T: AuthoredText>(github: &GitHub, repository: &RepoName, texts: &mut [T]) {
    for text in texts.iter_mut().filter(|text| !text.is_trusted() && Marker::find(text.text()).is_some()) {
        let Some(login) = text.author().and_then(Login::parse) else { continue };
        match github.role_once(repository, &login, ROLE_LIMIT).await {
            Some(answer) => {
                let role = answer.role.as_ref().ok().copied();
                text.settle(role.map(|role| role >= Role::Triage));
                if answer.is_new {
                    warn(text, repository, &login, &answer.role);
                }
            }
            None => text.settle(Some(false)),
        }
    }
}

/// Warns, once for each author, that their records count for nothing, with the reason.
fn warn<T: AuthoredText>(text: &T, repository: &RepoName, login: &Login, role: &Result<Role, String>) {
    let url = text.url();
    match role {
        Ok(role) if *role >= Role::Triage => {}
        Ok(_) => {
            let what = format!(
                "{url} looks like a record of the action, but is ignored: {login} does not have the role triage in {repository}"
            );
            let help = format!("if it is one, give {login} the role triage there");
            Problem::new(what).help(Topic::Record, help).warn();
        }
        Err(error) => {
            let what = format!(
                "{url} looks like a record of the action, but GitHub does not say whether {login} may write one: {error}"
            );
            let help = "the board stays as it is if it shows that record";
            Problem::new(what).help(Topic::Record, help).warn();
        }
    }
}
