//! The objects of the API's answers, with all fields that GitHub's description requires.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Map, Value, json};

use crate::app::{AppData, Installation};
use crate::environment::Environment;
use crate::issue::{Comment, Issue, Label, Reaction};
use crate::release::Release;
use crate::repository::{Commit, RepositoryData, Role, blob_sha, sha1};
use crate::routes::apps::level_names;
use crate::run::{Annotation, Approval, Job, Run};
use crate::state::State;
use crate::team::Membership;
use crate::token::is_bot;
use crate::workflow::Workflow;

/// The beginnings of links: to pages for people, and to the API.
#[derive(Debug, Clone)]
pub(crate) struct Links {
    pub(crate) web: String,
    api: String,
}

impl Links {
    pub(crate) fn github_com() -> Self {
        Self { web: "https://github.com".into(), api: "https://api.github.com".into() }
    }

    pub(crate) fn served(url: &str) -> Self {
        Self { web: url.into(), api: url.into() }
    }

    pub(crate) fn enterprise(url: &str) -> Self {
        Self { web: url.into(), api: format!("{url}/api/v3") }
    }

    pub(crate) fn api(&self, path: impl AsRef<str>) -> String {
        format!("{}{}", self.api, path.as_ref())
    }

    pub(crate) fn web(&self, path: impl AsRef<str>) -> String {
        format!("{}{}", self.web, path.as_ref())
    }
}

pub(crate) fn time(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

fn node_id(kind: &str, id: u64) -> String {
    STANDARD.encode(format!("{kind}{id}"))
}

/// A number that belongs to a login, the same in every world.
pub(crate) fn user_id(login: &str) -> u64 {
    let hash = sha1(login.to_ascii_lowercase().as_bytes());
    u64::from_str_radix(&hash[..7], 16).expect("a hash is hexadecimal")
}

fn encode_path(path: &str) -> String {
    const ESCAPES: percent_encoding::AsciiSet =
        percent_encoding::NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');
    percent_encoding::utf8_percent_encode(path, &ESCAPES).to_string()
}

// People.

pub(crate) fn user(links: &Links, login: &str) -> Value {
    let kind = if is_bot(login) { "Bot" } else { "User" };
    account(links, login, kind)
}

fn organization(links: &Links, login: &str) -> Value {
    account(links, login, "Organization")
}

fn account(links: &Links, login: &str, kind: &str) -> Value {
    let id = user_id(login);
    let url = links.api(format!("/users/{}", encode_path(login)));
    let html_url = match login.strip_suffix("[bot]") {
        Some(app) => links.web(format!("/apps/{app}")),
        None => links.web(format!("/{login}")),
    };
    json!({
        "login": login,
        "id": id,
        "node_id": node_id("User", id),
        "avatar_url": format!("https://avatars.githubusercontent.com/u/{id}?v=4"),
        "gravatar_id": "",
        "url": url,
        "html_url": html_url,
        "followers_url": format!("{url}/followers"),
        "following_url": format!("{url}/following{{/other_user}}"),
        "gists_url": format!("{url}/gists{{/gist_id}}"),
        "starred_url": format!("{url}/starred{{/owner}}{{/repo}}"),
        "subscriptions_url": format!("{url}/subscriptions"),
        "organizations_url": format!("{url}/orgs"),
        "repos_url": format!("{url}/repos"),
        "events_url": format!("{url}/events{{/privacy}}"),
        "received_events_url": format!("{url}/received_events"),
        "type": kind,
        "site_admin": false,
    })
}

/// The answer to `GET /user` and `GET /users/{username}`.
pub(crate) fn profile(links: &Links, login: &str) -> Value {
    let more = json!({
        "user_view_type": "public",
        "name": null,
        "company": null,
        "blog": "",
        "location": null,
        "email": null,
        "hireable": null,
        "bio": null,
        "twitter_username": null,
        "public_repos": 0,
        "public_gists": 0,
        "followers": 0,
        "following": 0,
        "created_at": "2020-01-01T00:00:00Z",
        "updated_at": "2020-01-01T00:00:00Z",
    });
    merge(user(links, login), more)
}

/// A person and their permissions in a repository.
pub(crate) fn permission(links: &Links, repository: &RepositoryData, login: &str) -> Value {
    let Role { name, base } = repository.role(login);
    let base = base.as_str();
    // `permission` is older than the roles between read, write and admin.
    let permission = match base {
        "triage" => "read",
        "maintain" => "write",
        base => base,
    };
    let rights = json!({
        "role_name": name,
        "permissions": {
            "admin": base == "admin",
            "maintain": matches!(base, "admin" | "maintain"),
            "push": matches!(base, "admin" | "maintain" | "write"),
            "triage": matches!(base, "admin" | "maintain" | "write" | "triage"),
            "pull": base != "none",
        },
    });
    json!({
        "permission": permission,
        "role_name": name,
        "user": merge(user(links, login), rights),
    })
}

fn merge(mut base: Value, more: Value) -> Value {
    if let (Value::Object(base), Value::Object(more)) = (&mut base, more) {
        base.extend(more);
    }
    base
}

// GitHub Apps.

pub(crate) fn installation(links: &Links, app: &AppData, installation: &Installation) -> Value {
    let (id, owner) = (installation.id, &installation.owner);
    let mut permissions = level_names(&installation.permissions);
    permissions["metadata"] = json!("read");
    json!({
        "id": id,
        "account": organization(links, owner),
        "repository_selection": if installation.selection.is_some() { "selected" } else { "all" },
        "access_tokens_url": links.api(format!("/app/installations/{id}/access_tokens")),
        "repositories_url": links.api("/installation/repositories"),
        "html_url": links.web(format!("/organizations/{owner}/settings/installations/{id}")),
        "app_id": app.id,
        "client_id": app.client_id,
        "app_slug": app.slug,
        "target_id": user_id(owner),
        "target_type": "Organization",
        "permissions": permissions,
        "events": [],
        "created_at": time(installation.created_at),
        "updated_at": time(installation.created_at),
        "single_file_name": null,
        "suspended_by": installation.suspended_at.map(|_| user(links, owner)),
        "suspended_at": installation.suspended_at.map(time),
    })
}

// Repositories.

/// The links in every form of a repository: the field, and the end of the URL.
const REPOSITORY_URLS: [(&str, &str); 37] = [
    ("archive_url", "/{archive_format}{/ref}"),
    ("assignees_url", "/assignees{/user}"),
    ("blobs_url", "/git/blobs{/sha}"),
    ("branches_url", "/branches{/branch}"),
    ("collaborators_url", "/collaborators{/collaborator}"),
    ("comments_url", "/comments{/number}"),
    ("commits_url", "/commits{/sha}"),
    ("compare_url", "/compare/{base}...{head}"),
    ("contents_url", "/contents/{+path}"),
    ("contributors_url", "/contributors"),
    ("deployments_url", "/deployments"),
    ("downloads_url", "/downloads"),
    ("events_url", "/events"),
    ("forks_url", "/forks"),
    ("git_commits_url", "/git/commits{/sha}"),
    ("git_refs_url", "/git/refs{/sha}"),
    ("git_tags_url", "/git/tags{/sha}"),
    ("hooks_url", "/hooks"),
    ("issue_comment_url", "/issues/comments{/number}"),
    ("issue_events_url", "/issues/events{/number}"),
    ("issues_url", "/issues{/number}"),
    ("keys_url", "/keys{/key_id}"),
    ("labels_url", "/labels{/name}"),
    ("languages_url", "/languages"),
    ("merges_url", "/merges"),
    ("milestones_url", "/milestones{/number}"),
    ("notifications_url", "/notifications{?since,all,participating}"),
    ("pulls_url", "/pulls{/number}"),
    ("releases_url", "/releases{/id}"),
    ("stargazers_url", "/stargazers"),
    ("statuses_url", "/statuses/{sha}"),
    ("subscribers_url", "/subscribers"),
    ("subscription_url", "/subscription"),
    ("tags_url", "/tags"),
    ("teams_url", "/teams"),
    ("trees_url", "/git/trees{/sha}"),
    ("url", ""),
];

pub(crate) fn minimal_repository(links: &Links, repository: &RepositoryData) -> Value {
    let full_name = repository.full_name();
    let api = links.api(format!("/repos/{full_name}"));
    let mut object = json!({
        "id": repository.id,
        "node_id": node_id("Repository", repository.id),
        "name": repository.name,
        "full_name": full_name,
        "owner": organization(links, &repository.owner),
        "private": repository.is_private,
        "html_url": links.web(format!("/{full_name}")),
        "description": null,
        "fork": false,
    });
    for (name, rest) in REPOSITORY_URLS {
        object[name] = json!(format!("{api}{rest}"));
    }
    object
}

pub(crate) fn full_repository(links: &Links, repository: &RepositoryData, push: bool) -> Value {
    let full_name = repository.full_name();
    let html_url = links.web(format!("/{full_name}"));
    let open = repository.all_issues().filter(|issue| issue.is_open());
    let open = open.count();
    let created_at = time(repository.created_at);
    let more = json!({
        "git_url": format!("git://github.com/{full_name}.git"),
        "ssh_url": format!("git@github.com:{full_name}.git"),
        "clone_url": format!("{html_url}.git"),
        "mirror_url": null,
        "svn_url": html_url,
        "homepage": null,
        "language": null,
        "forks_count": 0,
        "stargazers_count": 0,
        "watchers_count": 0,
        "size": 0,
        "default_branch": repository.default_branch,
        "open_issues_count": open,
        "is_template": false,
        "topics": [],
        "has_issues": repository.has_issues,
        "has_projects": false,
        "has_wiki": false,
        "has_pages": false,
        "has_discussions": false,
        "archived": repository.is_archived,
        "disabled": repository.is_disabled,
        "visibility": match (repository.is_internal, repository.is_private) {
            (true, _) => "internal",
            (false, true) => "private",
            (false, false) => "public",
        },
        "pushed_at": created_at,
        "created_at": created_at,
        "updated_at": created_at,
        "permissions": {
            "admin": false, "maintain": false, "push": push, "triage": push, "pull": true,
        },
        "subscribers_count": 0,
        "network_count": 0,
        "license": null,
        "forks": 0,
        "open_issues": open,
        "watchers": 0,
    });
    merge(minimal_repository(links, repository), more)
}

/// A repository in the list of an installation's token.
pub(crate) fn repository_of_installation(links: &Links, repository: &RepositoryData) -> Value {
    let more = json!({ "has_downloads": true });
    merge(full_repository(links, repository, false), more)
}

/// A file or directory. `text` is the content of a file outside of a list; `sha` is empty for a directory.
pub(crate) fn content(
    links: &Links,
    repository: &RepositoryData,
    git_ref: &str,
    path: &str,
    text: Option<&str>,
    size: usize,
    sha: &str,
) -> Value {
    let full_name = repository.full_name();
    let encoded_path = encode_path(path);
    let kind = if sha.is_empty() { "dir" } else { "file" };
    let tree = if sha.is_empty() { "tree" } else { "blob" };
    let sha = if sha.is_empty() { sha1(path.as_bytes()) } else { sha.to_owned() };
    let url = links.api(format!("/repos/{full_name}/contents/{encoded_path}?ref={git_ref}"));
    let html_url = links.web(format!("/{full_name}/{tree}/{git_ref}/{encoded_path}"));
    let git_url = links.api(format!("/repos/{full_name}/git/{tree}s/{sha}"));
    let raw = format!("https://raw.githubusercontent.com/{full_name}/{git_ref}/{encoded_path}");
    let mut object = json!({
        "name": path.rsplit('/').next(),
        "path": path,
        "sha": sha,
        "size": size,
        "url": url,
        "html_url": html_url,
        "git_url": git_url,
        "download_url": if kind == "file" { Some(raw) } else { None },
        "type": kind,
        "_links": { "self": url, "git": git_url, "html": html_url },
    });
    if let Some(text) = text {
        object["content"] = json!(base64_lines(text));
        object["encoding"] = json!("base64");
    }
    object
}

pub(crate) fn file(
    links: &Links,
    repository: &RepositoryData,
    git_ref: &str,
    path: &str,
    text: &str,
) -> Value {
    let sha = blob_sha(text);
    content(links, repository, git_ref, path, Some(text), text.len(), &sha)
}

/// A Git reference. Its object counts as a commit.
pub(crate) fn git_ref(links: &Links, repository: &RepositoryData, name: &str, sha: &str) -> Value {
    let git = links.api(format!("/repos/{}/git", repository.full_name()));
    json!({
        "ref": name,
        "node_id": STANDARD.encode(format!("Ref{}:{name}", repository.id)),
        "url": format!("{git}/{}", encode_path(name)),
        "object": { "type": "commit", "sha": sha, "url": format!("{git}/commits/{sha}") },
    })
}

/// Base64 as GitHub gives it: in lines of 60 characters, each with a line break.
fn base64_lines(text: &str) -> String {
    let base64 = STANDARD.encode(text);
    let lines = base64.as_bytes().chunks(60);
    lines.map(|line| String::from_utf8_lossy(line) + "\n").collect()
}

/// A commit. Its login is the owner's, and its date is the creation of the repository.
pub(crate) fn commit(links: &Links, repository: &RepositoryData, sha: &str, commit: &Commit) -> Value {
    let full_name = repository.full_name();
    let api = |path: &str, sha: &str| links.api(format!("/repos/{full_name}{path}/{sha}"));
    let web = |sha: &str| links.web(format!("/{full_name}/commit/{sha}"));
    let person = json!({
        "name": commit.author.as_ref().unwrap_or(&repository.owner), "email": "noreply@github.com", "date": time(repository.created_at),
    });
    let parents = commit
        .parent
        .iter()
        .map(|parent| json!({ "sha": parent, "url": api("/commits", parent), "html_url": web(parent) }));
    json!({
        "sha": sha,
        "node_id": STANDARD.encode(format!("Commit{}:{sha}", repository.id)),
        "commit": {
            "author": person,
            "committer": person,
            "message": commit.message,
            "tree": { "sha": sha, "url": api("/git/trees", sha) },
            "url": api("/git/commits", sha),
            "comment_count": 0,
        },
        "url": api("/commits", sha),
        "html_url": web(sha),
        "comments_url": format!("{}/comments", api("/commits", sha)),
        "author": user(links, &repository.owner),
        "committer": user(links, &repository.owner),
        "parents": parents.collect::<Vec<Value>>(),
        "stats": { "total": 0, "additions": 0, "deletions": 0 },
        "files": [],
    })
}

/// A comparison of two commits: the first, their newest common commit, and the commits that only the second has.
pub(crate) fn comparison(
    links: &Links,
    repository: &RepositoryData,
    basehead: &str,
    [base, merge_base]: [Value; 2],
    commits: Vec<Value>,
    ahead: usize,
    behind: usize,
) -> Value {
    let path = format!("/{}/compare/{}", repository.full_name(), encode_path(basehead));
    let html_url = links.web(&path);
    json!({
        "url": links.api(format!("/repos{path}")),
        "html_url": html_url,
        "permalink_url": html_url,
        "diff_url": format!("{html_url}.diff"),
        "patch_url": format!("{html_url}.patch"),
        "base_commit": base,
        "merge_base_commit": merge_base,
        "status": match (ahead, behind) {
            (0, 0) => "identical",
            (_, 0) => "ahead",
            (0, _) => "behind",
            _ => "diverged",
        },
        "ahead_by": ahead,
        "behind_by": behind,
        "total_commits": ahead,
        "commits": commits,
        "files": [],
    })
}

pub(crate) fn release(links: &Links, repository: &RepositoryData, release: &Release) -> Value {
    let full_name = repository.full_name();
    let (id, tag) = (release.id, encode_path(&release.tag));
    let url = links.api(format!("/repos/{full_name}/releases/{id}"));
    let created_at = release.created_at.unwrap_or(repository.created_at);
    let target = if release.target.is_empty() { &repository.default_branch } else { &release.target };
    let assets = release.assets.iter().zip(id * 100..).map(|((name, digest), asset)| {
        json!({
            "url": links.api(format!("/repos/{full_name}/releases/assets/{asset}")),
            "browser_download_url": links.web(format!("/{full_name}/releases/download/{tag}/{name}")),
            "id": asset,
            "node_id": node_id("ReleaseAsset", asset),
            "name": name,
            "label": "",
            "state": "uploaded",
            "content_type": "application/octet-stream",
            "size": 1,
            "digest": digest,
            "download_count": 0,
            "created_at": time(created_at),
            "updated_at": time(created_at),
            "uploader": user(links, &release.author),
        })
    });
    json!({
        "url": url,
        "html_url": links.web(format!("/{full_name}/releases/tag/{tag}")),
        "assets_url": format!("{url}/assets"),
        "upload_url": format!("{url}/assets{{?name,label}}"),
        "tarball_url": links.api(format!("/repos/{full_name}/tarball/{tag}")),
        "zipball_url": links.api(format!("/repos/{full_name}/zipball/{tag}")),
        "id": id,
        "node_id": node_id("Release", id),
        "tag_name": release.tag,
        "target_commitish": target,
        "name": if release.name.is_empty() { &release.tag } else { &release.name },
        "body": release.body,
        "draft": release.draft,
        "prerelease": release.prerelease,
        "immutable": release.immutable,
        "created_at": time(created_at),
        "published_at": release.published_at.map(time),
        "author": user(links, &release.author),
        "assets": assets.collect::<Vec<Value>>(),
    })
}

// Issues.

pub(crate) fn reaction(links: &Links, reaction: &Reaction) -> Value {
    json!({
        "id": reaction.id,
        "node_id": node_id("Reaction", reaction.id),
        "user": user(links, &reaction.author),
        "content": reaction.content,
        "created_at": time(reaction.created_at),
    })
}

/// The number of reactions of each kind.
fn reactions(url: &str, reactions: &[Reaction]) -> Value {
    let count = |content: &str| reactions.iter().filter(|one| one.content == content).count();
    json!({
        "url": format!("{url}/reactions"),
        "total_count": reactions.len(),
        "+1": count("+1"),
        "-1": count("-1"),
        "laugh": count("laugh"),
        "hooray": count("hooray"),
        "confused": count("confused"),
        "heart": count("heart"),
        "rocket": count("rocket"),
        "eyes": count("eyes"),
    })
}

pub(crate) fn label(links: &Links, repository: &RepositoryData, label: &Label) -> Value {
    let full_name = repository.full_name();
    let name = encode_path(&label.name);
    json!({
        "id": label.id,
        "node_id": node_id("Label", label.id),
        "url": links.api(format!("/repos/{full_name}/labels/{name}")),
        "name": label.name,
        "color": label.color,
        "default": false,
        "description": label.description,
    })
}

pub(crate) fn labels(links: &Links, repository: &RepositoryData, issue: &Issue) -> Vec<Value> {
    let names = issue.labels.iter();
    names.filter_map(|name| repository.label(name)).map(|one| label(links, repository, one)).collect()
}

pub(crate) fn issue(links: &Links, repository: &RepositoryData, issue: &Issue) -> Value {
    let full_name = repository.full_name();
    let number = issue.number;
    let url = links.api(format!("/repos/{full_name}/issues/{number}"));
    let assignees: Vec<Value> = issue.assignees.iter().map(|it| user(links, it)).collect();
    let pinned_comment = issue.comments.iter().find(|comment| comment.is_pinned);
    let mut object = json!({
        "url": url,
        "repository_url": links.api(format!("/repos/{full_name}")),
        "labels_url": format!("{url}/labels{{/name}}"),
        "comments_url": format!("{url}/comments"),
        "events_url": format!("{url}/events"),
        "html_url": links.web(format!("/{full_name}/issues/{number}")),
        "id": issue.id,
        "node_id": node_id("Issue", issue.id),
        "number": number,
        "title": issue.title,
        "user": user(links, &issue.author),
        "labels": labels(links, repository, issue),
        "state": issue.state,
        "locked": issue.is_locked,
        "assignee": assignees.first(),
        "assignees": assignees,
        "milestone": null,
        "comments": issue.comments.len(),
        "created_at": time(issue.created_at),
        "updated_at": time(issue.updated_at),
        "closed_at": issue.closed_at.map(time),
        "author_association": issue.association,
        "active_lock_reason": issue.lock_reason,
        "body": if issue.body.is_empty() { None } else { Some(&issue.body) },
        "closed_by": issue.closed_by.as_ref().map(|login| user(links, login)),
        "reactions": reactions(&url, &issue.reactions),
        "timeline_url": format!("{url}/timeline"),
        "performed_via_github_app": null,
        "state_reason": issue.state_reason,
    });
    if let Some(pinned_comment) = pinned_comment {
        object["pinned_comment"] = comment(links, repository, number, pinned_comment);
    }
    if issue.is_pull_request {
        let html_url = links.web(format!("/{full_name}/pull/{number}"));
        object["pull_request"] = json!({
            "url": links.api(format!("/repos/{full_name}/pulls/{number}")),
            "html_url": html_url,
            "diff_url": format!("{html_url}.diff"),
            "patch_url": format!("{html_url}.patch"),
            "merged_at": null,
        });
    }
    object
}

/// The event of a comment: `on` is its issue, `about` the comment.
pub(crate) fn comment_event(
    links: &Links,
    repository: &RepositoryData,
    on: &Issue,
    about: &Comment,
    action: &str,
    sender: &str,
) -> Value {
    let mut event_repository = full_repository(links, repository, false);
    if let Value::Object(fields) = &mut event_repository {
        // An event has no permissions of its reader.
        fields.remove("permissions");
    }
    let organization = &repository.owner;
    let id = user_id(organization);
    let api = links.api(format!("/orgs/{organization}"));
    let mut event = json!({
        "action": action,
        "issue": issue(links, repository, on),
        "comment": comment(links, repository, on.number, about),
        "repository": event_repository,
        "organization": {
            "login": organization,
            "id": id,
            "node_id": node_id("Organization", id),
            "url": api,
            "repos_url": format!("{api}/repos"),
            "events_url": format!("{api}/events"),
            "hooks_url": format!("{api}/hooks"),
            "issues_url": format!("{api}/issues"),
            "members_url": format!("{api}/members{{/member}}"),
            "public_members_url": format!("{api}/public_members{{/member}}"),
            "avatar_url": format!("https://avatars.githubusercontent.com/u/{id}?v=4"),
            "description": null,
        },
        "sender": user(links, sender),
    });
    if action == "edited" {
        event["changes"] = json!({ "body": { "from": about.earlier_body } });
    }
    event
}

pub(crate) fn comment(links: &Links, repository: &RepositoryData, number: u64, comment: &Comment) -> Value {
    let full_name = repository.full_name();
    let id = comment.id;
    let url = links.api(format!("/repos/{full_name}/issues/comments/{id}"));
    let pin = comment.pinned_at.map(|at| {
        let by = comment.pinned_by.as_ref().map(|login| user(links, login));
        json!({ "pinned_at": time(at), "pinned_by": by })
    });
    json!({
        "url": url,
        "html_url": links.web(format!("/{full_name}/issues/{number}#issuecomment-{id}")),
        "issue_url": links.api(format!("/repos/{full_name}/issues/{number}")),
        "id": id,
        "node_id": node_id("IssueComment", id),
        "user": user(links, &comment.author),
        "created_at": time(comment.created_at),
        "updated_at": time(comment.updated_at),
        "author_association": comment.association,
        "body": comment.body,
        "reactions": reactions(&url, &comment.reactions),
        "performed_via_github_app": null,
        "pin": pin,
        "minimized": comment.hide_reason.as_ref().map(|reason| json!({ "reason": reason })),
    })
}

// Actions.

pub(crate) fn workflow(links: &Links, repository: &RepositoryData, workflow: &Workflow) -> Value {
    let full_name = repository.full_name();
    let branch = &repository.default_branch;
    let path = &workflow.path;
    let created_at = time(repository.created_at);
    json!({
        "id": workflow.id,
        "node_id": node_id("Workflow", workflow.id),
        "name": workflow.name,
        "path": path,
        "state": if workflow.is_enabled { "active" } else { "disabled_manually" },
        "created_at": created_at,
        "updated_at": created_at,
        "url": links.api(format!("/repos/{full_name}/actions/workflows/{}", workflow.id)),
        "html_url": links.web(format!("/{full_name}/blob/{branch}/{path}")),
        "badge_url": links.web(format!(
            "/{full_name}/actions/workflows/{}/badge.svg", workflow.file()
        )),
    })
}

pub(crate) fn run(state: &State, repository: &RepositoryData, run: &Run) -> Value {
    let links = &state.links;
    let full_name = repository.full_name();
    let id = run.id;
    let api = links.api(format!("/repos/{full_name}"));
    let url = format!("{api}/actions/runs/{id}");
    let html_url = links.web(format!("/{full_name}/actions/runs/{id}"));
    let workflow = repository.workflow(&run.workflow);
    let workflow_id = workflow.map_or(0, |workflow| workflow.id);
    let fallback = format!(".github/workflows/{}", run.workflow);
    let path = workflow.map_or(fallback, |workflow| workflow.path.clone());
    let previous = run.attempt.checked_sub(1).filter(|attempt| *attempt > 0);
    let minimal = minimal_repository(links, repository);
    json!({
        "id": id,
        "name": run.workflow_name,
        "node_id": node_id("WorkflowRun", id),
        "head_branch": run.git_ref,
        "head_sha": run.head_sha,
        "path": path,
        "display_title": run.name,
        "run_number": run.number,
        "event": run.event,
        "status": run.status,
        "conclusion": run.conclusion,
        "workflow_id": workflow_id,
        "check_suite_id": id,
        "check_suite_node_id": node_id("CheckSuite", id),
        "url": url,
        "html_url": html_url,
        "pull_requests": [],
        "created_at": time(run.created_at),
        "updated_at": time(run.updated_at),
        "actor": user(links, &run.actor),
        "run_attempt": run.attempt,
        "referenced_workflows": [],
        "run_started_at": time(run.started_at),
        "triggering_actor": user(links, &run.triggering_actor),
        "jobs_url": format!("{url}/jobs"),
        "logs_url": format!("{url}/logs"),
        "check_suite_url": format!("{api}/check-suites/{id}"),
        "artifacts_url": format!("{url}/artifacts"),
        "cancel_url": format!("{url}/cancel"),
        "rerun_url": format!("{url}/rerun"),
        "previous_attempt_url": previous.map(|attempt| format!("{url}/attempts/{attempt}")),
        "workflow_url": format!("{api}/actions/workflows/{workflow_id}"),
        "head_commit": {
            "id": run.head_sha,
            "tree_id": run.head_sha,
            "message": "Change files",
            "timestamp": time(run.created_at),
            "author": { "name": run.actor, "email": "noreply@github.com" },
            "committer": { "name": "GitHub", "email": "noreply@github.com" },
        },
        "repository": minimal,
        "head_repository": minimal,
    })
}

pub(crate) fn job(links: &Links, run: &Run, job: &Job) -> Value {
    let api = links.api(format!("/repos/{}", run.repository));
    let started = time(job.started_at.unwrap_or(run.started_at));
    let steps: Vec<Map<String, Value>> = job
        .steps
        .iter()
        .map(|step| {
            let fields = [
                ("name", json!(step.name)),
                ("status", json!(step.status)),
                ("conclusion", json!(step.conclusion)),
                ("number", json!(step.number)),
                ("started_at", json!(started)),
                ("completed_at", json!(job.completed_at.map(time))),
            ];
            fields.map(|(name, value)| (name.to_owned(), value)).into_iter().collect()
        })
        .collect();
    json!({
        "id": job.id,
        "run_id": run.id,
        "run_url": format!("{api}/actions/runs/{}", run.id),
        "run_attempt": run.attempt,
        "node_id": node_id("CheckRun", job.id),
        "head_sha": run.head_sha,
        "url": format!("{api}/actions/jobs/{}", job.id),
        "html_url": links.web(format!(
            "/{}/actions/runs/{}/job/{}", run.repository, run.id, job.id
        )),
        "status": job.status,
        "conclusion": job.conclusion,
        "created_at": job.created_at.map_or_else(|| started.clone(), time),
        "started_at": started,
        "completed_at": job.completed_at.map(time),
        "name": job.name,
        "steps": steps,
        "check_run_url": format!("{api}/check-runs/{}", job.id),
        "labels": ["ubuntu-latest"],
        "runner_id": 1,
        "runner_name": "GitHub Actions 1",
        "runner_group_id": 1,
        "runner_group_name": "GitHub Actions",
        "workflow_name": run.workflow_name,
        "head_branch": run.git_ref,
    })
}

/// A review of an environment.
pub(crate) fn approval(links: &Links, full_name: &str, approval: &Approval) -> Value {
    let environment = environment(links, full_name, &approval.environment);
    json!({
        "environments": [environment],
        "state": "approved",
        "user": user(links, &approval.by),
        "comment": "",
    })
}

fn environment(links: &Links, full_name: &str, name: &str) -> Value {
    let encoded_name = encode_path(name);
    let id = user_id(&format!("{full_name} {encoded_name}"));
    json!({
        "id": id,
        "node_id": node_id("Environment", id),
        "name": name,
        "url": links.api(format!("/repos/{full_name}/environments/{encoded_name}")),
        "html_url": links.web(format!(
            "/{full_name}/deployments/activity_log?environments_filter={encoded_name}"
        )),
    })
}

/// An annotation of a job.
pub(crate) fn annotation(links: &Links, run: &Run, annotation: &Annotation) -> Value {
    let Annotation { level, path, line, message } = annotation;
    json!({
        "path": path,
        "blob_href": links.web(format!("/{}/blob/{}/{path}", run.repository, run.head_sha)),
        "start_line": line,
        "start_column": null,
        "end_line": line,
        "end_column": null,
        "annotation_level": level,
        "title": "",
        "message": message,
        "raw_details": "",
    })
}

/// A deployment to an environment that a job waits for.
pub(crate) fn pending_deployment(
    links: &Links,
    full_name: &str,
    job: &Job,
    environment: &Environment,
    may_approve: bool,
) -> Value {
    let timer = environment.wait_timer;
    let reviewers: Vec<Value> = environment.reviewers.iter().map(|it| reviewer(links, it)).collect();
    json!({
        "environment": self::environment(links, full_name, &environment.name),
        "wait_timer": timer,
        "wait_timer_started_at": job.started_at.filter(|_| timer > 0).map(time),
        "current_user_can_approve": may_approve,
        "reviewers": reviewers,
    })
}

/// A reviewer: a person, or a team as `org/team`.
fn reviewer(links: &Links, name: &str) -> Value {
    match name.split_once('/') {
        None => json!({ "type": "User", "reviewer": user(links, name) }),
        Some((owner, slug)) => json!({ "type": "Team", "reviewer": team(links, owner, slug) }),
    }
}

/// A member of a team.
pub(crate) fn team_member(links: &Links, membership: &Membership) -> Value {
    merge(user(links, &membership.login), json!({ "role": membership.role, "inherited": false }))
}

/// The membership of a person in a team.
pub(crate) fn membership(links: &Links, owner: &str, slug: &str, membership: &Membership) -> Value {
    let url = format!("{}/memberships/{}", team_url(links, owner, slug), membership.login);
    json!({ "url": url, "role": membership.role, "state": membership.state })
}

fn team_url(links: &Links, owner: &str, slug: &str) -> String {
    let id = user_id(&format!("{owner}/{slug}"));
    links.api(format!("/organizations/{}/team/{id}", user_id(owner)))
}

fn team(links: &Links, owner: &str, slug: &str) -> Value {
    let id = user_id(&format!("{owner}/{slug}"));
    let url = team_url(links, owner, slug);
    json!({
        "id": id,
        "node_id": node_id("Team", id),
        "name": slug,
        "slug": slug,
        "description": null,
        "privacy": "closed",
        "notification_setting": "notifications_enabled",
        "permission": "pull",
        "url": url,
        "html_url": links.web(format!("/orgs/{owner}/teams/{slug}")),
        "members_url": format!("{url}/members{{/member}}"),
        "repositories_url": format!("{url}/repos"),
        "type": "organization",
        "parent": null,
    })
}
