//! Teams of organizations, with their members.

use serde_json::Value;

use crate::call::{Answer, Call, Reply};
use crate::json;
use crate::team::{TeamData, TeamKey};

/// The members, without invited people.
pub(super) fn members(call: Call<'_>) -> Answer {
    let role = call.query("role").filter(|role| *role != "all");
    let members = team(&call)?.members.iter();
    let members = members.filter(|one| one.state == "active" && role.is_none_or(|role| role == one.role));
    let objects = members.map(|one| json::team_member(&call.state.links, one));
    Ok(call.list(objects.collect::<Vec<Value>>()))
}

pub(super) fn membership(call: Call<'_>) -> Answer {
    let membership = team(&call)?.membership(call.param("username")).ok_or_else(Reply::not_found)?;
    let (organization, slug) = (call.param("org"), call.param("team_slug"));
    Ok(Reply::ok(json::membership(&call.state.links, organization, slug, membership)))
}

/// The team in the path.
fn team<'a>(call: &'a Call<'_>) -> Result<&'a TeamData, Reply> {
    let key = TeamKey::new(call.param("org"), call.param("team_slug"));
    call.state.team(&key).ok_or_else(Reply::not_found)
}
