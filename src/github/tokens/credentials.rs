//! The credentials of a step, and which of them goes with which repository.

use super::app::App;
use super::lack::Grantee;
use super::secret::{GivenToken, is_of_installation};
use super::sts::TokenService;
use crate::names::RepoName;

/// What the step was given to ask GitHub with.
#[derive(Debug, Default)]
pub struct Credentials {
    /// For every repository that has no other.
    pub token: Option<GivenToken>,
    /// For the ticket's repository.
    pub ticket: Option<TicketToken>,
    /// A GitHub App.
    pub app: Option<App>,
    /// Where the ticket is, if there is one.
    pub place: Option<TicketPlace>,
}

/// Where the ticket is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TicketPlace {
    /// Its repository.
    pub repository: RepoName,
    /// Whether the job runs there, so that its own token could write the ticket.
    pub is_here: bool,
}

/// The token for the ticket's repository, where that has one of its own.
#[derive(Debug)]
pub enum TicketToken {
    /// The step was given it.
    Given(RepoName, GivenToken),
    /// A token service gives it.
    Exchanged(Box<TokenService>),
}

impl TicketToken {
    fn repository(&self) -> &RepoName {
        match self {
            Self::Given(repository, _) => repository,
            Self::Exchanged(service) => service.repository(),
        }
    }
}

/// Where the token of a repository comes from.
#[derive(Debug)]
pub(super) enum Source<'a> {
    /// The step was given it.
    Given(&'a GivenToken),
    /// This service gives it.
    Exchanged(&'a TokenService),
    /// This App mints it.
    App(&'a App),
}

impl Source<'_> {
    /// Whether it is a token of an account, and not one of an App's installation.
    pub(super) fn is_of_account(&self) -> bool {
        let Self::Given(GivenToken { secret: Some(secret), .. }) = self else { return false };
        !is_of_installation(secret)
    }

    /// What is granted the permissions of such a token.
    pub(super) fn grantee(&self) -> Grantee {
        match self {
            Self::Given(_) => Grantee::Token,
            Self::Exchanged(service) => Grantee::Policy(service.policy_file()),
            Self::App(app) => Grantee::App(app.id.clone()),
        }
    }
}

impl Credentials {
    /// Where the token for `repository` comes from, if the step has any for it.
    pub(super) fn source(&self, repository: &RepoName) -> Option<Source<'_>> {
        match &self.ticket {
            Some(ticket) if ticket.repository() == repository => Some(match ticket {
                TicketToken::Given(_, token) => Source::Given(token),
                TicketToken::Exchanged(service) => Source::Exchanged(service),
            }),
            _ => self.app.as_ref().map(Source::App).or(self.token.as_ref().map(Source::Given)),
        }
    }

    /// Where the token comes from with which the members of `organization` are read, if the step has any for that:
    /// the App may be allowed to read them, and `github.token` never is.
    pub(super) fn source_of_members(&self, organization: &str) -> Option<Source<'_>> {
        let of_ticket = || {
            let ticket = self.ticket.as_ref()?;
            self.source(ticket.repository())
                .filter(|_| ticket.repository().owner().eq_ignore_ascii_case(organization))
        };
        self.app.as_ref().map(Source::App).or(self.token.as_ref().map(Source::Given)).or_else(of_ticket)
    }

    /// Where the ticket is, if it is in `repository` and has no token of its own.
    pub(super) fn ticket_by_token(&self, repository: &RepoName) -> Option<&TicketPlace> {
        let place = self.place.as_ref().filter(|place| place.repository == *repository)?;
        let has_own = self.ticket.as_ref().is_some_and(|ticket| ticket.repository() == repository);
        (!has_own).then_some(place)
    }

    /// Whether requests to both repositories are made by the same account, as far as the step knows.
    pub(super) fn are_the_same_for(&self, one: &RepoName, other: &RepoName) -> bool {
        match (self.source(one), self.source(other)) {
            (Some(Source::Given(one)), Some(Source::Given(other))) => one.is_same_as(other),
            (Some(Source::Exchanged(one)), Some(Source::Exchanged(other))) => std::ptr::eq(one, other),
            // It acts under one name wherever it is installed.
            (Some(Source::App(_)), Some(Source::App(_))) => true,
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::github::tokens::app::NoKey;

    #[test]
    fn the_same_account_asks_where_the_same_token_or_the_same_app_is_used() {
        let [hub, web, site] =
            ["acme/hub", "acme/web", "globex/site"].map(|name| name.parse().expect("a name"));
        let credentials = |token: Option<&str>, ticket: Option<&str>, app: bool| {
            let given = |text: &str| GivenToken::new("token", text);
            Credentials {
                token: token.map(given),
                ticket: ticket.map(|text| TicketToken::Given(RepoName::clone(&hub), given(text))),
                app: app.then(|| App { id: "Iv1".into(), key: Err(NoKey::Blank) }),
                place: None,
            }
        };
        let same = |credentials: Credentials, one: &RepoName, other: &RepoName| {
            credentials.are_the_same_for(one, other)
        };
        assert!(same(credentials(Some("a"), None, false), &hub, &web));
        assert!(same(credentials(Some("a"), Some("a"), false), &hub, &web));
        assert!(!same(credentials(Some("a"), Some("b"), false), &hub, &web));
        assert!(same(credentials(Some("a"), None, true), &hub, &site));
        assert!(!same(credentials(Some("a"), Some("b"), true), &hub, &web));
        assert!(same(credentials(Some("a"), Some("b"), true), &web, &site));
        assert!(!same(credentials(None, None, false), &hub, &web));
    }

    #[test]
    fn members_are_read_by_the_app_else_by_token_and_by_the_tickets_token_only_if_there_is_no_other() {
        let hub: RepoName = "acme/hub".parse().expect("a name");
        let input = |app: bool, token: bool, organization: &str| {
            let credentials = Credentials {
                token: token.then(|| GivenToken::new("token", "a")),
                ticket: Some(TicketToken::Given(hub.clone(), GivenToken::new("ticket-token", "b"))),
                app: app.then(|| App { id: "Iv1".into(), key: Err(NoKey::Blank) }),
                place: None,
            };
            match credentials.source_of_members(organization) {
                Some(Source::App(_)) => "the App",
                Some(Source::Given(token)) => token.input,
                Some(Source::Exchanged(_)) => "a token service",
                None => "nothing",
            }
        };
        assert_eq!(input(true, true, "acme"), "the App");
        assert_eq!(input(false, true, "acme"), "token");
        assert_eq!(input(false, false, "Acme"), "ticket-token");
        assert_eq!(input(false, false, "globex"), "nothing");
    }
}
