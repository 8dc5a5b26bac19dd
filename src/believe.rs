//! Who is believed: whether the author of a record may colour the board.
//!
//! GitHub's [association](https://docs.github.com/graphql/reference/enums#commentauthorassociation) of an author
//! settles it for bots, owners, members and collaborators. What it says of everybody else depends on who asks: a
//! private member of an organization is a `CONTRIBUTOR` to whoever may not see the membership. Then the author's
//! [role](https://docs.github.com/rest/collaborators/collaborators#get-repository-permissions-for-a-user) settles
//! it, which is the same for all.

use crate::github::GitHub;
use crate::github::issues::Authored;
use crate::github::role::Role;
use crate::names::{Login, RepoName};
use crate::problem::Problem;
use crate::ticket::marker::Marker;

/// So many authors are asked about in a step; a stranger can make many accounts.
const AUTHORS_ASKED: usize = 20;

/// Settles which of these texts may be records, as far as they look like one.
pub async fn settle<T: Authored>(github: &GitHub, repository: &RepoName, texts: &mut [T]) {
    for text in texts.iter_mut().filter(|text| !text.is_trusted() && Marker::find(text.text()).is_some()) {
        let Some(login) = text.author().and_then(Login::parse) else { continue };
        match github.role_once(repository, &login, AUTHORS_ASKED).await {
            Some(asked) => {
                let role = asked.role.as_ref().ok().copied();
                text.settle(role.map(|role| role >= Role::Triage));
                if asked.is_new {
                    warn(text, repository, &login, &asked.role);
                }
            }
            None => text.settle(Some(false)),
        }
    }
}

/// Says once of each author why their records count for nothing.
fn warn<T: Authored>(text: &T, repository: &RepoName, login: &Login, role: &Result<Role, String>) {
    let url = text.url();
    match role {
        Ok(role) if *role >= Role::Triage => {}
        Ok(_) => {
            let what = format!(
                "{url} looks like a record of the action and counts for nothing: {login} may not triage in {repository}"
            );
            tracing::warn!(
                "{}",
                Problem::new(what).help(format!("if it is one, give {login} the role triage there"))
            );
        }
        Err(error) => {
            let what = format!(
                "{url} looks like a record of the action, and nobody can tell whether {login} may write one: {error}"
            );
            tracing::warn!(
                "{}",
                Problem::new(what).help("the board is left as it is if it shows that record")
            );
        }
    }
}
