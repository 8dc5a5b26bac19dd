//! The credentials of a step, and which of them goes with which repository.

use super::app::App;
use super::lack::Grantee;
use super::secret::{InputToken, is_of_installation};
use super::sts::TokenService;
use crate::names::RepoName;

/// The credentials in the inputs of the step.
#[derive(Debug, Default)]
pub struct Credentials {
    /// The token for every repository without another credential.
    pub token: Option<InputToken>,
    /// The token for the ticket's repository.
    pub ticket: Option<TicketToken>,
    /// The GitHub App for every repository.
    pub app: Option<App>,
    /// Where the ticket is, if the step has one.
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

/// The own token of the ticket's repository.
#[derive(Debug)]
pub enum TicketToken {
    /// It is in an input.
    Input(RepoName, InputToken),
    /// A token service gives it.
    Service(Box<TokenService>),
}

impl TicketToken {
    fn repository(&self) -> &RepoName {
        match self {
            Self::Input(repository, _) => repository,
            Self::Service(service) => service.repository(),
        }
    }
}

/// The source of a repository's token.
#[derive(Debug)]
pub(super) enum Source<'a> {
    /// It is in an input.
    Input(&'a InputToken),
    /// This service gives it.
    Service(&'a TokenService),
    /// This App mints it.
    App(&'a App),
}

impl Source<'_> {
    /// Whether it is a token of an account, and not one of an App's installation.
    pub(super) fn is_of_account(&self) -> bool {
        let Self::Input(InputToken { secret: Some(secret), .. }) = self else { return false };
        !is_of_installation(secret)
    }

    /// The holder of the permissions of such a token.
    pub(super) fn grantee(&self) -> Grantee {
        match self {
            Self::Input(_) => Grantee::Token,
            Self::Service(service) => Grantee::Policy(service.policy_file()),
            Self::App(app) => Grantee::App(app.id.clone()),
        }
    }
}

impl Credentials {
    /// The source of the token for `repository`, if the step has any.
    pub(super) fn source(&self, repository: &RepoName) -> Option<Source<'_>> {
        match &self.ticket {
            Some(ticket) if ticket.repository() == repository => Some(match ticket {
                TicketToken::Input(_, token) => Source::Input(token),
                TicketToken::Service(service) => Source::Service(service),
            }),
            _ => self.app.as_ref().map(Source::App).or(self.token.as_ref().map(Source::Input)),
        }
    }

    /// The source of the token that reads the members of `organization`, if the step has any: the App may have the
    /// permission, `github.token` never has.
    pub(super) fn source_of_members(&self, organization: &str) -> Option<Source<'_>> {
        let of_ticket = || {
            let ticket = self.ticket.as_ref()?;
            self.source(ticket.repository())
                .filter(|_| ticket.repository().owner().eq_ignore_ascii_case(organization))
        };
        self.app.as_ref().map(Source::App).or(self.token.as_ref().map(Source::Input)).or_else(of_ticket)
    }

    /// Where the ticket is, if it is in `repository` and has no token of its own.
    pub(super) fn ticket_by_token(&self, repository: &RepoName) -> Option<&TicketPlace> {
        let place = self.place.as_ref().filter(|place| place.repository == *repository)?;
        let has_own = self.ticket.as_ref().is_some_and(|ticket| ticket.repository() == repository);
        (!has_own).then_some(place)
    }

    /// Whether the same account asks in both repositories; no if the step cannot know.
    pub(super) fn is_same_account(&self, one: &RepoName, other: &RepoName) -> bool {
        match (self.source(one), self.source(other)) {
            (Some(Source::Input(one)), Some(Source::Input(other))) => one.is_same_as(other),
            (Some(Source::Service(one)), Some(Source::Service(other))) => std::ptr::eq(one, other),
            // An App acts under one name wherever it is installed.
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
            let input_token = |text: &str| InputToken::new("token", text);
            Credentials {
                token: token.map(input_token),
                ticket: ticket.map(|text| TicketToken::Input(RepoName::clone(&hub), input_token(text))),
                app: app.then(|| App { id: "Iv1".into(), key: Err(NoKey::Blank) }),
                place: None,
            }
        };
        let same = |credentials: Credentials, one: &RepoName, other: &RepoName| {
            credentials.is_same_account(one, other)
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
                token: token.then(|| InputToken::new("token", "a")),
                ticket: Some(TicketToken::Input(hub.clone(), InputToken::new("ticket-token", "b"))),
                app: app.then(|| App { id: "Iv1".into(), key: Err(NoKey::Blank) }),
                place: None,
            };
            match credentials.source_of_members(organization) {
                Some(Source::App(_)) => "the App",
                Some(Source::Input(token)) => token.input,
                Some(Source::Service(_)) => "a token service",
                None => "nothing",
            }
        };
        assert_eq!(input(true, true, "acme"), "the App");
        assert_eq!(input(false, true, "acme"), "token");
        assert_eq!(input(false, false, "Acme"), "ticket-token");
        assert_eq!(input(false, false, "globex"), "nothing");
    }
}
