//! The subjects of help: the sections of the page on troubleshooting. A test compares them with its headings.

/// The page with a section for each topic.
const PAGE: &str = concat!(env!("CARGO_PKG_REPOSITORY"), "/blob/main/docs/troubleshooting.md");

macro_rules! topics {
    ($($(#[$doc:meta])* $topic:ident: $anchor:literal,)*) => {
        /// The subject of a help.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Topic {
            $($(#[$doc])* $topic,)*
        }

        impl Topic {
            /// All topics, in the order of the page.
            pub const ALL: &[Self] = &[$(Self::$topic,)*];

            /// The anchor of its heading, by the rules of GitHub.
            #[must_use]
            pub fn anchor(self) -> &'static str {
                match self {
                    $(Self::$topic => $anchor,)*
                }
            }
        }
    };
}

// Released images link to these anchors on `main`: a heading that changes leaves an `<a id>` where it was.
topics! {
    /// A permission that a token lacks, and things that it does not see.
    Permission: "the-token-lacks-a-permission",
    /// A token that GitHub does not accept.
    Credentials: "github-does-not-accept-the-token",
    /// A secret without a value in this run.
    BlankSecret: "a-secret-is-blank",
    /// A GitHub App without a token for a repository.
    App: "the-github-app-gives-no-token",
    /// The private key of an App.
    PrivateKey: "the-private-key-cannot-be-used",
    /// A token service, and the job's signed identity for it.
    TokenService: "the-token-service-gives-no-token",
    /// GitHub's rate limit.
    RateLimit: "the-rate-limit-is-reached",
    /// GitHub, or a server in its place, without a clear answer.
    Answer: "github-gives-no-clear-answer",
    /// A server that the runner does not reach.
    Host: "the-runner-does-not-reach-a-server",
    /// A proxy.
    Proxy: "the-proxy-does-not-lead-to-the-server",
    /// Certificates of servers and of authorities.
    Certificate: "a-certificate-is-not-trusted",
    /// A renamed repository, or a transferred issue.
    NewName: "a-repository-or-an-issue-has-a-new-name",
    /// An input of the step.
    Input: "an-input-is-refused",
    /// The targets file.
    TargetsFile: "the-targets-file-is-refused",
    /// YAML.
    Yaml: "a-text-is-not-yaml",
    /// Templates, and the values that they read.
    Template: "a-template-cannot-be-rendered",
    /// Values that targets give back.
    Output: "an-output-is-missing",
    /// Files of the workspace and of the runner.
    File: "a-file-cannot-be-used",
    /// The answers of an issue form.
    Form: "the-answers-of-an-issue-form-do-not-count",
    /// A step that did not come to its end.
    Interruption: "the-step-was-interrupted",
    /// The variables and the event of a runner.
    Runner: "the-step-runs-outside-of-a-workflow",
    /// A rehearsal on one's own machine.
    Rehearsal: "the-rehearsal-does-not-end-well",
    /// A repository that is archived or disabled, or lacks a feature.
    Repository: "a-repository-is-closed-to-changes",
    /// The workflow of a target.
    Workflow: "a-workflow-is-missing-or-switched-off",
    /// The inputs of a target's workflow.
    WorkflowInput: "inputs-do-not-fit-the-workflow",
    /// The branch or tag of a target.
    Ref: "a-ref-is-not-a-branch-or-a-tag",
    /// A start that GitHub refuses, or whose inputs cannot be written.
    Start: "a-start-is-refused",
    /// A start that may have happened, or happened twice.
    UnclearStart: "a-start-is-unclear",
    /// A target that failed, waits or has not ended.
    Target: "a-target-is-not-released",
    /// The checks of a released target.
    Verification: "a-target-is-not-verified",
    /// The issue of a release.
    Ticket: "the-ticket-cannot-be-used",
    /// The targets of a closed ticket.
    ClosedTicket: "a-closed-ticket-has-unfinished-targets",
    /// The claims of hub jobs on targets.
    Claim: "a-claim-is-not-settled",
    /// Records, and the accounts that may write them.
    Record: "a-record-does-not-count",
    /// Records and keys of a newer release of the action.
    NewerRelease: "a-newer-release-wrote-the-ticket",
    /// Commands in comments.
    Command: "a-command-is-refused",
    /// The approval of a gate.
    Gate: "a-gate-takes-no-approval",
    /// The members of a team.
    Team: "the-members-of-a-team-cannot-be-read",
}

impl Topic {
    /// The address of its section.
    #[must_use]
    pub fn url(self) -> String {
        format!("{PAGE}#{}", self.anchor())
    }

    /// Advice on this topic.
    #[must_use]
    pub fn advice(self, text: impl Into<String>) -> Advice {
        Advice { text: text.into(), topic: self }
    }
}

/// Help for a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Advice {
    /// The next step, in the imperative.
    pub text: String,
    /// Its subject.
    pub topic: Topic,
}

impl Advice {
    /// The same advice with a second text behind a semicolon, if there is one.
    #[must_use]
    pub fn and(self, more: Option<&str>) -> Self {
        match more {
            Some(more) => Self { text: format!("{}; {more}", self.text), ..self },
            None => self,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_topic_has_an_anchor_of_its_own() {
        let mut anchors: Vec<_> = Topic::ALL.iter().map(|topic| topic.anchor()).collect();
        anchors.sort_unstable();
        anchors.dedup();
        assert_eq!(anchors.len(), Topic::ALL.len());
    }

    #[test]
    fn the_link_leads_to_the_section() {
        let page = "https://github.com/org/release-ticket-action/blob/main/docs/troubleshooting.md";
        assert_eq!(Topic::RateLimit.url(), format!("{page}#the-rate-limit-is-reached"));
    }
}
